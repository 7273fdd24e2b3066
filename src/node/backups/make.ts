import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, statfs } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError, conflict } from '../../contract/errors.ts'
import type { ArchiveFormat, BackupStore } from '../../contract/node-backups.ts'
import { S3Failure, type S3Place, s3Upload } from '../../lib/s3.ts'
import { Secret } from '../../lib/secret.ts'
import { type ArchiveTally, archiveOf, measureTree, type Names, newTally } from './archive.ts'
import { compressor } from './codec.ts'
import { excludedBy } from './excluded.ts'
import { freeBytesMin, freeCheckBytes } from './limits.ts'
import type { BackupPlace } from './place.ts'

export interface MakeOptions {
  server: string
  id: string
  /** The server's own files. */
  data: string
  place: BackupPlace
  store: BackupStore
  format: ArchiveFormat
  ignored: string
  /** More than this is refused. */
  claimedBytesMax: number
  progress(done: { bytesDone: number; bytesTotal: number; files: number }): void
  signal: AbortSignal
}

export interface Made {
  bytes: number
  files: number
  size: number
  checksum: string
  /** What a person should know of it. */
  message: string | null
}

/** Makes one backup, straight into its store. Rejects with an `AppError` that says what went wrong; then nothing of it remains on this machine. */
export async function makeBackup(options: MakeOptions): Promise<Made> {
  const { data, signal, claimedBytesMax } = options
  const excluded = excludedBy(options.ignored)
  const check = (bytes: number): void => {
    signal.throwIfAborted()
    if (bytes > claimedBytesMax)
      throw conflict(
        'The files claim far more space than the server may use: sparse files cannot be backed up. Leave them out with a pattern',
      )
  }
  try {
    const bytesTotal = await measureTree(data, excluded, check)
    const tally = newTally()
    const told = () => ({ bytesDone: tally.bytes, bytesTotal: Math.max(bytesTotal, tally.bytes), files: tally.files })
    options.progress(told())
    const source = archiveOf(data, excluded, tally, () => {
      check(tally.bytes)
      options.progress(told())
    })
    const hash = createHash('sha256')
    let size = 0
    const counted = async function* (bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
      for await (const piece of bytes) {
        hash.update(piece)
        size += piece.length
        yield piece
      }
    }
    const compressed = compressor(options.format)
    await pipeline(
      Readable.from(source, { objectMode: false }),
      compressed,
      counted,
      (bytes: AsyncIterable<Buffer>) => keep(options, bytes, bytesTotal),
      { signal },
    )
    if (options.store.kind === 'local') await options.place.complete(options.server, options.id)
    return { bytes: tally.bytes, files: tally.files, size, checksum: hash.digest('hex'), message: oddities(tally) }
  } catch (error) {
    signal.throwIfAborted()
    throw inWords(error)
  }
}

async function keep(options: MakeOptions, bytes: AsyncIterable<Buffer>, expectedBytes: number): Promise<void> {
  const { server, id, place, store, signal } = options
  if (store.kind === 's3') return s3Upload(s3PlaceOf(store), store.key, bytes, { expectedBytes, signal })
  await mkdir(place.folder(server), { recursive: true, mode: 0o700 })
  const folder = place.folder(server)
  await pipeline(
    bytes,
    (pieces: AsyncIterable<Buffer>) => leavingRoom(pieces, folder),
    createWriteStream(place.partial(server, id), { flags: 'w', mode: 0o600 }),
    { signal },
  )
}

/** Looks at the free space now and then. */
export async function* leavingRoom<T extends Uint8Array>(
  pieces: AsyncIterable<T>,
  folder: string,
): AsyncGenerator<T, void, void> {
  let unchecked = freeCheckBytes
  for await (const piece of pieces) {
    unchecked += piece.length
    if (unchecked >= freeCheckBytes) {
      unchecked = 0
      const disk = await statfs(folder)
      if (disk.bavail * disk.bsize < freeBytesMin) throw full()
    }
    yield piece
  }
}

export const s3PlaceOf = (store: BackupStore & { kind: 's3' }): S3Place => ({
  endpoint: store.endpoint,
  bucket: store.bucket,
  region: store.region,
  accessKeyId: new Secret(store.accessKeyId),
  secretAccessKey: new Secret(store.secretAccessKey),
})

const full = (): AppError =>
  conflict('The disk of this node is nearly full: free some space, or delete old backups, and try again')

/** What happened, for the person who asked for the backup. */
export function inWords(error: unknown): Error {
  if (error instanceof S3Failure)
    return new AppError('conflict', `The backup store cannot be used: ${error.message}`, { cause: error })
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return full()
  return error instanceof Error ? error : new Error(String(error))
}

function oddities({ changed, vanished, tooDeep }: ArchiveTally): string | null {
  const parts = [
    told(changed, 'changed while they were read and may be inconsistent'),
    told(vanished, 'vanished before they were read'),
    told(tooDeep, 'are nested too deeply; what they hold is left out'),
  ].filter((part) => part !== null)
  return parts.length === 0 ? null : `${parts.join('; ')}.`
}

function told({ count, some }: Names, what: string): string | null {
  if (count === 0) return null
  const names = some.map((name) => name.slice(0, nameCharsMax)).join(', ')
  return `${count} ${count === 1 ? 'file' : 'files'} ${what}: ${names}${count > some.length ? ', …' : ''}`
}

/** Of each name in a message. */
const nameCharsMax = 100
