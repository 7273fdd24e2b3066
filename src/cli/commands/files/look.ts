import { z } from 'zod'
import { command } from '../../command.ts'
import { bytes, facts } from '../../output.ts'
import { findServer } from '../servers/find.ts'

const ofServer = ['<server>', 'its name or id'] as const

const search = command({
  path: 'files search',
  summary: 'Find files and folders of a server by a part of their name',
  args: [ofServer, ['<text>', 'in any case'], ['[folder]', 'where to begin; the server’s own root without it']],
  examples: ['pharos files search survival .jar', 'pharos files search survival level /world --json'],
  options: z.object({ server: z.string().min(1), text: z.string().min(1).max(255), folder: z.string().default('/') }),
  async run({ server, text, folder }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const found = await connection.client.searchFiles({ params, query: { query: text, directory: folder } })
    out.result(found, () =>
      [
        ...found.files.map(({ path, size, isDirectory }) => (isDirectory ? `${path}/` : `${path}  ${bytes(size)}`)),
        ...(found.complete ? [] : ['There is more: search in a folder, or for more of the name.']),
        ...(found.complete && found.files.length === 0 ? ['Nothing is called so.'] : []),
      ].join('\n'),
    )
  },
})

const chmod = command({
  path: 'files chmod',
  summary: 'Set the permission bits of a file or folder of a server',
  args: [ofServer, ['<mode>', 'three octal digits: 644'], ['<path>', 'the file or folder']],
  examples: ['pharos files chmod survival 755 start.sh'],
  options: z.object({
    server: z.string().min(1),
    mode: z.string().regex(/^0?[0-7]{3}$/, 'must be three octal digits, such as 644'),
    path: z.string().min(1),
  }),
  async run({ server, mode, path }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const reply = await connection.client.chmodFile({ params, body: { file: path, mode } })
    out.result(reply, () => reply.message)
  },
})

const space = command({
  path: 'files space',
  summary: 'Show how large a server’s files are and may be',
  args: [ofServer],
  examples: ['pharos files space survival'],
  options: z.object({ server: z.string().min(1) }),
  async run({ server }, { connect, out }) {
    const connection = await connect()
    const found = await connection.client.diskSpace({ params: { serverId: await findServer(connection, server) } })
    out.result(found, () =>
      facts([
        ['used', bytes(found.usedBytes)],
        ['limit', bytes(found.limitBytes)],
        ['held by', found.enforcement === 'quota' ? 'the file system' : 'stopping the game past it'],
      ]),
    )
  },
})

export const fileLookCommands = [search, chmod, space]
