import { z } from 'zod'
import { contentsBytesMax } from '../../../contract/text-files.ts'
import { command, UsageError } from '../../command.ts'
import { bytes, table } from '../../output.ts'
import { findServer } from '../servers/find.ts'

const ofServer = ['<server>', 'its name or id'] as const
const Named = z.object({ server: z.string().min(1), path: z.string().min(1) })
const FromTo = z.object({ server: z.string().min(1), from: z.string().min(1), to: z.string().min(1) })

const list = command({
  path: 'files list',
  summary: 'List a folder of a server',
  args: [ofServer, ['[folder]', 'from the server’s own root; the root itself without it']],
  examples: ['pharos files list survival', 'pharos files list survival /world --json'],
  options: z.object({ server: z.string().min(1), folder: z.string().default('/') }),
  async run({ server, folder }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const files: Awaited<ReturnType<typeof connection.client.listFiles>>['files'] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await connection.client.listFiles({
        params,
        query: { directory: folder, ...(cursor === undefined ? {} : { cursor }) },
      })
      files.push(...page.files)
      cursor = page.nextCursor
    }
    out.result(files, () =>
      table(
        ['name', 'size', 'mode', 'modified'],
        files.map(({ name, size, isDirectory, mode, modified, symlink }) => [
          `${name}${isDirectory ? '/' : ''}${symlink === null ? '' : ` -> ${symlink}`}`,
          isDirectory ? '-' : bytes(size),
          mode,
          modified,
        ]),
      ),
    )
  },
})

const cat = command({
  path: 'files cat',
  summary: 'Print a text file of a server',
  args: [ofServer, ['<path>', 'the file']],
  examples: ['pharos files cat survival server.properties'],
  options: Named,
  async run({ server, path }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const found = await connection.client.fileContents({ params, query: { file: path } })
    out.result(found, () => found.content.replace(/\n$/, ''))
  },
})

const write = command({
  path: 'files write',
  summary: 'Write a text file of a server as a whole, from standard input',
  args: [ofServer, ['<path>', 'the file']],
  flags: [['--if-match <hash>', 'only over the content of this hash, as "files cat --json" gives it']],
  examples: ['pharos files write survival server.properties < server.properties'],
  options: Named.extend({ ifMatch: z.string().optional() }),
  async run({ server, path, ifMatch }, { connect, out, readText }) {
    const content = await readText(contentsBytesMax)
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const body = { file: path, content, ...(ifMatch === undefined ? {} : { ifMatch }) }
    const reply = await connection.client.writeFile({ params, body })
    out.result(reply, () => reply.message)
  },
})

const mkdir = command({
  path: 'files mkdir',
  summary: 'Make a folder on a server',
  args: [ofServer, ['<path>', 'the folder']],
  examples: ['pharos files mkdir survival /plugins'],
  options: Named,
  async run({ server, path }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const parts = path.replace(/\/+$/, '').split('/')
    const body = { name: parts.at(-1) ?? '', path: `/${parts.slice(0, -1).join('/')}`.replace(/^\/\//, '/') }
    const { message } = await connection.client.createFolder({ params, body })
    out.result({ path, message }, () => message)
  },
})

const move = command({
  path: 'files mv',
  summary: 'Rename or move a file or folder of a server; never over another',
  args: [ofServer, ['<from>', 'what'], ['<to>', 'its new path']],
  examples: ['pharos files mv survival /world /world-old'],
  options: FromTo,
  async run({ server, from, to }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const { message } = await connection.client.renameFile({ params, body: { from, to } })
    out.result({ from, to, message }, () => message)
  },
})

const copy = command({
  path: 'files cp',
  summary: 'Copy a file or folder of a server; never over another',
  args: [ofServer, ['<from>', 'what'], ['<to>', 'the path of the copy']],
  examples: ['pharos files cp survival /config.yml /config.yml.old'],
  options: FromTo,
  async run({ server, from, to }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const { message } = await connection.client.copyFile({ params, body: { from, to } })
    out.result({ from, to, message }, () => message)
  },
})

const remove = command({
  path: 'files rm',
  summary: 'Delete a file, or a folder with everything in it',
  args: [ofServer, ['<path>', 'what']],
  flags: [['-y, --yes', 'yes, for ever']],
  examples: ['pharos files rm survival /world-old --yes'],
  options: Named.extend({ yes: z.boolean().default(false) }),
  async run({ server, path, yes }, { connect, out }) {
    if (!yes) throw new UsageError(`This deletes ${path} for ever. Add --yes to do it.`)
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const { message } = await connection.client.deleteFile({ params, body: { file: path } })
    out.result({ path, message }, () => message)
  },
})

/** `files list|cat|write|mkdir|mv|cp|rm` */
export const fileCommands = [list, cat, write, mkdir, move, copy, remove]
