import { z } from 'zod'
import { Time } from '../fields.ts'
import { operation, transfer } from '../operation.ts'
import { contentsBytesMax } from '../text-files.ts'
import { OfServer } from './servers.ts'

const path = (description: string) =>
  z
    .string()
    .max(4096)
    .meta({ description: `${description}, from the server’s own root`, example: '/server.properties' })

export const FileEntry = z
  .strictObject({
    name: z.string(),
    size: z.int().meta({ description: 'bytes' }),
    isDirectory: z.boolean(),
    modified: Time,
    mode: z.string().meta({ description: 'Permission bits in octal', example: '0644' }),
    symlink: z.string().nullable().meta({ description: 'Where a symbolic link leads' }),
    mime: z.string().meta({ example: 'text/plain' }),
  })
  .meta({ id: 'FileEntry' })

export const Pull = z
  .strictObject({
    id: z.string(),
    file: z.string(),
    state: z.enum(['running', 'done', 'failed']),
    bytesDone: z.int(),
    bytesTotal: z.int().nullable(),
    message: z.string().nullable().meta({ description: 'Why it failed' }),
  })
  .meta({ id: 'Pull' })

const Message = z.strictObject({ message: z.string() })
const base = { family: 'panel', tag: 'Files', params: OfServer } as const
const errors = ['forbidden', 'not_found', 'conflict'] as const
const read = { server: 'files.read' } as const
const write = { server: 'files.write' } as const

/** A request to write one: JSON spells quotes, line ends and control characters with more bytes. */
const writeBodyBytesMax = 3 * contentsBytesMax

export const fileOperations = {
  listFiles: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/files/list',
    summary: 'The files and folders in a folder: folders first, then by name',
    description:
      'A folder of more than `limit` entries comes in pages: pass `nextCursor` as `cursor` to get the next one. The header `X-Next-Cursor` says the same.',
    mcp: { tool: 'list_files', strangers: 'names of files' },
    access: read,
    query: z.object({
      directory: path('The folder').default('/'),
      limit: z.coerce.number().int().min(1).max(10_000).default(10_000),
      cursor: z.string().max(8192).optional(),
    }),
    reply: z.strictObject({ files: z.array(FileEntry), total: z.int(), nextCursor: z.string().nullable() }),
    errors,
  }),
  fileContents: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/files/contents',
    summary: 'A text file; larger and binary ones are for download',
    mcp: { tool: 'read_file', strangers: 'what is in the file', longText: 'content' },
    access: read,
    query: z.object({ file: path('The file') }),
    reply: z.strictObject({
      content: z.string(),
      size: z.int(),
      hash: z.string().meta({ description: 'SHA-256 in hex: pass it as `ifMatch` to write over exactly this content' }),
      mode: z.string(),
      modified: Time,
    }),
    errors: [...errors, 'too_large'],
  }),
  writeFile: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/write',
    summary: 'Write a text file as a whole, making the folders it needs; an existing one keeps mode and owner',
    mcp: { tool: 'write_file', destroys: true, repeatable: true },
    access: write,
    body: z.strictObject({
      file: path('The file'),
      content: z.string().max(contentsBytesMax),
      ifMatch: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional()
        .meta({ description: 'Refuse (409) unless the present content has this hash' }),
    }),
    rawText: ['content'],
    bodyBytesMax: writeBodyBytesMax,
    reply: z.strictObject({ message: z.string(), hash: z.string() }),
    errors,
  }),
  createFolder: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/create-folder',
    summary: 'Make a folder',
    mcp: { tool: 'create_folder' },
    access: write,
    body: z.strictObject({ name: z.string().min(1).max(4096), path: path('Its parent').default('/') }),
    reply: Message,
    errors,
  }),
  renameFile: operation({
    ...base,
    method: 'PUT',
    path: '/servers/{serverId}/files/rename',
    summary: 'Rename or move a file or folder; never over another',
    mcp: { tool: 'rename_file' },
    access: write,
    body: z.strictObject({ from: path('What'), to: path('Where to') }),
    reply: Message,
    errors,
  }),
  copyFile: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/copy',
    summary: 'Copy a file or folder; never over another',
    mcp: { tool: 'copy_file' },
    access: write,
    body: z.strictObject({ from: path('What'), to: path('Where to') }),
    reply: Message,
    errors,
  }),
  deleteFile: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/delete',
    summary: 'Delete a file, or a folder with everything in it',
    mcp: { tool: 'delete_file', destroys: true },
    access: { server: 'files.delete' },
    body: z.strictObject({ file: path('What') }),
    reply: Message,
    errors,
  }),
  chmodFile: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/chmod',
    summary: 'Set the permission bits of a file or folder',
    access: write,
    body: z.strictObject({
      file: path('What'),
      mode: z
        .string()
        .regex(/^0?[0-7]{3}$/, 'must be three octal digits')
        .meta({ example: '0644' }),
    }),
    reply: Message,
    errors,
  }),
  compressFiles: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/compress',
    summary: 'Put files and folders into a new archive',
    mcp: { tool: 'compress_files' },
    access: { server: 'files.archive' },
    body: z.strictObject({
      files: z.array(z.string().min(1).max(4096)).min(1).max(1000).meta({ description: 'Relative to `root`' }),
      root: path('The folder they are in, and the archive will be').default('/'),
      name: z
        .string()
        .max(255)
        .optional()
        .meta({ description: 'Ends in `.tar.gz`, `.tar.zst`, `.tar` or `.zip`', example: 'world.zip' }),
    }),
    reply: z.strictObject({ message: z.string(), archivePath: z.string(), size: z.int() }),
    errors,
  }),
  decompressFile: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/decompress',
    summary: 'Unpack an archive: zip, tar, tar.gz, tar.zst, gz or zst',
    mcp: { tool: 'decompress_file', destroys: true },
    access: { server: 'files.archive' },
    body: z.strictObject({
      file: path('The archive'),
      root: path('The folder to unpack into').default('/'),
      overwrite: z.boolean().default(false).meta({ description: 'Replace files that are there already' }),
    }),
    reply: z.strictObject({ message: z.string(), files: z.int(), bytes: z.int() }),
    errors,
  }),
  searchFiles: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/files/search',
    summary: 'Files and folders whose name contains a text, in any case, below a folder',
    mcp: { tool: 'search_files', strangers: 'names of files' },
    access: read,
    query: z.object({ query: z.string().min(1).max(255), directory: path('Where').default('/') }),
    reply: z.strictObject({
      files: z.array(z.strictObject({ path: z.string(), size: z.int(), isDirectory: z.boolean() })),
      complete: z.boolean().meta({ description: 'False where there was more than fits or could be looked at in time' }),
    }),
    errors,
  }),
  pullFile: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/pull',
    summary: 'Fetch a public URL into a new file; accepted at once',
    mcp: { tool: 'pull_file', outside: true },
    access: write,
    body: z.strictObject({
      url: z.url({ protocol: /^https?$/ }).max(2048),
      directory: path('The folder').default('/'),
      name: z.string().min(1).max(255).optional().meta({ description: 'Without it the last part of the URL’s path' }),
    }),
    reply: Pull,
    errors,
  }),
  pulls: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/files/pulls',
    summary: 'What is being fetched, and what was in the last hour',
    mcp: { tool: 'list_pulls' },
    access: read,
    reply: z.array(Pull),
    errors: ['not_found', 'conflict'],
  }),
  diskSpace: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/files/space',
    summary: 'How large the server’s files are and may be, and what keeps them so',
    mcp: { tool: 'get_disk_space' },
    access: read,
    reply: z.strictObject({
      usedBytes: z.int(),
      limitBytes: z.int(),
      enforcement: z.enum(['quota', 'watched']).meta({
        description:
          'What holds the game itself to the limit. `quota`: the file system of its node refuses what is too much. `watched`: it is stopped soon after it has passed it. Everything that goes through this API is refused before.',
      }),
    }),
    errors: ['not_found', 'conflict'],
  }),
  startUpload: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/upload',
    summary: 'A ticket to upload into a folder',
    access: write,
    query: z.object({ directory: path('The folder').default('/') }),
    reply: z.strictObject({ jwt: z.string(), uploadUrl: z.string(), instructions: z.string(), expiresAt: Time }),
    errors,
  }),
  downloadFile: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/files/download',
    summary: 'A link to download a file, or a folder as a .tar.gz; it works for minutes, for this one thing',
    mcp: { tool: 'get_file_download_link' },
    access: read,
    query: z.object({ file: path('What') }),
    reply: z.strictObject({ downloadUrl: z.string(), expiresAt: Time }),
    errors,
  }),
}

export const fileTransfers = {
  uploadDirect: transfer({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/files/upload-direct',
    summary: 'Upload files with a ticket from `upload`',
    description: [
      'Either `multipart/form-data` with any number of files, or the bytes of one file with its name in `?file=`. An existing file is refused (409) unless `?overwrite=true`.',
      'A large file may come in parts: each with `Content-Range: bytes first-last/total`, in order, with the same ticket. The reply to each says how much has been `received`: after a break `Content-Range: bytes */total` with an empty body asks for that. What is not continued for a day is thrown away.',
    ].join('\n\n'),
    access: { ticket: 'files.upload' },
    query: z.object({
      file: z.string().min(1).max(4096).optional().meta({ description: 'Its name; for a raw body' }),
      overwrite: z.enum(['true', 'false']).default('false'),
      contentKey: z.string().max(200).optional().meta({
        description:
          'Tells this content from another one under the same name, such as its size and time of change. Parts are continued only under the key they began with: nobody goes on with a file that has become another one.',
      }),
      ticket: z.string().optional().meta({ description: 'The ticket, where no header can be sent' }),
    }),
    takes: ['application/octet-stream', 'multipart/form-data'],
    reply: z.strictObject({
      message: z.string(),
      files: z.array(z.strictObject({ file: z.string(), received: z.int(), complete: z.boolean() })),
    }),
    errors,
  }),
  downloadDirect: transfer({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/files/download-direct',
    summary: 'The bytes behind a link from `download`, with ranges',
    access: { ticket: 'files.download' },
    query: z.object({ ticket: z.string().optional().meta({ description: 'The ticket, as the link has it' }) }),
    gives: 'application/octet-stream',
    errors,
  }),
}
