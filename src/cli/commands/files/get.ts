import { basename } from 'node:path'
import { z } from 'zod'
import { command } from '../../command.ts'
import { download } from '../../download.ts'
import { bytes } from '../../output.ts'
import { findServer } from '../servers/find.ts'

export const getFile = command({
  path: 'files get',
  summary: 'Download a file of a server, or a folder as a .tar.gz',
  args: [
    ['<server>', 'its name or id'],
    ['<path>', 'what'],
    ['[target]', 'the file to write on this machine; its own name in this folder without it'],
  ],
  flags: [['-f, --force', 'replace a file of this machine']],
  examples: ['pharos files get survival world/level.dat', 'pharos files get survival /world world.tar.gz'],
  options: z.object({
    server: z.string().min(1),
    path: z.string().min(1),
    target: z.string().min(1).optional(),
    force: z.boolean().default(false),
  }),
  async run({ server, path, target, force }, { connect, out, signal, path: here }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const { downloadUrl } = await connection.client.downloadFile({ params, query: { file: path } })
    const file = here(target ?? (basename(path) || 'files.tar.gz'))
    const size = await download({ url: new URL(downloadUrl, connection.url), file, force, out, signal })
    out.result({ file, size }, () => `${file} (${bytes(size)})`)
  },
})
