import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { conflict } from '../../contract/errors.ts'
import type { BackupFormat, BackupStore } from '../../contract/node-backups.ts'
import { s3Read } from '../../lib/s3.ts'
import { measureDisk } from '../stats/disk.ts'
import type { RestoreWork } from '../supervisor/server.ts'
import { clearTree } from './clear.ts'
import { excludedBy } from './excluded.ts'
import { restoreMeasureMs } from './limits.ts'
import { inWords, s3PlaceOf } from './make.ts'
import { unpack } from './unpack.ts'

export interface RestoreOptions {
  name: string
  store: BackupStore
  /** Where the archive is on this machine, with a store of kind local. */
  archive: string
  format: BackupFormat
  checksum: string
  files: readonly string[] | null
  deleteOthers: boolean
  ignored: string
  diskBytesMax: number
  /** Room for files that the server may hold and an archive's own headers. */
  unpackedBytesMax: number
}

/**
 * Puts files of a backup back. An archive on this machine is checked as a whole before anything is touched, one in a store while it arrives.
 */
export function restoreWork(options: RestoreOptions): RestoreWork {
  return async ({ data, owner, progress, signal }) => {
    const { name, store, archive } = options
    try {
      if (store.kind === 'local') {
        progress(`Checking backup ${name}`)
        const { digest, through } = checksumming()
        for await (const _ of through(createReadStream(archive, { highWaterMark: readBytes, signal })));
        mustMatch(digest(), options.checksum)
      }
      if (options.deleteOthers) {
        progress(`Restoring backup ${name}: deleting what is not in it`)
        await clearTree(data, excludedBy(options.ignored), signal)
      }
      const over = watchDisk(data, options.diskBytesMax, signal)
      try {
        const { digest, through } = checksumming()
        const bytes =
          store.kind === 'local'
            ? createReadStream(archive, { highWaterMark: readBytes })
            : await s3Read(s3PlaceOf(store), store.key, { signal })
        await unpack({
          ...{ data, owner, format: options.format, files: options.files, unpackedBytesMax: options.unpackedBytesMax },
          archive: through(bytes),
          progress: (done) => progress(`Restoring backup ${name}: ${Math.round(done / 1024 / 1024)} MiB`),
          signal: over.signal,
        })
        mustMatch(digest(), options.checksum)
      } finally {
        over.stop()
      }
    } catch (error) {
      signal.throwIfAborted()
      throw inWords(error)
    }
  }
}

/** One read of the archive, in bytes. */
const readBytes = 256 * 1024

function mustMatch(found: string, wanted: string): void {
  if (found !== wanted)
    throw conflict('The archive is not the one that was made: its checksum differs. Use another backup')
}

function checksumming() {
  const hash = createHash('sha256')
  return {
    digest: () => hash.digest('hex'),
    async *through(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
      for await (const piece of bytes) {
        hash.update(piece)
        yield piece
      }
    },
  }
}

/** Ends the restore once the server takes more disk than it may. */
function watchDisk(data: string, bytesMax: number, signal: AbortSignal): { signal: AbortSignal; stop(): void } {
  const over = new AbortController()
  const stopping = new AbortController()
  const timer = setInterval(() => {
    void measureDisk(data, stopping.signal).then((bytes) => {
      if (bytes !== null && bytes > bytesMax && !stopping.signal.aborted)
        over.abort(
          conflict(
            `The server may use ${Math.floor(bytesMax / 1024 / 1024)} MiB of disk, and the backup needs more with what is there: delete files, or restore with deleteOthers`,
          ),
        )
    })
  }, restoreMeasureMs)
  return {
    signal: AbortSignal.any([signal, over.signal]),
    stop() {
      clearInterval(timer)
      stopping.abort()
    },
  }
}
