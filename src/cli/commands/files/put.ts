import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { readReply } from '../../../contract/exchange.ts'
import { CommandError, command } from '../../command.ts'
import { bytes } from '../../output.ts'
import { findServer } from '../servers/find.ts'

/** What is sent at once, in bytes: a break costs no more than this, and it fits into memory. */
const partBytes = 16 * 1024 * 1024

export const putFile = command({
  path: 'files put',
  summary: 'Upload a file of this machine to a server',
  args: [
    ['<server>', 'its name or id'],
    ['<file>', 'on this machine'],
    ['[path]', 'where to; with a slash at its end the folder. The root without it'],
  ],
  flags: [['-f, --force', 'replace the file that is there']],
  examples: ['pharos files put survival essentials.jar plugins/', 'pharos files put survival world.zip --force'],
  options: z.object({
    server: z.string().min(1),
    file: z.string().min(1),
    path: z.string().min(1).default('/'),
    force: z.boolean().default(false),
  }),
  async run({ server, file, path, force }, { connect, out, signal, path: here }) {
    await using source = await open(here(file), 'r').catch(() => {
      throw new CommandError(`${file} cannot be read. Is that its name?`)
    })
    const facts = await source.stat()
    if (!facts.isFile()) throw new CommandError(`${file} is no file. Pack a folder first, and upload the archive.`)
    const name = path.endsWith('/') ? basename(file) : basename(path)
    const directory = `/${path.slice(0, path.lastIndexOf('/') + 1)}`.replace(/\/+/g, '/')
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const { jwt, uploadUrl } = await connection.client.startUpload({ params, query: { directory } })
    const url = new URL(connection.url.replace(/\/+$/, '') + uploadUrl)
    url.search = String(new URLSearchParams({ file: name, overwrite: String(force) }))
    const buffer = Buffer.alloc(Math.min(partBytes, facts.size))
    try {
      for (let at = 0; at < facts.size || facts.size === 0; ) {
        const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, facts.size - at), at)
        if (bytesRead === 0 && facts.size > 0) throw new CommandError(`${file} became shorter while it was read.`)
        const range = facts.size > 0 ? { 'content-range': `bytes ${at}-${at + bytesRead - 1}/${facts.size}` } : {}
        const reply = await fetch(url, {
          ...{ method: 'POST', body: buffer.subarray(0, bytesRead), signal },
          headers: { authorization: `Bearer ${jwt}`, 'content-type': 'application/octet-stream', ...range },
        })
        readReply('panel', { status: reply.status, headers: reply.headers, text: await reply.text() })
        at += bytesRead
        out.progress(`${bytes(at)} of ${bytes(facts.size)}`)
        if (facts.size === 0) break
      }
    } finally {
      out.progress(null)
    }
    out.result({ path: directory + name, size: facts.size }, () => `${directory}${name} (${bytes(facts.size)})`)
  },
})
