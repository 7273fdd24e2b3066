import { z } from 'zod'
import { command } from '../../command.ts'
import { bytes } from '../../output.ts'
import { findServer } from '../servers/find.ts'

const ofServer = ['<server>', 'its name or id'] as const

const compress = command({
  path: 'files compress',
  summary: 'Put files and folders of a server into a new archive there',
  args: [ofServer, ['<paths...>', 'what, seen from the folder']],
  flags: [
    ['--in <folder>', 'the folder they are in, and the archive will be'],
    ['--name <name>', 'ends in .tar.gz, .tar.zst, .tar or .zip'],
  ],
  examples: ['pharos files compress survival world --name world.zip'],
  options: z.object({
    server: z.string().min(1),
    paths: z.array(z.string().min(1)).min(1),
    in: z.string().default('/'),
    name: z.string().optional(),
  }),
  async run({ server, paths, in: root, name }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    out.progress('Packing …')
    const reply = await connection.client
      .compressFiles({ params, body: { files: paths, root, ...(name === undefined ? {} : { name }) } })
      .finally(() => out.progress(null))
    out.result(reply, () => `${reply.archivePath} (${bytes(reply.size)})`)
  },
})

const decompress = command({
  path: 'files decompress',
  summary: 'Unpack an archive that is on a server',
  args: [ofServer, ['<archive>', 'zip, tar, tar.gz, tar.zst, gz or zst']],
  flags: [
    ['--to <folder>', 'where to'],
    ['--overwrite', 'replace files that are there already'],
  ],
  examples: ['pharos files decompress survival world.zip --to /world'],
  options: z.object({
    server: z.string().min(1),
    archive: z.string().min(1),
    to: z.string().default('/'),
    overwrite: z.boolean().default(false),
  }),
  async run({ server, archive, to, overwrite }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    out.progress('Unpacking …')
    const reply = await connection.client
      .decompressFile({ params, body: { file: archive, root: to, overwrite } })
      .finally(() => out.progress(null))
    out.result(reply, () => `${reply.files} files, ${bytes(reply.bytes)}, are in ${to}`)
  },
})

/** `files compress|decompress` */
export const archiveCommands = [compress, decompress]
