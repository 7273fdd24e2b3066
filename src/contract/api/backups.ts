import { z } from 'zod'
import { displayName, Time } from '../fields.ts'
import { backupFormats, backupJobStates, IgnorePatterns, RestoredPaths, SnapshotPath } from '../node-backups.ts'
import { operation, transfer } from '../operation.ts'
import { OfServer } from './servers.ts'

const backupFields = {
  name: z.string(),
  size: z.int().meta({
    description: 'Bytes of the archive, or what an incremental backup added; 0 until it is ready',
    example: 1_024_000,
  }),
  createdAt: Time,
  state: z.enum(backupJobStates),
  progress: z
    .strictObject({
      percent: z.int().min(0).max(100),
      bytesDone: z.int().meta({ description: 'Bytes of files that have gone into the archive' }),
      bytesTotal: z.int(),
    })
    .meta({ id: 'BackupProgress' }),
  message: z
    .string()
    .nullable()
    .meta({ description: 'Why it failed, or what to know about a ready one: files that changed while they were read' }),
  locked: z.boolean().meta({ description: 'Neither deleted by hand nor by rotation' }),
  format: z.enum(backupFormats),
  ignored: z.string().meta({ description: 'What it leaves out: patterns in the syntax of .gitignore, one a line' }),
  files: z.int(),
  checksum: z
    .string()
    .nullable()
    .meta({ description: 'SHA-256 in hex: of the archive, or the id of the snapshot of an incremental backup' }),
  completedAt: Time.nullable(),
} as const

export const Backup = z.strictObject({ id: z.string(), ...backupFields }).meta({ id: 'Backup' })
export const BackupDetails = z.strictObject({ backupId: z.string(), ...backupFields }).meta({ id: 'BackupDetails' })

const BackupVerification = z
  .strictObject({
    state: z.enum(['never', 'running', 'intact', 'damaged', 'failed']).meta({
      description: '`never`: none since the node of the server was started',
    }),
    message: z.string().nullable().meta({ description: 'What is wrong, or why it could not be found out' }),
    backups: z.int().nullable().meta({ description: 'How many there are in the repository' }),
    storedBytes: z.int().nullable().meta({ description: 'Bytes that all of them take together' }),
    startedAt: Time.nullable(),
    endedAt: Time.nullable(),
  })
  .meta({ id: 'BackupVerification' })

const Message = z.strictObject({ message: z.string() })
const OfBackup = OfServer.extend({ backup: z.string().meta({ description: 'The backup’s id' }) })
const base = { family: 'panel', tag: 'Backups' } as const

export const backupOperations = {
  backups: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/backups',
    summary: 'All backups of the server, newest first',
    mcp: { tool: 'list_backups' },
    access: { server: 'backups.read' },
    params: OfServer,
    reply: z.array(Backup),
    errors: [],
  }),
  createBackup: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/backups',
    summary: 'Begin a backup; its details and the live events tell how far it is',
    description:
      'At the limit this is a conflict, unless rotation is on: then the oldest unlocked backup goes once the new one is ready. Files that change while they are read do not fail it; its message names them. Links are kept as links.',
    mcp: { tool: 'create_backup' },
    access: { server: 'backups.create' },
    params: OfServer,
    body: z
      .strictObject({
        name: displayName(100).default('API Backup'),
        ignored: IgnorePatterns.default('').meta({
          description: 'Files and folders to leave out: patterns in the syntax of .gitignore, one a line',
          example: '*.log\ncache/',
        }),
        format: z.enum(backupFormats).optional().meta({
          description:
            'zstd or gzip: an archive of everything. restic: what has changed since the one before, encrypted, in a repository of the server. Without it the installation decides',
        }),
        locked: z.boolean().default(false),
      })
      .prefault({}),
    reply: z.strictObject({ message: z.string(), backupId: z.string() }),
    errors: ['conflict'],
  }),
  backup: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/backups/{backup}',
    summary: 'One backup',
    mcp: { tool: 'get_backup' },
    access: { server: 'backups.read' },
    params: OfBackup,
    reply: BackupDetails,
    errors: [],
  }),
  deleteBackup: operation({
    ...base,
    method: 'DELETE',
    path: '/servers/{serverId}/backups/{backup}',
    summary: 'Delete a backup; one that is being made is cancelled. A locked one is refused',
    mcp: { tool: 'delete_backup' },
    access: { server: 'backups.delete' },
    params: OfBackup,
    reply: Message,
    errors: ['conflict'],
  }),
  downloadBackup: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/backups/{backup}/download',
    summary: 'A signed address of the archive, for the caller, for a short time; it takes Range',
    mcp: { tool: 'get_backup_download_link' },
    access: { server: 'backups.download' },
    params: OfBackup,
    reply: z.strictObject({ downloadUrl: z.string() }),
    errors: ['conflict'],
  }),
  restoreBackup: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/backups/{backup}/restore',
    summary: 'Put files of a backup back into the stopped server; the server’s status and message tell how far it is',
    mcp: { tool: 'restore_backup', destroys: true },
    access: { server: 'backups.restore' },
    params: OfBackup,
    body: z
      .strictObject({
        files: RestoredPaths.optional().meta({
          description: 'Files and folders to put back; everything without it',
          example: ['world/level.dat'],
        }),
        deleteOthers: z.boolean().default(false).meta({
          description:
            'First delete what is not in the backup. What the backup left out by its patterns stays. Only without `files`',
        }),
        dryRun: z.boolean().default(false).meta({ description: 'Only say what would happen' }),
      })
      .refine(({ files, deleteOthers }) => !(files && deleteOthers), {
        path: ['deleteOthers'],
        message: 'goes only with a restore of everything: leave out `files`',
      })
      .prefault({}),
    reply: Message,
    errors: ['conflict'],
  }),
  lockBackup: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/backups/{backup}/lock',
    summary: 'Keep it: neither deleted by hand nor by rotation',
    access: { server: 'backups.delete' },
    params: OfBackup,
    reply: Message,
    errors: ['conflict'],
  }),
  unlockBackup: operation({
    ...base,
    method: 'DELETE',
    path: '/servers/{serverId}/backups/{backup}/lock',
    summary: 'It may be deleted again',
    access: { server: 'backups.delete' },
    params: OfBackup,
    reply: Message,
    errors: [],
  }),
  backupFiles: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/backups/{backup}/files',
    summary: 'What a folder of a backup holds',
    description:
      'An archive says that only once it has been read as a whole, which happens the first time somebody looks into it. While `reading` is there nothing is listed yet: ask again after some seconds.',
    mcp: { tool: 'list_backup_files', strangers: 'names of files' },
    access: { server: 'backups.read' },
    params: OfBackup,
    query: z.object({
      path: SnapshotPath.default('').meta({
        description: 'A folder inside the server; the whole without it',
        example: 'world',
      }),
    }),
    reply: z.strictObject({
      entries: z.array(
        z
          .strictObject({
            name: z.string(),
            kind: z.enum(['file', 'folder', 'link']),
            size: z.int().meta({ description: 'Bytes of a file' }),
            modifiedAt: Time,
          })
          .meta({ id: 'BackupEntry' }),
      ),
      more: z.boolean().meta({ description: 'There are more than are listed' }),
      reading: z
        .strictObject({ bytesDone: z.int(), bytesTotal: z.int() })
        .meta({ id: 'BackupReading' })
        .nullable()
        .meta({ description: 'How much of the archive has been read so far; null once its entries are known' }),
    }),
    errors: ['conflict'],
  }),
  verifyBackups: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/backups/verify',
    summary: 'Begin to check the incremental backups of the server, unless that is under way',
    access: { server: 'backups.create' },
    params: OfServer,
    body: z
      .strictObject({
        readData: z.boolean().default(false).meta({ description: 'Also read every byte, which takes time' }),
      })
      .prefault({}),
    reply: BackupVerification,
    errors: ['conflict'],
  }),
  backupVerification: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/backups/verify',
    summary: 'How the last check of its incremental backups stands',
    access: { server: 'backups.read' },
    params: OfServer,
    reply: BackupVerification,
    errors: ['conflict'],
  }),
  backupSettings: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/settings/backups',
    summary: 'How many backups the server may have, how many it has, and whether the oldest makes room',
    access: { server: 'settings.read' },
    params: OfServer,
    reply: z.strictObject({ limit: z.int(), current: z.int(), rotate: z.boolean() }),
    errors: [],
  }),
  updateBackupSettings: operation({
    ...base,
    method: 'PATCH',
    path: '/servers/{serverId}/settings/backups',
    summary: 'Whether the oldest unlocked backup makes room for a new one at the limit',
    access: { server: 'settings.update' },
    params: OfServer,
    body: z.strictObject({ rotate: z.boolean() }),
    reply: Message,
    errors: [],
  }),
}

export const backupTransfers = {
  backupContent: transfer({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/backups/{backup}/content',
    summary: 'The archive behind a link from `downloadBackup`, with ranges',
    access: { ticket: 'backups.download' },
    params: OfBackup,
    query: z.object({ ticket: z.string().optional().meta({ description: 'The ticket, as the link has it' }) }),
    gives: 'application/octet-stream',
    errors: ['not_found', 'conflict'],
  }),
}
