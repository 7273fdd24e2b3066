import { z } from 'zod'
import { conflict, notFound } from '../../../contract/errors.ts'
import type { SnapshotEntry } from '../../../contract/node-backups.ts'
import { entriesToldMax, forgottenMax, repackedMax, unreadToldMax, unusedMax } from './limits.ts'
import { askRestic, linesOf, type Repository, ResticFailure, startRestic } from './restic.ts'

/**
 * What may be done to one repository. None of it takes restic's own locks for reading: whoever calls holds off what would
 * clear away meanwhile.
 */

interface Snapshot {
  /** SHA-256 of what it says, in hex. */
  id: string
  /** The backup it is of. */
  tags: readonly string[]
}

const SnapshotLine = z.array(
  z.object({ id: z.string().regex(/^[0-9a-f]{64}$/), time: z.string(), tags: z.array(z.string()).nullish() }),
)

/** Oldest first; null where there is no repository. */
export async function snapshotsIn(repository: Repository, signal: AbortSignal): Promise<Snapshot[] | null> {
  try {
    const said = await askRestic({
      ...{ repository, signal, writes: false, data: null, arguments: ['snapshots', '--json', '--no-lock'] },
    })
    return SnapshotLine.parse(JSON.parse(said.join('')))
      .sort((left, right) => Date.parse(left.time) - Date.parse(right.time))
      .map(({ id, tags }) => ({ id, tags: tags ?? [] }))
  } catch (error) {
    if (error instanceof ResticFailure && error.kind === 'no repository') return null
    throw error
  }
}

/** Makes the repository. */
export async function initialise(repository: Repository, signal: AbortSignal): Promise<void> {
  await askRestic({ repository, signal, writes: true, data: null, arguments: ['init', '--repository-version', '2'] })
}

/** Ends the locks that a killed restic left behind. Only for whoever knows that none is at work. */
export async function unlock(repository: Repository, signal: AbortSignal): Promise<void> {
  await askRestic({ repository, signal, writes: true, data: null, arguments: ['unlock', '--remove-all'] })
}

const Status = z.object({
  message_type: z.literal('status'),
  bytes_done: z.number().default(0),
  files_done: z.number().default(0),
})
const Summary = z.object({
  message_type: z.literal('summary'),
  total_bytes_processed: z.number(),
  total_files_processed: z.number(),
  data_added: z.number(),
  /** The begin of its id, or with newer versions the whole. */
  snapshot_id: z.string().regex(/^[0-9a-f]{8,64}$/),
  /** What that takes when it is compressed, which older versions do not say. */
  data_added_packed: z.number().optional(),
})
const Line = z.union([Status, Summary])

export interface SnapshotJob {
  data: string
  /** Relative to `data`; null for everything. */
  paths: readonly Buffer[] | null
  /** The snapshot that is compared with; null for none. */
  parent: string | null
  /** The backup it is of. */
  tag: string
  progress(done: { bytes: number; files: number }): void | Promise<void>
  signal: AbortSignal
}

export interface SnapshotMade {
  /** The begin of its id at least. */
  id: string
  bytes: number
  files: number
  /** Bytes that it added, as far as restic knows. */
  added: number
  /** Names of files that could not be read, and how many. */
  unread: { count: number; some: string[] }
}

/** Reads what has changed since the parent and adds it. */
export async function takeSnapshot(repository: Repository, job: SnapshotJob): Promise<SnapshotMade> {
  const { data, paths, parent, tag, progress, signal } = job
  const targets = paths === null ? ['.'] : ['--files-from-raw', '-']
  const run = await startRestic({
    ...{ repository, signal, data, writes: true },
    arguments: [
      ...[
        'backup',
        '--json',
        '--host',
        'pharos',
        '--tag',
        tag,
        ...(parent === null ? ['--force'] : ['--parent', parent]),
      ],
      ...targets,
    ],
    ...(paths !== null && { input: Buffer.concat(paths.flatMap((path) => [here, path, nul])) }),
  })
  let summary: z.output<typeof Summary> | null = null
  for await (const line of linesOf(run.output)) {
    const said = Line.safeParse(parsed(line))
    if (!said.success) continue
    if (said.data.message_type === 'summary') summary = said.data
    else await progress({ bytes: said.data.bytes_done, files: said.data.files_done })
  }
  const { complaints } = await run.ended([someUnread])
  if (!summary) throw new Error('restic made a snapshot and did not say so')
  return {
    id: summary.snapshot_id,
    bytes: summary.total_bytes_processed,
    files: summary.total_files_processed,
    added: summary.data_added_packed ?? summary.data_added,
    unread: unreadIn(complaints),
  }
}

/** Gives snapshots up. What only they held stays until `clearAway`. */
export async function forget(repository: Repository, ids: readonly string[], signal: AbortSignal): Promise<void> {
  for (let at = 0; at < ids.length; at += forgottenMax)
    await askRestic({
      ...{ repository, signal, writes: true, data: null, arguments: ['forget', ...ids.slice(at, at + forgottenMax)] },
    })
}

/** Removes what no snapshot holds any more, a bounded part of it. */
export async function clearAway(repository: Repository, signal: AbortSignal): Promise<void> {
  await askRestic({
    ...{ repository, signal, writes: true, data: null },
    arguments: ['prune', '--max-unused', unusedMax, '--max-repack-size', repackedMax],
  })
}

/** Checks the structure, and with `readData` every byte. Rejects with a `ResticFailure` where something is wrong. */
export async function check(repository: Repository, readData: boolean, signal: AbortSignal): Promise<void> {
  await askRestic({
    ...{ repository, signal, writes: false, data: null },
    // Without it restic makes a cache of its own in the memory of the sandbox.
    arguments: ['check', '--no-lock', '--with-cache', ...(readData ? ['--read-data'] : [])],
  })
}

const Stats = z.object({ total_size: z.number() })

/** Bytes that all snapshots take together. */
export async function storedBytes(repository: Repository, signal: AbortSignal): Promise<number> {
  const said = await askRestic({
    ...{ repository, signal, writes: false, data: null },
    arguments: ['stats', '--no-lock', '--json', '--mode', 'raw-data'],
  })
  return Stats.parse(JSON.parse(said.join(''))).total_size
}

const Node = z.object({
  struct_type: z.literal('node'),
  name: z.string(),
  type: z.string(),
  path: z.string(),
  size: z.number().default(0),
  mtime: z.string(),
})

export interface Listing {
  /** What is at the path itself. */
  kind: SnapshotEntry['kind']
  entries: SnapshotEntry[]
  /** There are more than are told. */
  more: boolean
}

/** What a folder of a snapshot holds, by name; nothing for a file. Throws `not_found`. */
export async function listingOf(
  repository: Repository,
  snapshot: string,
  path: string,
  signal: AbortSignal,
): Promise<Listing> {
  const enough = new AbortController()
  const run = await startRestic({
    ...{ repository, writes: false, data: null, signal: AbortSignal.any([signal, enough.signal]) },
    arguments: ['ls', '--no-lock', '--json', snapshot, `/${path}`],
  })
  const entries: SnapshotEntry[] = []
  let kind: SnapshotEntry['kind'] | null = path === '' ? 'folder' : null
  let more = false
  try {
    for await (const line of linesOf(run.output)) {
      const node = Node.safeParse(parsed(line))
      const found = node.success ? kindsOf[node.data.type] : undefined
      if (!node.success || !found) continue
      const { name, size, mtime } = node.data
      if (kind === null) {
        // The thing itself comes before what is in it.
        kind = found
        continue
      }
      if (entries.length === entriesToldMax) {
        more = true
        break
      }
      entries.push({ name: name.slice(0, nameCharsMax), kind: found, size, modifiedAt: Math.trunc(Date.parse(mtime)) })
    }
    if (!more) await run.ended()
  } finally {
    enough.abort()
  }
  if (kind === null) throw notFound(`${path} in this backup`)
  return { kind, entries, more }
}

/** A folder of a snapshot and all that is in it, as tar. Throws after the last byte where that is not all. */
export async function* dump(
  repository: Repository,
  snapshot: string,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const left = new AbortController()
  const run = await startRestic({
    ...{ repository, writes: false, data: null, signal: AbortSignal.any([signal, left.signal]) },
    arguments: ['dump', '--no-lock', '--archive', 'tar', snapshot, `/${path}`],
  })
  try {
    yield* run.output as AsyncIterable<Buffer>
    await run.ended()
  } finally {
    left.abort()
  }
}

/** What went wrong, for the person who asked. The log has the rest. */
export function inRepositoryWords(error: unknown): unknown {
  if (!(error instanceof ResticFailure)) return error
  const message = wordsOf[error.kind]
  return message === null ? error : Object.assign(conflict(message), { cause: error })
}

const wordsOf: Readonly<Record<ResticFailure['kind'], string | null>> = {
  'no repository':
    'The repository of this server’s incremental backups is not where it was: was its folder or store emptied?',
  'wrong password':
    'The repository of this server’s incremental backups does not open with the password that the panel has: it is of another installation, or damaged. Make a plain archive meanwhile',
  full: 'The disk of this node is nearly full: free some space, or delete old backups, and try again',
  sandbox: 'No sandbox can be made on this node, and incremental backups need one: make a plain archive',
  locked: 'The repository of this server’s incremental backups is in use: try again in a minute',
  'no bucket':
    'The bucket of the backup store is not there, or its keys may not see it: make it again, or set backups-s3-bucket of the panel to the right one',
  'wrong keys':
    'The backup store refuses the keys that the panel has for it: set PHAROS_BACKUPS_S3_KEY_ID and PHAROS_BACKUPS_S3_KEY to keys that may read, write and delete in its bucket',
  unsigned:
    'The backup store does not take what incremental backups send by plain HTTP: set backups-s3-endpoint of the panel to an https address, or make plain archives',
  'unknown authority':
    'The certificate of the backup store is of an authority that this node does not trust: name its file in NODE_EXTRA_CA_CERTS of the node, and start it again',
  store:
    'The backup store cannot be reached from this node: look at backups-s3-endpoint of the panel, and whether the node reaches that address',
  'not found': 'The backup does not hold that',
  other: null,
}

/** The exit status of a backup that could not read some files. */
const someUnread = 3
const here = Buffer.from('./')
const nul = Buffer.from([0])
/** Of one name in a reply; a file system has at most 255 bytes. */
const nameCharsMax = 1024

const kindsOf: Readonly<Record<string, SnapshotEntry['kind']>> = { file: 'file', dir: 'folder', symlink: 'link' }

const Unread = z.object({ message_type: z.literal('error'), item: z.string() })

function unreadIn(complaints: string): { count: number; some: string[] } {
  const names = complaints.split('\n').flatMap((line) => {
    const said = Unread.safeParse(parsed(line))
    return said.success ? [said.data.item.replace(/^\/data\//, '')] : []
  })
  return { count: names.length, some: names.slice(0, unreadToldMax) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
