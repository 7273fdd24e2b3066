import type { Transform } from 'node:stream'
import { constants, createGzip, createZstdCompress } from 'node:zlib'
import type { ArchiveFormat } from '../../contract/node-backups.ts'

/** zstd's own default: half again as fast as gzip's fastest, and smaller. */
const zstdLevel = 3
/** Twice as fast as the default for a few percent. */
const gzipLevel = 4

/** What is compressed comes out in pieces of this size, in bytes: each is a trip to the thread pool, and a write. */
const chunkSize = 256 * 1024

/** A compressor whose output any `tar` reads. */
export function compressor(format: ArchiveFormat): Transform {
  switch (format) {
    case 'zstd':
      return createZstdCompress({
        chunkSize,
        params: { [constants.ZSTD_c_compressionLevel]: zstdLevel, [constants.ZSTD_c_checksumFlag]: 1 },
      })
    case 'gzip':
      return createGzip({ level: gzipLevel, chunkSize })
  }
}
