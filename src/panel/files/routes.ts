import type { z } from 'zod'
import type { FileEntry, fileOperations, fileTransfers } from '../../contract/api/files.ts'
import { apiPrefix } from '../../contract/api/index.ts'
import { invalidRequest } from '../../contract/errors.ts'
import type { NodeFile, NodePull } from '../../contract/node-files.ts'
import { nodeFileTransfers } from '../../contract/node-files.ts'
import type { Handlers, TransferHandlers } from '../../contract/operation.ts'
import { attachmentHeader, linkDownload, linkUpload } from '../../http/index.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { PanelContexts, Tickets } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import type { Nodes } from '../nodes/index.ts'
import { readContents } from './contents.ts'
import { downloadTicketMs, uploadTicketMs } from './limits.ts'
import { mimeOf } from './mime.ts'
import { fileAnswer, nodeOf } from './node-files.ts'
import { receiveUpload } from './upload.ts'

export interface FilesWorld {
  db: Database
  nodes: Nodes
  tickets: Tickets
  clock: Clock
  publicUrl(): string
}

export function fileHandlers(world: FilesWorld): Handlers<typeof fileOperations, PanelContexts> {
  const ticketEnd = (ms: number): string => isoTime(world.clock.now() + ms)
  return {
    async listFiles({ server, query, request }) {
      const { node, client } = await nodeOf(world, server.row)
      const after = query.cursor === undefined ? undefined : readCursor(query.cursor)
      const page = await fileAnswer(
        node.name,
        client.listFiles({
          params: { server: server.row.id },
          query: { path: query.directory, limit: query.limit, ...(after === undefined ? {} : { after }) },
        }),
      )
      const nextCursor = page.next === null ? null : Buffer.from(page.next).toString('base64url')
      if (nextCursor) request.setHeader('X-Next-Cursor', nextCursor)
      return { files: page.files.map(entryOf), total: page.total, nextCursor }
    },
    async fileContents({ server, query, request }) {
      const { node } = await nodeOf(world, server.row)
      const { mode, modifiedAt, ...rest } = await readContents(node, server.row.id, query.file, request.signal)
      return { ...rest, mode: octal(mode), modified: isoTime(modifiedAt) }
    },
    async writeFile({ server, body, request }) {
      const { node } = await nodeOf(world, server.row)
      const bytes = Buffer.from(body.content)
      const { hash } = await fileAnswer(
        node.name,
        linkUpload(
          node.link,
          nodeFileTransfers.writeFile,
          {
            params: { server: server.row.id },
            query: { path: body.file, ...(body.ifMatch === undefined ? {} : { ifMatch: body.ifMatch }) },
          },
          { signal: request.signal, content: once(bytes), headers: { 'content-length': String(bytes.length) } },
        ),
      )
      return { message: 'File written successfully', hash }
    },
    async createFolder({ server, body }) {
      const { node, client } = await nodeOf(world, server.row)
      const path = join(body.path, body.name)
      await fileAnswer(node.name, client.createFolder({ params: { server: server.row.id }, body: { path } }))
      return { message: 'Folder created successfully' }
    },
    async renameFile({ server, body }) {
      const { node, client } = await nodeOf(world, server.row)
      await fileAnswer(node.name, client.renameFile({ params: { server: server.row.id }, body }))
      return { message: 'File renamed successfully' }
    },
    async copyFile({ server, body, request }) {
      const { node, client } = await nodeOf(world, server.row)
      const { signal } = request
      await fileAnswer(node.name, client.copyFile({ params: { server: server.row.id }, body }, { signal }))
      return { message: 'File copied successfully' }
    },
    async deleteFile({ server, body }) {
      const { node, client } = await nodeOf(world, server.row)
      await fileAnswer(node.name, client.deleteFile({ params: { server: server.row.id }, body: { path: body.file } }))
      return { message: 'File deleted successfully' }
    },
    async chmodFile({ server, body }) {
      const { node, client } = await nodeOf(world, server.row)
      const mode = Number.parseInt(body.mode, 8)
      await fileAnswer(
        node.name,
        client.chmodFile({ params: { server: server.row.id }, body: { path: body.file, mode } }),
      )
      return { message: 'Permissions changed successfully' }
    },
    async compressFiles({ server, body, request }) {
      const { node, client } = await nodeOf(world, server.row)
      const { signal } = request
      const { path, size } = await fileAnswer(
        node.name,
        client.compressFiles({ params: { server: server.row.id }, body }, { signal }),
      )
      return { message: 'Archive created', archivePath: path, size }
    },
    async decompressFile({ server, body, request }) {
      const { node, client } = await nodeOf(world, server.row)
      const { signal } = request
      const made = await fileAnswer(
        node.name,
        client.decompressFile({ params: { server: server.row.id }, body }, { signal }),
      )
      return { message: 'Archive decompressed successfully', ...made }
    },
    async searchFiles({ server, query }) {
      const { node, client } = await nodeOf(world, server.row)
      return fileAnswer(
        node.name,
        client.searchFiles({
          params: { server: server.row.id },
          query: { path: query.directory, query: query.query },
        }),
      )
    },
    async pullFile({ server, body }) {
      const { node, client } = await nodeOf(world, server.row)
      const name = body.name ?? nameInUrl(body.url)
      const path = join(body.directory, name)
      return pullOf(
        await fileAnswer(
          node.name,
          client.pullFile({ params: { server: server.row.id }, body: { url: body.url, path } }),
        ),
      )
    },
    async pulls({ server }) {
      const { node, client } = await nodeOf(world, server.row)
      return (await fileAnswer(node.name, client.pulls({ params: { server: server.row.id } }))).map(pullOf)
    },
    async diskSpace({ server }) {
      const { node, client } = await nodeOf(world, server.row)
      return fileAnswer(node.name, client.space({ params: { server: server.row.id } }))
    },
    async startUpload({ caller, server, query }) {
      const { node, client } = await nodeOf(world, server.row)
      const { directory } = query
      // Asked now rather than when the bytes come. A folder that is missing is made then.
      await fileAnswer(
        node.name,
        client.statFile({ params: { server: server.row.id }, query: { path: directory } }),
      ).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 'not_found')) throw error
      })
      return {
        jwt: await world.tickets.issue(caller, {
          purpose: 'files.upload',
          serverId: server.row.id,
          subject: { directory },
          lifetimeMs: uploadTicketMs,
        }),
        uploadUrl: `${apiPrefix}/servers/${server.row.id}/files/upload-direct`,
        instructions:
          'Use this JWT in the Authorization header ("Authorization: Bearer <jwt>") of a POST to uploadUrl: multipart/form-data with the files, or the bytes of one file with ?file=<name>.',
        expiresAt: ticketEnd(uploadTicketMs),
      }
    },
    async downloadFile({ caller, server, query }) {
      const { node, client } = await nodeOf(world, server.row)
      const found = await fileAnswer(
        node.name,
        client.statFile({ params: { server: server.row.id }, query: { path: query.file } }),
      )
      const ticket = await world.tickets.issue(caller, {
        purpose: 'files.download',
        serverId: server.row.id,
        subject: { file: query.file, kind: found.isDirectory ? 'folder' : 'file' },
        lifetimeMs: downloadTicketMs,
      })
      return {
        downloadUrl: `${world.publicUrl()}${apiPrefix}/servers/${server.row.id}/files/download-direct?ticket=${ticket}`,
        expiresAt: ticketEnd(downloadTicketMs),
      }
    },
  }
}

export function fileTransferHandlers(world: FilesWorld): TransferHandlers<typeof fileTransfers, PanelContexts> {
  return {
    async uploadDirect({ server, ticket, query, request, content }) {
      const { node } = await nodeOf(world, server.row)
      const files = await receiveUpload(node, {
        ticket,
        file: query.file,
        overwrite: query.overwrite,
        contentKey: query.contentKey,
        header: (name) => request.header(name),
        content,
        signal: request.signal,
      })
      const complete = files.every((file) => file.complete)
      return { message: complete ? 'Upload complete' : 'Part received', files }
    },
    async downloadDirect({ server, ticket, request }) {
      const { node } = await nodeOf(world, server.row)
      const { file: path = '/', kind } = ticket.subject
      const name = path.split('/').findLast((part) => part !== '') ?? server.row.name
      const args = { params: { server: server.row.id }, query: { path } }
      const isFolder = kind === 'folder'
      const reply = await fileAnswer(
        node.name,
        isFolder
          ? linkDownload(node.link, nodeFileTransfers.archiveFolder, args, { signal: request.signal })
          : linkDownload(node.link, nodeFileTransfers.readFile, args, {
              signal: request.signal,
              headers: { range: request.header('range'), 'if-range': request.header('if-range') },
            }),
      )
      const headers: Record<string, string> = {
        'content-type': isFolder ? 'application/gzip' : mimeOf({ name, isDirectory: false, symlink: null }),
        'content-disposition': attachmentHeader(isFolder ? `${name}.tar.gz` : name),
      }
      for (const [header, form] of relayed) {
        const value = reply.header(header)
        if (value !== undefined && form.test(value)) headers[header] = value
      }
      const status = reply.status === 206 || reply.status === 416 ? reply.status : 200
      return { status, headers, content: reply.content }
    },
  }
}

/** What of a node's reply goes on to the caller, and how it must look: a node is not trusted with headers of ours. */
const relayed: readonly [name: string, form: RegExp][] = [
  ['content-length', /^\d{1,15}$/],
  ['content-range', /^bytes (?:\d{1,15}-\d{1,15}|\*)\/\d{1,15}$/],
  ['accept-ranges', /^bytes$/],
  ['etag', /^"[0-9a-z-]{1,100}"$/],
  ['last-modified', /^[A-Za-z]{3}, \d\d [A-Za-z]{3} \d{4} \d\d:\d\d:\d\d GMT$/],
]

const entryOf = (file: NodeFile): z.input<typeof FileEntry> => ({
  name: file.name,
  size: file.size,
  isDirectory: file.isDirectory,
  modified: isoTime(file.modifiedAt),
  mode: octal(file.mode),
  symlink: file.symlink,
  mime: mimeOf(file),
})

const pullOf = (pull: NodePull): NodePull => ({ ...pull })

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0')

const join = (folder: string, name: string): string => `${folder.replace(/\/$/, '')}/${name}`

function readCursor(cursor: string): string {
  const after = Buffer.from(cursor, 'base64url').toString()
  if (!/^[df]./s.test(after)) throw invalidRequest('query.cursor', 'is not one that this list gave')
  return after
}

function nameInUrl(url: string): string {
  const part = new URL(url).pathname.split('/').findLast((text) => text !== '')
  if (part === undefined) throw invalidRequest('body.name', 'is missing', 'a name, since the URL has none')
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}
