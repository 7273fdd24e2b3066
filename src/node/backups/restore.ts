import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chown } from 'node:fs/promises'
import { conflict } from '../../contract/errors.ts'
import type { BackupFormat, BackupStore } from '../../contract/node-backups.ts'
import { s3Read } from '../../lib/s3.ts'
import { type Job, unpack } from '../extraction/index.ts'
import type { Runtime } from '../runtime.ts'
import { filesMaxOf, measureDisk } from '../stats/disk.ts'
import type { RestoreWork } from '../supervisor/server.ts'
import { restoreDepthMax, restoreEntriesMax, restoreMs } from './limits.ts'
import { inWords, s3PlaceOf } from './make.ts'
import { beginRestore, replacedBytes, swapIn } from './swap.ts'

export interface RestoreOptions {
  runtime: Pick<Runtime, 'confine'>
  name: string
  store: BackupStore
  /** Where the archive is on this machine, with a store of kind local. */
  archive: string
  /** Of a snapshot: its bytes as tar, which its repository checks itself. Begins with all that the restore wants, and more. */
  snapshot: ((signal: AbortSignal) => AsyncIterable<Uint8Array>) | null
  format: BackupFormat
  checksum: string
  files: readonly string[] | null
  deleteOthers: boolean
  ignored: string
  diskBytesMax: number
}

/**
 * Puts files of a backup back. The archive is unpacked beside the server's files and compared with its checksum, wherever it was
 * kept; only then the first file is replaced. The unpacker believes nothing of what the archive says.
 */
export function restoreWork(options: RestoreOptions): RestoreWork {
  return async ({ folder, data, owner, cover, progress, signal }) => {
    const { name, store, archive, deleteOthers, ignored, diskBytesMax } = options
    const readLocal = (): AsyncIterable<Uint8Array> => createReadStream(archive, { highWaterMark: readBytes })
    try {
      const fresh = await beginRestore(folder, cover)
      if (owner) await chown(fresh, owner.uid, owner.gid)
      const { digest, through } = checksumming((done) => progress(`Reading backup ${name}: ${inMib(done)} MiB`))
      const bytes =
        options.snapshot?.(signal) ??
        (store.kind === 'local' ? readLocal() : await s3Read(s3PlaceOf(store), store.key, { signal }))
      try {
        await unpack(options.runtime, {
          ...{ folder: fresh, owner, archive: through(bytes), job: jobOf(options) },
          signal: AbortSignal.any([signal, AbortSignal.timeout(restoreMs)]),
        })
      } catch (error) {
        signal.throwIfAborted()
        // An archive that was changed is told as what it is, rather than as what became of it.
        if (store.kind === 'local' && !options.snapshot) mustMatch(await digestOf(readLocal()), options.checksum)
        throw error
      }
      if (!options.snapshot) mustMatch(digest(), options.checksum)
      const stays = deleteOthers ? 0 : ((await measureDisk(data, signal)) ?? 0) - (await replacedBytes(folder, data))
      const comes = (await measureDisk(fresh, signal)) ?? 0
      if (stays + comes > diskBytesMax) throw tooLarge(diskBytesMax)
      progress(`Restoring backup ${name}: putting its files into place`)
      await swapIn(folder, { deleteOthers, ignored }, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw inWords(error)
    }
  }
}

/** One read of the archive, in bytes. */
const readBytes = 256 * 1024

function jobOf({ format, files, diskBytesMax }: RestoreOptions): Job {
  const entriesMax = Math.min(restoreEntriesMax, filesMaxOf(diskBytesMax))
  return {
    kind: kinds[format],
    name: '',
    bytesMax: diskBytesMax,
    tooLarge: tooLarge(diskBytesMax).message,
    entriesMax,
    tooMany: `The backup has more than the ${entriesMax} files that a server of this disk limit may have: raise the limit, or restore some of its files`,
    depthMax: restoreDepthMax,
    faithful: true,
    only: files === null ? null : [...files],
  }
}

const kinds: Readonly<Record<BackupFormat, Job['kind']>> = { zstd: 'tar.zst', gzip: 'tar.gz', restic: 'tar' }

const tooLarge = (bytesMax: number) =>
  conflict(
    `The server may use ${inMib(bytesMax)} MiB of disk, and the backup needs more with what is there: delete files, or restore with deleteOthers`,
  )

function mustMatch(found: string, wanted: string): void {
  if (found !== wanted)
    throw conflict('The archive is not the one that was made: its checksum differs. Use another backup')
}

function checksumming(progress: (bytes: number) => void) {
  const hash = createHash('sha256')
  let done = 0
  return {
    digest: () => hash.digest('hex'),
    async *through(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
      for await (const piece of bytes) {
        hash.update(piece)
        done += piece.length
        progress(done)
        yield piece
      }
    },
  }
}

async function digestOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const { digest, through } = checksumming(() => undefined)
  for await (const _ of through(bytes));
  return digest()
}

const inMib = (bytes: number): number => Math.floor(bytes / 1024 / 1024)
