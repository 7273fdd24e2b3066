import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { access, mkdir, open, rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { createZstdCompress, createZstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { AppError, conflict, notFound } from '../../contract/errors.ts'
import type { ArchiveFormat, BackupStore, SnapshotEntry } from '../../contract/node-backups.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import { S3Failure, s3Read } from '../../lib/s3.ts'
import { decoderOf, entryParts, Refused, TarReader } from '../extraction/index.ts'
import { entriesToldMax } from './incremental/limits.ts'
import { linesOf } from './incremental/restic.ts'
import {
  contentsAnswerMs,
  contentsFailuresMax,
  contentsMs,
  namesBytesMax,
  restoreDepthMax,
  restoreEntriesMax,
} from './limits.ts'
import { inWords, s3PlaceOf } from './make.ts'
import type { BackupPlace } from './place.ts'

export interface ArchiveOrder {
  store: BackupStore
  format: ArchiveFormat
  checksum: string
  /** Bytes of the archive. */
  size: number
  /** A folder in it; empty for the whole. */
  path: string
}

export interface ArchiveFiles {
  entries: SnapshotEntry[]
  more: boolean
  /** Null once the archive has been read: before that nothing is known of its entries. */
  reading: { bytesDone: number; bytesTotal: number } | null
}

export interface ContentsOptions {
  place: BackupPlace
  log: Log
  /** How long it may take to answer, in ms. */
  answerMs?: number
  /** Entries of one archive. */
  entriesMax?: number
}

/** One archive that is being read, or could not be. */
interface Reading {
  readonly server: string
  bytesDone: number
  readonly bytesTotal: number
  readonly stopping: AbortController
  /** Never rejects. */
  done: Promise<void>
  failure: unknown
}

/**
 * What archives hold. A tar file says that only from its first byte to its last, so the whole of it is read once, compared with its
 * checksum, and the names are kept in a file beside the backups: after that any folder is told at once. Neither the archive nor
 * its names are ever in memory as a whole.
 */
export class Contents implements AsyncDisposable {
  readonly #place: BackupPlace
  readonly #log: Log
  readonly #answerMs: number
  readonly #entriesMax: number
  readonly #readings = new Map<string, Reading>()
  /** One archive at a time: it keeps a core busy. A slow store holds up nothing of this machine. */
  readonly #queues = { local: new Queue(), s3: new Queue() } as const

  constructor(options: ContentsOptions) {
    const { place, log, answerMs = contentsAnswerMs, entriesMax = restoreEntriesMax } = options
    this.#place = place
    this.#log = log
    this.#answerMs = answerMs
    this.#entriesMax = entriesMax
  }

  /** What a folder of an archive holds, or how far the archive has been read. Throws `not_found`, and `conflict` where it is not what was made. */
  async files(server: string, id: string, order: ArchiveOrder): Promise<ArchiveFiles> {
    if (!(await isThere(this.#place.names(server, id)))) {
      const reading = this.#readings.get(id) ?? this.#begin(server, id, order)
      if (reading.server !== server) throw notFound(`Backup ${id}`)
      const answered = new AbortController()
      const late = delay(this.#answerMs, true, { signal: answered.signal }).catch(() => false)
      const isLate = await Promise.race([late, reading.done.then(() => false)])
      answered.abort()
      if (isLate) {
        const { bytesDone, bytesTotal } = reading
        return { entries: [], more: false, reading: { bytesDone, bytesTotal } }
      }
      // Whoever asks after a failure hears of it; who asks again begins anew.
      if (this.#readings.get(id) === reading) this.#readings.delete(id)
      if (reading.failure !== null) throw reading.failure
    }
    const found = await this.#listed(server, id, order.path)
    if (!found) throw notFound(`${order.path} in this backup`)
    return { ...found, reading: null }
  }

  /** Stops reading it and forgets what it holds. A missing one is success. */
  async forget(server: string, id: string): Promise<void> {
    const reading = this.#readings.get(id)
    if (reading?.server === server) {
      reading.stopping.abort(notFound(`Backup ${id}`))
      await reading.done
      this.#readings.delete(id)
    }
    await rm(this.#place.names(server, id), { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const readings = [...this.#readings.values()]
    for (const { stopping } of readings)
      stopping.abort(new AppError('conflict', 'The node is being stopped: try again in a moment'))
    await Promise.all(readings.map(({ done }) => done))
  }

  async #listed(server: string, id: string, path: string): ReturnType<typeof listed> {
    const names = this.#place.names(server, id)
    try {
      return await listed(names, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw notFound(`Backup ${id}`)
      this.#log.warn({ backup: id, err: error }, 'what is kept of an archive cannot be read')
      await rm(names, { force: true })
      throw conflict('What the archive holds must be read again: try again')
    }
  }

  #begin(server: string, id: string, order: ArchiveOrder): Reading {
    const reading: Reading = {
      ...{ server, bytesDone: 0, bytesTotal: order.size, stopping: new AbortController(), failure: null },
      done: Promise.resolve(),
    }
    this.#readings.set(id, reading)
    reading.done = this.#queues[order.store.kind]
      .run(() => this.#read(server, id, order, reading))
      .then(
        () => {
          if (this.#readings.get(id) === reading) this.#readings.delete(id)
        },
        (error: unknown) => {
          reading.failure = error
          this.#dropOldFailures()
        },
      )
    return reading
  }

  /** Nobody may ever ask again. */
  #dropOldFailures(): void {
    const failed = [...this.#readings].filter(([, { failure }]) => failure !== null)
    for (const [id] of failed.slice(0, -contentsFailuresMax)) this.#readings.delete(id)
  }

  async #read(server: string, id: string, order: ArchiveOrder, reading: Reading): Promise<void> {
    const names = this.#place.names(server, id)
    const fresh = `${names}.tmp`
    const signal = AbortSignal.any([reading.stopping.signal, AbortSignal.timeout(contentsMs)])
    try {
      signal.throwIfAborted()
      // Somebody may have asked just as it was read for somebody else.
      if (await isThere(names)) return
      await mkdir(this.#place.folder(server), { recursive: true, mode: 0o700 })
      const source = await this.#open(server, id, order, signal)
      const hash = createHash('sha256')
      const counted = async function* (): AsyncGenerator<Uint8Array, void, void> {
        for await (const piece of source) {
          reading.bytesDone += piece.length
          if (reading.bytesDone > reading.bytesTotal) throw altered()
          hash.update(piece)
          yield piece
        }
        if (hash.digest('hex') !== order.checksum) throw altered()
      }
      await pipeline(
        Readable.from(counted(), { objectMode: false }),
        decoderOf(order.format === 'zstd' ? 'tar.zst' : 'tar.gz'),
        (pieces: AsyncIterable<Buffer>) => namesOf(pieces, this.#entriesMax),
        createZstdCompress(),
        createWriteStream(fresh, { flags: 'w', mode: 0o600 }),
        { signal },
      )
      // After a power cut an empty file would say that nothing is in it.
      await using file = await open(fresh, 'r')
      await file.sync()
      await rename(fresh, names)
    } catch (error) {
      await rm(fresh, { force: true })
      reading.stopping.signal.throwIfAborted()
      throw this.#told(error, id)
    }
  }

  async #open(
    server: string,
    id: string,
    { store }: ArchiveOrder,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    if (store.kind === 's3') return s3Read(s3PlaceOf(store), store.key, { signal })
    const archive = this.#place.archive(server, id)
    if (!(await isThere(archive))) throw notFound(`Backup ${id}`)
    return createReadStream(archive, { highWaterMark: readBytes })
  }

  #told(error: unknown, id: string): Error {
    if (error instanceof AppError) return error
    if (error instanceof Refused) return conflict(`${error.message}: this archive was altered. Use another backup`)
    const { code, name } = error as NodeJS.ErrnoException
    if (name === 'TimeoutError') return conflict('Reading the archive took too long: restore it, or download it')
    if (error instanceof S3Failure || code === 'ENOSPC' || code === 'EDQUOT') return inWords(error)
    this.#log.warn({ backup: id, err: error }, 'an archive could not be looked into')
    return altered()
  }
}

/** One read of the archive, in bytes. */
const readBytes = 256 * 1024

/** From the bytes of a tar file, a line for each entry that is no part of its own root. */
async function* namesOf(pieces: AsyncIterable<Buffer>, entriesMax: number): AsyncGenerator<string, void, void> {
  let lines = ''
  let chars = 0
  const reader = new TarReader(
    {
      entry({ kind, name, sizeBytes, modified }) {
        const parts = entryParts(name, { faithful: true, depthMax: restoreDepthMax })
        if (parts.length === 0) return
        const modifiedAt = Math.min(Math.max(0, Math.trunc(modified * 1000)), latestTime)
        const line: Line = [parts.join('/'), kind === 'hard link' ? 'file' : kind, sizeBytes, modifiedAt]
        lines += `${JSON.stringify(line)}\n`
      },
      content: () => undefined,
      end: () => undefined,
    },
    { headersMax: 2 * entriesMax, tooMany: `It has more than ${entriesMax} files` },
  )
  for await (const piece of pieces) {
    reader.push(piece)
    if (lines === '') continue
    chars += lines.length
    if (chars > namesBytesMax) throw new Refused('The names of its files are too long')
    yield lines
    lines = ''
  }
  reader.end()
}

/** A path, one character for each of its bytes; what is there; its bytes; when it was changed, in ms since 1970. */
const Line = z.tuple([z.string(), z.enum(['file', 'folder', 'link']), z.int().min(0), z.int().min(0)])
type Line = z.output<typeof Line>

/** The last ms that four digits of a year can tell. */
const latestTime = Date.UTC(9999, 11, 31)

/** What a folder holds, by name; nothing for a file, null where there is no such thing. */
async function listed(names: string, path: string): Promise<Pick<ArchiveFiles, 'entries' | 'more'> | null> {
  const wanted = Buffer.from(path).toString('latin1')
  const inside = path === '' ? '' : `${wanted}/`
  // As its line begins, or that of what is in it: most lines are of neither, and need not be understood.
  const begin = JSON.stringify(wanted).slice(0, -1)
  const entries = new Map<string, SnapshotEntry>()
  let known = path === ''
  let more = false
  const lines = createZstdDecompress()
  // Whoever reads the lines learns of every failure; when they have enough both are closed.
  pipeline(createReadStream(names), lines).catch(() => undefined)
  for await (const line of linesOf(lines)) {
    if (!line.startsWith(`[${begin}`)) continue
    const [name, kind, size, modifiedAt] = Line.parse(JSON.parse(line))
    if (name === wanted) known = true
    if (!name.startsWith(inside)) continue
    known = true
    const [child = '', ...below] = name.slice(inside.length).split('/')
    // A folder may come as a part of the names in it alone.
    const isItself = below.length === 0
    if (entries.has(child) ? !isItself : entries.size === entriesToldMax) {
      more ||= !entries.has(child)
      continue
    }
    const told = isItself ? { kind, size, modifiedAt } : { kind: 'folder' as const, size: 0, modifiedAt }
    entries.set(child, { name: Buffer.from(child, 'latin1').toString(), ...told })
  }
  if (!known) return null
  return { entries: [...entries.values()].sort((left, right) => (left.name < right.name ? -1 : 1)), more }
}

const altered = (): AppError =>
  conflict('The archive is not the one that was made: it is damaged, or was altered. Use another backup')

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}
