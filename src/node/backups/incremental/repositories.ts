import { access, mkdir, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AppError, conflict, notFound } from '../../../contract/errors.ts'
import type { BackupStore, RepositoryCheck } from '../../../contract/node-backups.ts'
import type { Clock } from '../../../lib/clock.ts'
import { writeFileAtomic } from '../../../lib/fs.ts'
import type { Log } from '../../../lib/log.ts'
import { Queue } from '../../../lib/queue.ts'
import { s3HasBucket } from '../../../lib/s3.ts'
import { Secret } from '../../../lib/secret.ts'
import { archiveOf, newTally } from '../archive.ts'
import { excludedBy } from '../excluded.ts'
import { freeBytesMin } from '../limits.ts'
import { inWords, s3PlaceOf } from '../make.ts'
import type { BackupPlace } from '../place.ts'
import { coverOf } from './cover.ts'
import { askMs, checkMs, forgottenMax, pruneEveryMs, tidyMs } from './limits.ts'
import type { ResticPrograms } from './programs.ts'
import { type Repository, ResticFailure } from './restic.ts'
import {
  check,
  clearAway,
  dump,
  forget,
  initialise,
  inRepositoryWords,
  type Listing,
  listingOf,
  type SnapshotMade,
  snapshotsIn,
  storedBytes,
  takeSnapshot,
  unlock,
} from './snapshots.ts'
import { flush, mustBeSound } from './soundness.ts'

/** Which repository, and what opens it. */
export interface RepositoryOrder {
  store: BackupStore
  password: string
}

export interface SnapshotOrder extends RepositoryOrder {
  server: string
  id: string
  data: string
  ignored: string
  /** More than this is refused. */
  claimedBytesMax: number
  progress(done: { bytesDone: number; bytesTotal: number; files: number }): void
  signal: AbortSignal
}

export interface RepositoriesOptions {
  place: BackupPlace
  programs: ResticPrograms
  clock: Clock
  log: Log
}

/** What this process knows of one repository. */
interface Room {
  /** What writes, one after the other. */
  writers: Queue
  readers: number
  /** While what no snapshot holds is cleared away: nobody reads then. */
  clearing: Promise<unknown> | null
  /** Locks of a restic that was killed may be there. Nothing else ever works on a repository: each node has its own. */
  mayBeLocked: boolean
}

const keyOf = ({ store }: Pick<Repository, 'store'>): string | undefined =>
  store.kind === 'local' ? store.repository : undefined

const localStore = (key: string | undefined): BackupStore & { kind: 'local' } => ({
  kind: 'local',
  ...(key !== undefined && { repository: key }),
})

/** What was forgotten and not cleared away yet. Losing it costs space until the next time. */
const Debt = z.object({ version: z.literal(1), forgotten: z.int().min(0), clearedAt: z.number() })

/**
 * The servers' repositories of incremental backups, one for each server. Writers wait for each other; readers are held off only while
 * something is cleared away, which in turn waits for another time where somebody reads.
 */
export class Repositories implements AsyncDisposable {
  readonly #options: RepositoriesOptions
  readonly #rooms = new Map<string, Room>()
  /** Those that come from another node, by their folder. */
  readonly #arriving = new Set<string>()
  readonly #checks = new Map<string, RepositoryCheck>()
  readonly #closing = new AbortController()
  readonly #running = new Set<Promise<void>>()

  constructor(options: RepositoriesOptions) {
    this.#options = options
  }

  /** Makes a snapshot of the server's files; where there is no repository yet, it is made. Rejects with an `AppError` that says what went wrong. */
  async back(
    order: SnapshotOrder,
  ): Promise<{ bytes: number; files: number; size: number; id: string; message: string | null }> {
    const { server, data, signal, claimedBytesMax, progress } = order
    await this.#options.programs.ensure()
    const repository = await this.#repository(server, order)
    const checkSize = (bytes: number): void => {
      signal.throwIfAborted()
      if (bytes > claimedBytesMax) throw tooMuchClaimed()
    }
    return this.#writing(server, repository, signal, async () => {
      const parent = await this.#opened(repository, signal)
      const { paths, bytes: total, tooDeep } = await coverOf(data, excludedBy(order.ignored), checkSize)
      if (paths?.length === 0)
        throw conflict('The patterns leave out every file of the server: there is nothing to back up')
      progress({ bytesDone: 0, bytesTotal: total, files: 0 })
      const stopping = new AbortController()
      const before = await this.#size(repository)
      const made = await takeSnapshot(repository, {
        ...{ data, paths, parent, tag: order.id },
        signal: AbortSignal.any([signal, stopping.signal]),
        progress: async ({ bytes, files }) => {
          if (bytes > claimedBytesMax) stopping.abort(tooMuchClaimed())
          if (repository.store.kind === 'local' && (await isNearlyFull(repository.folder))) stopping.abort(nearlyFull())
          progress({ bytesDone: bytes, bytesTotal: Math.max(total, bytes), files })
        },
      })
      const id = await wholeId(repository, made.id, order.id, signal)
      const size = before === null ? made.added : Math.max(0, ((await this.#size(repository)) ?? 0) - before)
      return { bytes: made.bytes, files: made.files, size, id, message: oddities(made, tooDeep) }
    })
  }

  /** Gives up the snapshots of a backup; now and then clears away what only they held. A missing one is success. */
  async forget(server: string, id: string, order: RepositoryOrder): Promise<void> {
    if (order.store.kind === 'local' && !(await isThere(this.#options.place.repository(server, keyOf(order))))) return
    await this.#options.programs.ensure()
    const repository = await this.#repository(server, order)
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(tidyMs)])
    await this.#writing(server, repository, signal, async () => {
      const known = await snapshotsIn(repository, signal)
      if (known === null) return
      const given = known.filter(({ tags }) => tags.includes(id))
      if (given.length > 0)
        await forget(
          repository,
          given.map((one) => one.id),
          signal,
        )
      // Also where none was found: a backup that was cut off leaves something behind as well.
      const isEmpty = given.length === known.length
      if (isEmpty && order.store.kind === 'local') await this.#removeLocal(server, keyOf(order))
      else await this.#addDebt(server, keyOf(order), isEmpty ? forgottenMax : 1)
    })
    this.#background(this.#clearAway(server, repository))
  }

  /** Begins to read a snapshot as tar, from this folder on. Rejects before the first byte where it cannot be read. */
  async *read(
    server: string,
    order: RepositoryOrder & { snapshot: string; path: string; signal: AbortSignal },
  ): AsyncGenerator<Buffer, void, void> {
    await this.#options.programs.ensure()
    const repository = await this.#repository(server, order)
    const leave = await this.#enter(server, repository)
    try {
      yield* dump(repository, order.snapshot, order.path, AbortSignal.any([order.signal, this.#closing.signal]))
    } catch (error) {
      throw inRepositoryWords(error)
    } finally {
      leave()
    }
  }

  /** What a folder of a snapshot holds. Throws `not_found`. */
  async list(server: string, order: RepositoryOrder & { snapshot: string; path: string }): Promise<Listing> {
    await this.#options.programs.ensure()
    const repository = await this.#repository(server, order)
    const leave = await this.#enter(server, repository)
    try {
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(askMs)])
      return await listingOf(repository, order.snapshot, order.path, signal)
    } catch (error) {
      throw inRepositoryWords(error)
    } finally {
      leave()
    }
  }

  /** All its files as tar. Throws where they change meanwhile, as when a snapshot is given up. */
  async *content(server: string, key: string | undefined): AsyncGenerator<Buffer, void, void> {
    const repository = { store: localStore(key), folder: this.#options.place.repository(server, key) }
    const leave = await this.#enter(server, repository)
    const tally = newTally()
    try {
      yield* archiveOf(repository.folder, excludedBy(''), tally, () => this.#closing.signal.throwIfAborted())
      if (tally.vanished.count + tally.changed.count > 0)
        throw conflict('Backups were given up while they were read: they are read again')
    } finally {
      leave()
    }
  }

  /** Takes in a repository that was another node's, in place of what came before. Each file must be what its name says. */
  arrive(server: string, key: string, unpackInto: (folder: string) => Promise<void>): Promise<void> {
    const folder = this.#options.place.repository(server, key)
    // Two panels may be about to bring the same.
    if (this.#arriving.has(folder)) throw conflict('These backups are arriving already')
    this.#arriving.add(folder)
    const arrived = this.#room(server, { store: localStore(key) }).writers.run(async () => {
      const fresh = `${folder}.new`
      await rm(fresh, { recursive: true, force: true })
      try {
        await mkdir(fresh, { recursive: true, mode: 0o700 })
        await unpackInto(fresh)
        await mustBeSound(fresh, this.#closing.signal)
        await flush(fresh)
        await rm(folder, { recursive: true, force: true })
        await rename(fresh, folder)
      } finally {
        await rm(fresh, { recursive: true, force: true })
      }
    })
    return arrived.finally(() => this.#arriving.delete(folder))
  }

  /** Begins a check, unless one is under way. */
  async check(server: string, order: RepositoryOrder & { readData: boolean }): Promise<RepositoryCheck> {
    const last = this.#checks.get(server)
    if (last?.state === 'running') return last
    await this.#options.programs.ensure()
    const { clock } = this.#options
    const begun: RepositoryCheck = {
      ...{ state: 'running', message: null, backups: null, storedBytes: null },
      ...{ startedAt: clock.now(), endedAt: null },
    }
    this.#checks.set(server, begun)
    this.#background(
      this.#checked(server, order).then((found) => {
        this.#checks.set(server, { ...begun, ...found, endedAt: clock.now() })
      }),
    )
    return begun
  }

  /** Throws `not_found` where none was begun since this process was started. */
  lastCheck(server: string): RepositoryCheck {
    const last = this.#checks.get(server)
    if (!last) throw notFound('A check of this server’s backups')
    return last
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new AppError('conflict', 'The node is being stopped: try again in a moment'))
    await Promise.all([...this.#running])
    await Promise.all([...this.#rooms.values()].map(({ writers }) => writers.idle()))
  }

  /** Never rejects. */
  async #checked(
    server: string,
    order: RepositoryOrder & { readData: boolean },
  ): Promise<Pick<RepositoryCheck, 'state' | 'message' | 'backups' | 'storedBytes'>> {
    const nothing = { backups: null, storedBytes: null }
    try {
      const repository = await this.#repository(server, order)
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(checkMs)])
      // In turn with what writes: a snapshot that is being made looks like damage.
      return await this.#room(server, repository).writers.run(async () => {
        const known = await snapshotsIn(repository, signal)
        if (known === null) throw new ResticFailure(null, 'repository does not exist')
        try {
          await check(repository, order.readData, signal)
        } catch (error) {
          if (!(error instanceof ResticFailure) || error.kind !== 'other') throw error
          this.#options.log.error({ server, err: error }, 'a repository of backups is damaged')
          return { ...nothing, state: 'damaged' as const, backups: known.length, message: damagedWords }
        }
        return {
          ...{ state: 'intact' as const, message: null, backups: known.length },
          storedBytes: await storedBytes(repository, signal),
        }
      })
    } catch (error) {
      const told = inRepositoryWords(error)
      if (!(told instanceof AppError)) this.#options.log.error({ server, err: error }, 'a check of backups failed')
      const message = told instanceof AppError ? told.message : 'Something went wrong on the node; its log says what'
      return { ...nothing, state: 'failed', message }
    }
  }

  async #repository(server: string, { store, password }: RepositoryOrder): Promise<Repository> {
    const { place } = this.#options
    const cache = place.repositoryCache(server)
    await mkdir(store.kind === 'local' ? place.folder(server) : cache, { recursive: true, mode: 0o700 })
    return { store, password: new Secret(password), folder: place.repository(server, keyOf({ store })), cache }
  }

  #room(server: string, { store }: Pick<Repository, 'store'>): Room {
    const key = `${server} ${store.kind === 'local' ? (store.repository ?? '') : `${store.endpoint} ${store.bucket} ${store.key}`}`
    const known = this.#rooms.get(key)
    if (known) return known
    const room: Room = { writers: new Queue(), readers: 0, clearing: null, mayBeLocked: true }
    this.#rooms.set(key, room)
    return room
  }

  async #writing<T>(server: string, repository: Repository, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    const room = this.#room(server, repository)
    return room.writers.run(async () => {
      signal.throwIfAborted()
      try {
        if (room.mayBeLocked) await unlocked(repository, signal)
        room.mayBeLocked = true
        const result = await act()
        // It came to its end by itself.
        room.mayBeLocked = false
        return result
      } catch (error) {
        signal.throwIfAborted()
        throw inRepositoryWords(error)
      }
    })
  }

  /** Its newest snapshot; null where there is none. Where there is no repository yet, it is made. */
  async #opened(repository: Repository, signal: AbortSignal): Promise<string | null> {
    const { store, folder } = repository
    if (store.kind === 'local' && !(await isThere(folder))) {
      // Made aside: a killed restic leaves keys and nothing that they open.
      const fresh = `${folder}.new`
      await rm(fresh, { recursive: true, force: true })
      await mkdir(fresh, { recursive: true, mode: 0o700 })
      await initialise({ ...repository, folder: fresh }, signal)
      await rename(fresh, folder)
    }
    if (store.kind === 'local') return (await snapshotFiles(folder)).at(-1) ?? null
    const known = await snapshotsIn(repository, signal)
    if (known === null) {
      await mustHaveBucket(store, signal)
      await initialise(repository, signal)
    }
    return known?.at(-1)?.id ?? null
  }

  /** Holds off what clears away until the returned function is called. */
  async #enter(server: string, repository: Pick<Repository, 'store' | 'folder'>): Promise<() => void> {
    if (repository.store.kind === 'local' && !(await isThere(repository.folder)))
      throw inRepositoryWords(new ResticFailure(null, 'repository does not exist'))
    const room = this.#room(server, repository)
    while (room.clearing) await room.clearing.catch(() => undefined)
    room.readers += 1
    return () => {
      room.readers -= 1
    }
  }

  /** Removes what no snapshot holds, where that is due and nobody reads. */
  async #clearAway(server: string, repository: Repository): Promise<void> {
    const { clock } = this.#options
    const room = this.#room(server, repository)
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(tidyMs)])
    await this.#writing(server, repository, signal, async () => {
      const debt = await this.#debt(server, keyOf(repository))
      const due = debt.forgotten >= forgottenMax || clock.now() - debt.clearedAt > pruneEveryMs
      if (debt.forgotten === 0 || !due || room.readers > 0) return
      if (repository.store.kind === 'local' && !(await isThere(repository.folder))) return
      room.clearing = clearAway(repository, signal)
      try {
        await room.clearing
      } finally {
        room.clearing = null
      }
      await this.#writeDebt(server, keyOf(repository), { version: 1, forgotten: 0, clearedAt: clock.now() })
    })
  }

  async #removeLocal(server: string, key: string | undefined): Promise<void> {
    const folder = this.#options.place.repository(server, key)
    const old = `${folder}.old`
    await rm(old, { recursive: true, force: true })
    await rename(folder, old)
    await rm(old, { recursive: true, force: true })
    await rm(this.#options.place.repositoryDebt(server, key), { force: true })
  }

  async #debt(server: string, key: string | undefined): Promise<z.output<typeof Debt>> {
    try {
      return Debt.parse(JSON.parse(await readFile(this.#options.place.repositoryDebt(server, key), 'utf8')))
    } catch {
      return { version: 1, forgotten: 0, clearedAt: this.#options.clock.now() }
    }
  }

  async #addDebt(server: string, key: string | undefined, snapshots: number): Promise<void> {
    const debt = await this.#debt(server, key)
    await this.#writeDebt(server, key, { ...debt, forgotten: debt.forgotten + snapshots })
  }

  #writeDebt(server: string, key: string | undefined, debt: z.output<typeof Debt>): Promise<void> {
    return writeFileAtomic(this.#options.place.repositoryDebt(server, key), JSON.stringify(debt))
  }

  /** Bytes of a repository on this machine; null of one elsewhere. */
  async #size({ store, folder }: Repository): Promise<number | null> {
    return store.kind === 'local' ? treeBytes(folder) : null
  }

  #background(work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((err: unknown) => {
        if (!this.#closing.signal.aborted) this.#options.log.warn({ err }, 'a repository of backups was not tidied')
      })
      .finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }
}

/**
 * The ids of the snapshots in a repository on this machine, oldest first, by the names of their files: a second or more
 * cheaper than to ask restic, which takes that long to make its key of the password.
 */
async function snapshotFiles(folder: string): Promise<string[]> {
  const snapshots = join(folder, 'snapshots')
  const names = await readdir(snapshots).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new ResticFailure(null, 'repository does not exist') : error
  })
  const dated = await Promise.all(
    names
      .filter((name) => /^[0-9a-f]{64}$/.test(name))
      .map(async (name) => ({ name, at: (await stat(join(snapshots, name))).mtimeMs })),
  )
  return dated.sort((left, right) => left.at - right.at).map(({ name }) => name)
}

/** The id of the snapshot of a backup, of which restic says the begin alone. */
async function wholeId(repository: Repository, begin: string, tag: string, signal: AbortSignal): Promise<string> {
  const { store, folder } = repository
  const meant = store.kind === 'local' ? (await snapshotFiles(folder)).filter((id) => id.startsWith(begin)) : []
  if (meant.length === 1 && meant[0] !== undefined) return meant[0]
  const id = (await snapshotsIn(repository, signal))?.find(({ tags }) => tags.includes(tag))?.id
  if (id === undefined) throw new Error('the snapshot is not in its repository')
  return id
}

/** restic would make a bucket that is gone, and the backups that were in it would seem to have been lost. */
async function mustHaveBucket(store: BackupStore & { kind: 's3' }, signal: AbortSignal): Promise<void> {
  const isThere = await s3HasBucket(s3PlaceOf(store), signal).catch((error: unknown) => {
    throw inWords(error)
  })
  if (!isThere) throw new ResticFailure(null, 'the bucket does not exist')
}

async function unlocked(repository: Repository, signal: AbortSignal): Promise<void> {
  if (repository.store.kind === 'local' && !(await isThere(repository.folder))) return
  try {
    await unlock(repository, signal)
  } catch (error) {
    if (!(error instanceof ResticFailure) || error.kind !== 'no repository') throw error
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}

async function treeBytes(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size
  return bytes
}

async function isNearlyFull(folder: string): Promise<boolean> {
  const disk = await statfs(folder)
  return disk.bavail * disk.bsize < freeBytesMin
}

const tooMuchClaimed = (): AppError =>
  conflict(
    'The files claim far more space than the server may use: sparse files cannot be backed up. Leave them out with a pattern',
  )

const nearlyFull = (): AppError =>
  conflict('The disk of this node is nearly full: free some space, or delete old backups, and try again')

const damagedWords =
  'The repository of this server’s incremental backups is damaged: the log of its node says how. What can be downloaded now, download; delete these backups, and the next one begins a new repository'

function oddities({ unread }: SnapshotMade, tooDeep: readonly Buffer[]): string | null {
  const parts = [
    told(unread.count, unread.some, 'could not be read'),
    told(tooDeep.length, tooDeep.slice(0, 5).map(String), 'are nested too deeply; what they hold is left out'),
  ].filter((part) => part !== null)
  return parts.length === 0 ? null : `${parts.join('; ')}.`
}

function told(count: number, some: readonly string[], what: string): string | null {
  if (count === 0) return null
  const names = some.map((name) => name.slice(0, nameCharsMax)).join(', ')
  return `${count} ${count === 1 ? 'file' : 'files'} ${what}: ${names}${count > some.length ? ', …' : ''}`
}

/** Of each name in a message. */
const nameCharsMax = 100
