import type { Duplex } from 'node:stream'
import type { Release } from '../release.ts'

/**
 * Carries bytes from one duplex to the other until `from` ends, then ends `to`: half-close goes through. A slow reader stops
 * the source. Errors and early closes are the caller's.
 */
export function pump(from: Duplex, to: Duplex, release: Release, count: (bytes: number) => void): void {
  from.on('data', (chunk: Buffer) => {
    count(chunk.length)
    if (!release.write(to, chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => release.end(to))
}
