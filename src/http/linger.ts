import type { Readable } from 'node:stream'
import { lingerBytesMax, lingerMs } from './limits.ts'

/** Throws away what arrives, until the end, `lingerBytesMax` bytes or `lingerMs`, whichever is first. */
export function discard(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    let left = lingerBytesMax
    const finish = (): void => {
      clearTimeout(timer)
      stream.off('data', onData).off('end', finish).off('error', finish).off('close', finish)
      stream.on('error', () => undefined)
      resolve()
    }
    const onData = (chunk: Buffer): void => {
      left -= chunk.length
      if (left < 0) finish()
    }
    const timer = setTimeout(finish, lingerMs)
    stream.on('data', onData).on('end', finish).on('error', finish).on('close', finish)
    stream.resume()
    if (stream.readableEnded || stream.destroyed) finish()
  })
}
