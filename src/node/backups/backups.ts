import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError, conflict, notFound } from '../../contract/errors.ts'
import type {
  ArchiveFormat,
  BackupFormat,
  BackupReport,
  BackupStore,
  RepositoryCheck,
  SnapshotEntry,
} from '../../contract/node-backups.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { Signal } from '../../lib/signals.ts'
import { unpack } from '../extraction/index.ts'
import { type Runtime, serverFiles } from '../runtime.ts'
import type { Servers } from '../supervisor/servers.ts'
import { type ExpectedArchive, takeArchive } from './arriving.ts'
import { compressor } from './codec.ts'
import { type ArchiveFiles, type ArchiveOrder, Contents } from './contents.ts'
import { Passes } from './incremental/passes.ts'
import { createResticPrograms, type ResticPrograms } from './incremental/programs.ts'
import { Repositories, type RepositoryOrder } from './incremental/repositories.ts'
import {
  backupsAtOnce,
  claimedDiskFactor,
  progressMs,
  restoreDepthMax,
  restoreEntriesMax,
  restoreMs,
} from './limits.ts'
import { leavingRoom, type Made, makeBackup } from './make.ts'
import { BackupPlace } from './place.ts'
import { restoreWork } from './restore.ts'

export interface BackupsOptions {
  dataDir: string
  servers: Servers
  runtime: Pick<Runtime, 'confine'>
  clock: Clock
  log: Log
  /** What makes incremental backups: what is installed unless given. */
  programs?: ResticPrograms
}

export interface BackupOrder {
  store: BackupStore
  format: BackupFormat
  ignored: string
  /** Of the server's repository, with the format `restic`. */
  password?: string | undefined
}

export interface RestoreOrder extends BackupOrder {
  checksum: string
  name: string
  files: readonly string[] | null
  deleteOthers: boolean
}

/** Of an archive that another node made: what it said of it then. */
export interface ArrivingArchive extends ExpectedArchive {
  format: ArchiveFormat
  bytes: number
  files: number
}

interface Job {
  report: BackupReport
  readonly stopping: AbortController
  done: Promise<void>
}

/** The backups of this node's servers: makes, keeps, removes and restores them. Nothing of it waits for a panel. */
export class Backups implements AsyncDisposable {
  /** Each change of a backup that is being made: when it begins, how far it is, how it ended. */
  readonly events = new Signal<BackupReport>()
  readonly #options: BackupsOptions
  readonly #place: BackupPlace
  readonly #repositories: Repositories
  readonly #contents: Contents
  readonly #passes: Passes
  readonly #jobs = new Map<string, Job>()
  /** By backup, the server that it is being restored into. */
  readonly #restoring = new Map<string, string>()
  /** Those that arrive from another node. */
  readonly #taking = new Set<string>()
  readonly #waiting: (() => void)[] = []
  #working = 0

  private constructor(options: BackupsOptions, place: BackupPlace) {
    this.#options = options
    this.#place = place
    const { clock, log, programs = createResticPrograms({ debian: null, log }) } = options
    this.#repositories = new Repositories({ place, programs, clock, log })
    this.#contents = new Contents({ place, log })
    this.#passes = new Passes(clock)
  }

  /** Opens the folder of backups and tells what became of those that a killed node was making. */
  static async open(options: BackupsOptions): Promise<Backups> {
    const root = join(options.dataDir, 'backups')
    await mkdir(root, { recursive: true, mode: 0o700 })
    const place = new BackupPlace(root)
    const now = options.clock.now()
    for (const { server, id } of await place.tidy(now)) {
      const report = { ...newReport(server, id), state: 'failed' as const, message: cutOffWords }
      await place.write({ version: 1, report, format: 'zstd', store: 'local', endedAt: now })
    }
    return new Backups(options, place)
  }

  /** What is being made now. */
  running(): BackupReport[] {
    return [...this.#jobs.values()].map(({ report }) => report)
  }

  /** Begins a backup, after those before it. One that is known already is left as it is. */
  async start(server: string, id: string, order: BackupOrder): Promise<BackupReport> {
    const { servers } = this.#options
    const target = servers.get(server)
    const known = await this.#known(server, id)
    if (known) return known
    if (target.state().phase === 'restoring')
      throw conflict(`Server ${target.spec.name} is being restored; back it up when that has ended`)
    const job: Job = { report: newReport(server, id), stopping: new AbortController(), done: Promise.resolve() }
    this.#jobs.set(id, job)
    const begun = this.#place.begin(server, id)
    job.done = begun.then(
      () => this.#run(job, order),
      () => void this.#jobs.delete(id),
    )
    // Whoever is told that it has begun hears how it ended, also when this node is killed right after.
    await begun
    return job.report
  }

  /** Takes in an archive that another node made of a server which is here now. One that is here already is left as it is. */
  async take(
    server: string,
    id: string,
    order: ArrivingArchive,
    content: AsyncIterable<Uint8Array>,
  ): Promise<BackupReport> {
    this.#options.servers.get(server)
    const known = await this.#known(server, id)
    if (known?.state === 'ready' && known.checksum === order.checksum) return known
    const { bytes, files, size, checksum, format } = order
    if (this.#taking.has(id) || this.#jobs.has(id)) throw conflict('This backup is arriving already')
    this.#taking.add(id)
    try {
      await this.#place.remove(server, id)
      await this.#place.begin(server, id)
      await takeArchive(this.#place, { server, id }, order, content)
      const done = { bytesDone: bytes, bytesTotal: bytes, files, size, checksum }
      const report: BackupReport = { ...newReport(server, id), ...done, state: 'ready' }
      await this.#place.write({ version: 1, report, format, store: 'local', endedAt: this.#options.clock.now() })
      await this.#place.settle(server, id)
      return report
    } catch (error) {
      await this.#place.remove(server, id)
      throw error
    } finally {
      this.#taking.delete(id)
    }
  }

  /** All files of a repository on this machine, as tar. */
  repositoryContent(server: string, key: string | undefined): Readable {
    return Readable.from(this.#repositories.content(server, key), { objectMode: false })
  }

  /** Takes in such files of a server which is here now. */
  takeRepository(server: string, key: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    this.#options.servers.get(server)
    return this.#repositories.arrive(server, key, async (folder) => {
      await unpack(this.#options.runtime, {
        ...{ folder, owner: null, signal: AbortSignal.timeout(restoreMs) },
        archive: leavingRoom(content, folder),
        job: {
          ...{ kind: 'tar', name: '', faithful: true, only: null, depthMax: restoreDepthMax },
          ...{ bytesMax: Number.MAX_SAFE_INTEGER, tooLarge: '' },
          ...{ entriesMax: restoreEntriesMax, tooMany: 'The incremental backups have too many files to be moved' },
        },
      })
    })
  }

  /** Throws `not_found` where this node knows nothing of it. */
  async report(server: string, id: string): Promise<BackupReport> {
    const known = await this.#known(server, id)
    if (!known) throw notFound(`Backup ${id}`)
    return known
  }

  /** Cancels it, removes its archive from this machine, forgets it. A missing one is success. */
  async remove(server: string, id: string): Promise<void> {
    if (this.#restoring.get(id) === server)
      throw conflict('This backup is being restored; delete it when that has ended')
    const job = this.#jobs.get(id)
    if (job && job.report.server !== server) return
    job?.stopping.abort()
    await job?.done
    await this.#contents.forget(server, id)
    await this.#place.remove(server, id)
  }

  /** The same of a snapshot, and gives it up in its repository. */
  async forget(server: string, id: string, order: RepositoryOrder): Promise<void> {
    if (this.#restoring.get(id) === server)
      throw conflict('This backup is being restored; delete it when that has ended')
    const job = this.#jobs.get(id)
    if (job && job.report.server !== server) return
    job?.stopping.abort()
    await job?.done
    await this.#repositories.forget(server, id, order)
    await this.#place.remove(server, id)
  }

  /** What a folder of a snapshot holds. Throws `not_found`. */
  async files(
    server: string,
    order: RepositoryOrder & { snapshot: string; path: string },
  ): Promise<{ entries: SnapshotEntry[]; more: boolean }> {
    const { entries, more } = await this.#repositories.list(server, order)
    return { entries, more }
  }

  /** The same of an archive, or how far it has been read. Throws `not_found`, and `conflict` where it is not what was made. */
  async archiveFiles(server: string, id: string, order: ArchiveOrder): Promise<ArchiveFiles> {
    if (order.store.kind === 'local') await this.archive(server, id)
    return this.#contents.files(server, id, order)
  }

  /** A pass for one download of a snapshot. */
  admit(server: string, id: string, order: RepositoryOrder & { snapshot: string }): string {
    return this.#passes.issue({ server, id, ...order })
  }

  /** A snapshot as a compressed tar file, for a pass. Throws `not_found`. Its bytes throw at the end where they are not all. */
  dump(server: string, id: string, pass: string): { content: Readable } {
    const admitted = this.#passes.redeem(pass)
    if (admitted?.server !== server || admitted.id !== id) throw notFound('This download')
    const stopping = new AbortController()
    const bytes = this.#repositories.read(server, { ...admitted, path: '', signal: stopping.signal })
    const compressed = compressor('zstd')
    // Whoever reads the compressor learns of every failure; one who leaves early ends the rest.
    pipeline(Readable.from(bytes, { objectMode: false }), compressed).catch(() => stopping.abort())
    return { content: compressed }
  }

  checkRepository(server: string, order: RepositoryOrder & { readData: boolean }): Promise<RepositoryCheck> {
    this.#options.servers.get(server)
    return this.#repositories.check(server, order)
  }

  /** Throws `not_found`. */
  repositoryCheck(server: string): RepositoryCheck {
    return this.#repositories.lastCheck(server)
  }

  /** Begins to put files back into the stopped server; what follows is told by the server's states. */
  async restore(server: string, id: string, order: RestoreOrder): Promise<void> {
    const target = this.#options.servers.get(server)
    if (this.#restoring.has(id)) throw conflict(`Backup ${order.name} is being restored already`)
    const record = await this.#place.record(server, id)
    const { format } = order
    if (format !== 'restic' && order.store.kind === 'local' && record?.report.state !== 'ready')
      throw notFound(`Backup ${id}`)
    if ([...this.#jobs.values()].some(({ report }) => report.server === server))
      throw conflict(`A backup of server ${target.spec.name} is being made; restore when that has ended`)
    const diskBytesMax = target.spec.resources.disk * 1024 * 1024
    const work = restoreWork({
      ...order,
      ...{ archive: this.#place.archive(server, id), runtime: this.#options.runtime },
      snapshot: format === 'restic' ? (signal) => this.#snapshot(server, order, signal) : null,
      diskBytesMax,
    })
    const over = (): boolean => this.#restoring.delete(id)
    this.#restoring.set(id, server)
    try {
      await target.restore(order.name, (request) => work(request).finally(over))
    } catch (error) {
      over()
      throw error
    }
  }

  /** The archive on this machine, for a download. Throws `not_found`. */
  async archive(server: string, id: string): Promise<{ path: string; size: number; checksum: string }> {
    const record = await this.#place.record(server, id)
    const { state, size, checksum } = record?.report ?? {}
    if (
      record?.store !== 'local' ||
      record.format === 'restic' ||
      state !== 'ready' ||
      size == null ||
      checksum == null
    )
      throw notFound(`Backup ${id}`)
    return { path: this.#place.archive(server, id), size, checksum }
  }

  /** What is being made is given up; the panel learns that it failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const jobs = [...this.#jobs.values()]
    for (const { stopping } of jobs) stopping.abort(new AppError('conflict', cutOffWords))
    await Promise.all(jobs.map(({ done }) => done))
    await this.#contents[Symbol.asyncDispose]()
    await this.#repositories[Symbol.asyncDispose]()
  }

  async #known(server: string, id: string): Promise<BackupReport | null> {
    const job = this.#jobs.get(id)
    if (job) return job.report.server === server ? job.report : null
    return (await this.#place.record(server, id))?.report ?? null
  }

  /** Never rejects. */
  async #run(job: Job, order: BackupOrder): Promise<void> {
    const { server, id } = job.report
    const { clock, log } = this.#options
    try {
      await this.#slot(job.stopping.signal)
      try {
        await this.#make(job, order)
      } finally {
        this.#working -= 1
        this.#waiting.shift()?.()
      }
    } catch (error) {
      const stopped = job.stopping.signal.aborted
      const reason: unknown = stopped ? job.stopping.signal.reason : error
      const message = reason instanceof AppError ? reason.message : stopped ? 'It was cancelled' : failedWords
      if (!stopped && !(error instanceof AppError)) log.error({ err: error, server, backup: id }, 'backup failed')
      job.report = { ...job.report, state: 'failed', size: null, checksum: null, message }
      await this.#place.remove(server, id).catch((err: unknown) => log.error({ err, backup: id }, 'not cleared away'))
    }
    try {
      await mkdir(this.#place.folder(server), { recursive: true, mode: 0o700 })
      await this.#place.write({
        ...{ version: 1, report: job.report, format: order.format, store: order.store.kind },
        endedAt: clock.now(),
      })
      await this.#place.settle(server, id)
    } catch (error) {
      log.error({ err: error, server, backup: id }, 'how a backup ended could not be written down')
      job.report = { ...job.report, state: 'failed', size: null, checksum: null, message: failedWords }
    }
    this.events.emit(job.report)
    this.#jobs.delete(id)
  }

  async #make(job: Job, order: BackupOrder): Promise<void> {
    const { servers, clock } = this.#options
    const { server, id } = job.report
    const target = servers.get(server)
    let told = 0
    const progress = (done: Pick<BackupReport, 'bytesDone' | 'bytesTotal' | 'files'>): void => {
      job.report = { ...job.report, ...done, state: 'running' }
      if (clock.now() - told < progressMs) return
      told = clock.now()
      this.events.emit(job.report)
    }
    const task = {
      ...{ server, id, progress },
      data: join(target.folder, serverFiles.data),
      claimedBytesMax: target.spec.resources.disk * 1024 * 1024 * claimedDiskFactor,
      signal: job.stopping.signal,
    }
    const { bytes, files, size, checksum, message } =
      order.format === 'restic'
        ? await this.#makeSnapshot({ ...task, ...order, ...repositoryOf(order) })
        : await makeBackup({ ...task, place: this.#place, ...order, format: order.format })
    job.report = { ...job.report, state: 'ready', bytesDone: bytes, bytesTotal: bytes, files, size, checksum, message }
  }

  async #makeSnapshot(order: Parameters<Repositories['back']>[0]): Promise<Made> {
    const { id: checksum, ...made } = await this.#repositories.back(order)
    return { ...made, checksum }
  }

  /** At least what is wanted of a snapshot: of one folder that alone, else all that is in the folder that they share. */
  async *#snapshot(server: string, order: RestoreOrder, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const repository = { ...repositoryOf(order), snapshot: order.checksum }
    let path = order.files === null ? '' : sharedFolder(order.files)
    const only = order.files?.length === 1 ? (order.files[0] ?? '') : null
    // A folder's own dump does not hold the folder itself, which is all that there is of an empty one.
    if (only !== null && (await this.#holdsSomethingIn(server, { ...repository, path: only }))) path = only
    yield* this.#repositories.read(server, { ...repository, path, signal })
  }

  /** Throws `conflict` where the snapshot does not have it. */
  async #holdsSomethingIn(server: string, order: Parameters<Repositories['list']>[1]): Promise<boolean> {
    try {
      return (await this.#repositories.list(server, order)).entries.length > 0
    } catch (error) {
      if (error instanceof AppError && error.code === 'not_found')
        throw conflict(`The backup does not hold ${order.path}`)
      throw error
    }
  }

  async #slot(signal: AbortSignal): Promise<void> {
    while (this.#working >= backupsAtOnce) {
      const turn = Promise.withResolvers<void>()
      this.#waiting.push(turn.resolve)
      signal.addEventListener('abort', () => turn.resolve(), { once: true })
      await turn.promise
      if (signal.aborted) {
        // Whoever made room for this one made it for the next.
        this.#waiting.shift()?.()
        signal.throwIfAborted()
      }
    }
    signal.throwIfAborted()
    this.#working += 1
  }
}

const cutOffWords = 'The node was stopped before the backup was complete. Begin it again'
const failedWords = 'Something went wrong on the node; its log says what'

const newReport = (server: string, id: string): BackupReport => ({
  ...{ id, server, state: 'pending', bytesDone: 0, bytesTotal: 0, files: 0 },
  ...{ size: null, checksum: null, message: null },
})

function repositoryOf({ store, password }: BackupOrder): RepositoryOrder {
  if (password === undefined) throw conflict('The panel gave no password for the repository: update the panel')
  return { store, password }
}

/** The deepest folder that all paths are in. */
function sharedFolder(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => path.split('/').slice(0, -1))
  const differs = first.findIndex((part, index) => others.some((other) => other[index] !== part))
  return first.slice(0, differs === -1 ? first.length : differs).join('/')
}
