import { z } from 'zod'
import { operation, transfer } from './operation.ts'

/**
 * Panel → node: backups of a server's files. The panel decides that there is a backup and where it is kept; the node makes,
 * keeps, removes and restores the archive. What a node says about a backup is a `BackupReport`, always whole.
 */

/** Names of backups, made by the panel. They become file names on the node. */
export const BackupKey = z.string().regex(/^bak_[0-9a-z]{16}$/)

/** A tar file on its own, compressed so. */
export const archiveFormats = ['zstd', 'gzip'] as const
export type ArchiveFormat = (typeof archiveFormats)[number]

/** `restic`: a snapshot in the server's repository, which holds what changed since the one before. */
export const backupFormats = [...archiveFormats, 'restic'] as const
export type BackupFormat = (typeof backupFormats)[number]

/** What opens a repository. It travels with each job, like the keys of a store, and the node never writes it down. */
const RepositoryPassword = z.string().min(32).max(200)

/** The name of a repository that has changed its node, made by the panel. */
export const RepositoryKey = z.string().regex(/^repo_[0-9a-z]{16}$/)

/**
 * Where an archive is: in the node's own data folder, or an object of an S3-compatible store. The keys of a store travel with
 * each job and are never written down by the node.
 */
export const BackupStore = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('local'),
    /** Of a repository that has followed its server from another node; without it the node's own of this server. */
    repository: RepositoryKey.optional(),
  }),
  z.strictObject({
    kind: z.literal('s3'),
    endpoint: z.url({ protocol: /^https?$/ }),
    bucket: z.string().min(1).max(255),
    region: z.string().min(1).max(100),
    /** The object's name; of a repository what all its objects begin with. */
    key: z.string().min(1).max(1000),
    accessKeyId: z.string().min(1).max(500),
    secretAccessKey: z.string().min(1).max(500),
  }),
])
export type BackupStore = z.output<typeof BackupStore>

export const backupJobStates = ['pending', 'running', 'ready', 'failed'] as const

export const BackupReport = z.strictObject({
  id: BackupKey,
  server: z.string().regex(/^[0-9a-f]{8}$/),
  state: z.enum(backupJobStates),
  /** Bytes of files that have gone into the archive, and that there are in all (an estimate while it runs). */
  bytesDone: z.int().min(0),
  bytesTotal: z.int().min(0),
  files: z.int().min(0),
  /** Of the archive; of a snapshot what it added to its repository. Null until it is ready. */
  size: z.int().min(0).nullable(),
  /** SHA-256 of the archive in hex; of a snapshot its id, which is one too. Null until it is ready. */
  checksum: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  /** Why it failed, or what a person should know of a ready one: files that changed while they were read. */
  message: z.string().max(2000).nullable(),
})
export type BackupReport = z.output<typeof BackupReport>

/** Lines of patterns: far more than any server has needed. */
const ignoreLinesMax = 100
/** `**` and `*` in one line: matching takes time that grows with the power of their number, and anybody may write them. */
const doubleStarsMax = 2
const starsMax = 6

/** Patterns of what is left out, in the syntax of `.gitignore`, one a line. */
export const IgnorePatterns = z
  .string()
  .max(10_000)
  .refine((text) => !text.includes('\0'), 'must not contain NUL')
  .refine((text) => text.split('\n').length <= ignoreLinesMax, `must have at most ${ignoreLinesMax} lines`)
  .refine(
    (text) =>
      text.split('\n').every((line) => {
        const doubles = line.match(/\*{2,}/g)?.length ?? 0
        const all = line.match(/\*+/g)?.length ?? 0
        return doubles <= doubleStarsMax && all - doubles <= starsMax
      }),
    `may have at most ${doubleStarsMax} \`**\` and ${starsMax} other \`*\` in a line`,
  )

/** Whether a text is one such line, and says something. */
export const isIgnorePattern = (line: string): boolean =>
  line.trim() !== '' && !line.includes('\n') && IgnorePatterns.safeParse(line).success

/** Paths inside the server's folder, for a restore of some files: no leading slash, no `..`. A folder means everything in it. */
const RestoredPath = z
  .string()
  .min(1)
  .max(4096)
  .refine(
    (path) => !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'must be a path inside the server, such as world/level.dat',
  )

/** The paths of one restore together, in characters: they are arguments of a program, which may have two million bytes. */
const restoredCharsMax = 200_000

export const RestoredPaths = z
  .array(RestoredPath)
  .min(1)
  .max(1000)
  .refine(
    (paths) => paths.reduce((sum, path) => sum + path.length, 0) <= restoredCharsMax,
    'are too many: restore their folder',
  )

/** Something in a snapshot. Names may be any bytes: those that are no UTF-8 are shown with replacement characters. */
export const SnapshotEntry = z.strictObject({
  name: z.string().max(1024),
  kind: z.enum(['file', 'folder', 'link']),
  size: z.int().min(0),
  /** ms since 1970. */
  modifiedAt: z.int(),
})
export type SnapshotEntry = z.output<typeof SnapshotEntry>

/** A folder inside the backup; empty for the whole. */
export const SnapshotPath = z.union([z.literal(''), RestoredPath])

/** How the check of a server's repository stands. */
export const RepositoryCheck = z.strictObject({
  state: z.enum(['running', 'intact', 'damaged', 'failed']),
  /** What is wrong, or why it could not be found out. */
  message: z.string().max(2000).nullable(),
  /** Snapshots in it, and the bytes that all of them take together. Null until that is known. */
  backups: z.int().min(0).nullable(),
  storedBytes: z.int().min(0).nullable(),
  /** ms since 1970. */
  startedAt: z.int(),
  endedAt: z.int().nullable(),
})
export type RepositoryCheck = z.output<typeof RepositoryCheck>

const OfRepository = { store: BackupStore, password: RepositoryPassword } as const
const Snapshot = z.string().regex(/^[0-9a-f]{64}$/)

const OfServer = z.object({ server: z.string().regex(/^[0-9a-f]{8}$/) })
const OfBackup = OfServer.extend({ backup: BackupKey })
const base = { family: 'internal', access: 'peer', tag: 'Node' } as const

export const nodeBackupOperations = {
  startBackup: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/backups/{backup}',
    summary: 'Begin a backup; what follows is told by events. Repeating it changes nothing',
    params: OfBackup,
    body: z.strictObject({
      store: BackupStore,
      format: z.enum(backupFormats),
      ignored: IgnorePatterns,
      /** Of the repository, with the format `restic`. */
      password: RepositoryPassword.optional(),
    }),
    reply: BackupReport,
    errors: ['not_found', 'conflict'],
  }),
  backup: operation({
    ...base,
    method: 'GET',
    path: '/servers/{server}/backups/{backup}',
    summary: 'What the node knows of a backup',
    params: OfBackup,
    reply: BackupReport,
    errors: ['not_found'],
  }),
  removeBackup: operation({
    ...base,
    method: 'DELETE',
    path: '/servers/{server}/backups/{backup}',
    summary:
      'Cancel it where it is being made, remove its archive from this machine and forget it; a missing one is success',
    params: OfBackup,
    reply: z.strictObject({}),
    errors: ['conflict'],
  }),
  restoreBackup: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/backups/{backup}/restore',
    summary: 'Begin to put files back into a stopped server; what follows is told by the server’s states',
    params: OfBackup,
    body: z.strictObject({
      store: BackupStore,
      format: z.enum(backupFormats),
      checksum: z.string().regex(/^[0-9a-f]{64}$/),
      /** For messages. */
      name: z.string().max(200),
      /** Null for everything. */
      files: RestoredPaths.nullable(),
      /** First delete what is not in the backup, except what it left out by its patterns. */
      deleteOthers: z.boolean(),
      ignored: IgnorePatterns,
      /** Of the repository, with the format `restic`. */
      password: RepositoryPassword.optional(),
    }),
    reply: z.strictObject({}),
    errors: ['not_found', 'conflict'],
  }),
  forgetBackup: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/backups/{backup}/forget',
    summary: 'Cancel a backup of format `restic`, remove its snapshot and forget it; a missing one is success',
    params: OfBackup,
    body: z.strictObject(OfRepository),
    reply: z.strictObject({}),
    errors: ['conflict'],
  }),
  backupFiles: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/backups/{backup}/files',
    summary: 'What a folder of a snapshot holds',
    params: OfBackup,
    body: z.strictObject({ ...OfRepository, snapshot: Snapshot, path: SnapshotPath }),
    reply: z.strictObject({ entries: z.array(SnapshotEntry), more: z.boolean() }),
    errors: ['not_found', 'conflict'],
  }),
  archiveFiles: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/backups/{backup}/contents',
    summary:
      'What a folder of an archive holds. Asked for the first time the archive is read as a whole, which may take longer than the reply',
    params: OfBackup,
    body: z.strictObject({
      store: BackupStore,
      format: z.enum(archiveFormats),
      checksum: z.string().regex(/^[0-9a-f]{64}$/),
      size: z.int().min(0),
      path: SnapshotPath,
    }),
    reply: z.strictObject({
      entries: z.array(SnapshotEntry),
      more: z.boolean(),
      /** Bytes of the archive that have been read, and that it has; null once all are. */
      reading: z.strictObject({ bytesDone: z.int().min(0), bytesTotal: z.int().min(0) }).nullable(),
    }),
    errors: ['not_found', 'conflict'],
  }),
  openBackup: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/backups/{backup}/open',
    summary: 'A pass for one download of a snapshot, soon: its secrets are in no address',
    params: OfBackup,
    body: z.strictObject({ ...OfRepository, snapshot: Snapshot }),
    reply: z.strictObject({ pass: z.string().max(100) }),
    errors: ['conflict'],
  }),
  checkRepository: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/repository/check',
    summary: 'Begin to check the repository of a server, unless that is under way',
    params: OfServer,
    body: z.strictObject({ ...OfRepository, readData: z.boolean() }),
    reply: RepositoryCheck,
    errors: ['conflict'],
  }),
  repositoryCheck: operation({
    ...base,
    method: 'GET',
    path: '/servers/{server}/repository/check',
    summary: 'How the last check stands, since the node was started',
    params: OfServer,
    reply: RepositoryCheck,
    errors: ['not_found'],
  }),
}

export const nodeBackupTransfers = {
  backupContent: transfer({
    ...base,
    method: 'GET',
    path: '/servers/{server}/backups/{backup}/content',
    summary: 'The archive, where it is kept on this machine; takes Range',
    params: OfBackup,
    gives: 'application/octet-stream',
    errors: ['not_found'],
  }),
  backupDump: transfer({
    ...base,
    method: 'GET',
    path: '/servers/{server}/backups/{backup}/dump',
    summary: 'A snapshot as tar with zstd, for a pass',
    params: OfBackup,
    query: z.object({ pass: z.string().max(100) }),
    gives: 'application/octet-stream',
    errors: ['not_found', 'conflict'],
  }),
}
