import type { Readable, Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { Job } from './job.ts'

/** One piece of what comes out, in bytes: each costs a trip to the thread pool. */
const pieceBytes = 256 * 1024

/** What an archive of this kind, which is compressed as a whole, is read through. */
export function decoderOf(kind: Exclude<Job['kind'], 'zip' | 'tar'>): Transform {
  const options = { chunkSize: pieceBytes }
  return kind.endsWith('zst') ? createZstdDecompress(options) : createGunzip(options)
}

/** What a compressed archive becomes. It fails where its source does. */
export function decompressed(source: Readable, kind: Parameters<typeof decoderOf>[0]): Readable {
  const decoder = decoderOf(kind)
  source.on('error', (error) => decoder.destroy(error))
  return source.pipe(decoder)
}
