import { z } from 'zod'
import { ServerKey } from './node.ts'
import { operation, transfer } from './operation.ts'

/**
 * Panel → node: the files of one server. Paths are `/`-separated from the server's own root; the node opens them step by step
 * and refuses (`forbidden`) what would leave that root. It acts as the server's own user.
 */

const path = z.string().max(4096)
const OfServer = z.object({ server: ServerKey })
const Of = { family: 'internal', access: 'peer', tag: 'Node files', params: OfServer } as const
const refusals = ['forbidden', 'not_found', 'conflict', 'too_large'] as const
const done = z.strictObject({})

export const NodeFile = z.strictObject({
  name: z.string(),
  size: z.int(),
  isDirectory: z.boolean(),
  /** ms since 1970 */
  modifiedAt: z.int(),
  mode: z.int(),
  /** Where a symbolic link leads, as it is written. */
  symlink: z.string().nullable(),
})
export type NodeFile = z.output<typeof NodeFile>

/** How large the server's files are and may be, and what keeps them so. */
export const NodeSpace = z.strictObject({
  usedBytes: z.int(),
  limitBytes: z.int(),
  /** `quota`: the file system refuses the game what is too much. `watched`: it is stopped soon after. Everything else is refused before. */
  enforcement: z.enum(['quota', 'watched']),
})
export type NodeSpace = z.output<typeof NodeSpace>

/** A download from a URL: `id` names it until it is over, and some time after. */
export const NodePull = z.strictObject({
  id: z.string(),
  file: path,
  state: z.enum(['running', 'done', 'failed']),
  bytesDone: z.int(),
  bytesTotal: z.int().nullable(),
  message: z.string().nullable(),
})
export type NodePull = z.output<typeof NodePull>

export const nodeFileOperations = {
  listFiles: operation({
    ...Of,
    method: 'GET',
    path: '/servers/{server}/files',
    summary: 'One page of a folder: directories first, then by name',
    query: z.object({
      path,
      limit: z.coerce.number().int().min(1).max(10_000),
      /** The last name of the page before; begins with `d` or `f` for what kind of entry it was. */
      after: z.string().max(4096).optional(),
    }),
    reply: z.strictObject({ files: z.array(NodeFile), total: z.int(), next: z.string().nullable() }),
    errors: refusals,
  }),
  statFile: operation({
    ...Of,
    method: 'GET',
    path: '/servers/{server}/files/facts',
    summary: 'One file or folder, through links',
    query: z.object({ path }),
    reply: NodeFile,
    errors: refusals,
  }),
  createFolder: operation({
    ...Of,
    method: 'POST',
    path: '/servers/{server}/files/folder',
    summary: 'Make one folder',
    body: z.strictObject({ path }),
    reply: done,
    errors: refusals,
  }),
  renameFile: operation({
    ...Of,
    method: 'POST',
    path: '/servers/{server}/files/rename',
    summary: 'Move a file or folder to where nothing is yet',
    body: z.strictObject({ from: path, to: path }),
    reply: done,
    errors: refusals,
  }),
  copyFile: operation({
    ...Of,
    method: 'POST',
    path: '/servers/{server}/files/copy',
    summary: 'Copy a file or folder to where nothing is yet',
    body: z.strictObject({ from: path, to: path }),
    reply: done,
    errors: refusals,
  }),
  deleteFile: operation({
    ...Of,
    method: 'POST',
    path: '/servers/{server}/files/delete',
    summary: 'Remove a file, or a folder with everything in it',
    body: z.strictObject({ path }),
    reply: done,
    errors: refusals,
  }),
  chmodFile: operation({
    ...Of,
    method: 'POST',
    path: '/servers/{server}/files/chmod',
    summary: 'Set the permission bits',
    body: z.strictObject({ path, mode: z.int().min(0).max(0o777) }),
    reply: done,
    errors: refusals,
  }),
  compressFiles: operation({
    ...Of,
    method: 'POST',
    path: '/servers/{server}/files/compress',
    summary: 'Put files of one folder into a new archive there; its name says which kind',
    body: z.strictObject({ root: path, files: z.array(path).min(1).max(1000), name: z.string().max(255).optional() }),
    reply: z.strictObject({ path: z.string(), size: z.int() }),
    errors: refusals,
  }),
  decompressFile: operation({
    ...Of,
    method: 'POST',
    path: '/servers/{server}/files/decompress',
    summary: 'Unpack an archive into a folder',
    body: z.strictObject({ file: path, root: path, overwrite: z.boolean() }),
    reply: z.strictObject({ files: z.int(), bytes: z.int() }),
    errors: refusals,
  }),
  searchFiles: operation({
    ...Of,
    method: 'GET',
    path: '/servers/{server}/files/search',
    summary: 'Names that contain a text, below a folder',
    query: z.object({ path, query: z.string().min(1).max(255) }),
    reply: z.strictObject({
      files: z.array(z.strictObject({ path: z.string(), size: z.int(), isDirectory: z.boolean() })),
      complete: z.boolean(),
    }),
    errors: refusals,
  }),
  space: operation({
    ...Of,
    method: 'GET',
    path: '/servers/{server}/files/space',
    summary: 'How much there is and may be',
    reply: NodeSpace,
    errors: ['conflict'],
  }),
  pullFile: operation({
    ...Of,
    method: 'POST',
    path: '/servers/{server}/files/pulls',
    summary: 'Fetch a URL into a new file; accepted at once',
    body: z.strictObject({ url: z.string().max(2048), path }),
    reply: NodePull,
    errors: refusals,
  }),
  pulls: operation({
    ...Of,
    method: 'GET',
    path: '/servers/{server}/files/pulls',
    summary: 'What is being fetched, and what was lately',
    reply: z.array(NodePull),
    errors: ['conflict'],
  }),
}

export const nodeFileTransfers = {
  readFile: transfer({
    ...Of,
    method: 'GET',
    path: '/servers/{server}/files/content',
    summary: 'The bytes of a file, with ranges; its mode and time in headers',
    query: z.object({ path }),
    gives: 'application/octet-stream',
    errors: refusals,
  }),
  archiveFolder: transfer({
    ...Of,
    method: 'GET',
    path: '/servers/{server}/files/archive',
    summary: 'A folder as a .tar.gz',
    query: z.object({ path }),
    gives: 'application/gzip',
    errors: refusals,
  }),
  writeFile: transfer({
    ...Of,
    method: 'PUT',
    path: '/servers/{server}/files/content',
    summary: 'Write a file as a whole, with the folders it needs',
    query: z.object({
      path,
      /** SHA-256 in hex of the content that is to be replaced. */
      ifMatch: z.string().max(64).optional(),
    }),
    takes: ['application/octet-stream'],
    reply: z.strictObject({ hash: z.string(), size: z.int() }),
    errors: refusals,
  }),
  /** The parts of one upload have one id; the last one puts the file in its place. */
  uploadPart: transfer({
    ...Of,
    method: 'PUT',
    path: '/servers/{server}/files/uploads/{upload}',
    params: z.object({ server: ServerKey, upload: z.string().regex(/^[0-9a-f]{64}$/) }),
    summary: 'Append to an upload; `offset` must be what is there already',
    query: z.object({
      path,
      offset: z.coerce.number().int().min(0),
      /** Of the whole file, where the sender knows it; without it this part is the last. */
      total: z.coerce.number().int().min(0).optional(),
      overwrite: z.enum(['true', 'false']),
    }),
    takes: ['application/octet-stream'],
    reply: z.strictObject({ received: z.int(), complete: z.boolean() }),
    errors: refusals,
  }),
}

/** Set by `readFile` beside what every download has. */
export const fileModeHeader = 'x-file-mode'
