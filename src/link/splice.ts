import type { Duplex } from 'node:stream'
import { finished } from 'node:stream/promises'

/**
 * Joins two byte streams, such as a visitor's socket and the stream of a link that carries it: what one end reads the other
 * writes, with back-pressure and half-close in both directions. When one breaks, so does the other. Resolves once both are
 * over, with what broke them, or null after an orderly end; never rejects.
 *
 * Does what two `pipeline`s do, but all chunks of a tick leave in one write: a system call costs more than a frame.
 */
export async function splice(left: Duplex, right: Duplex): Promise<Error | null> {
  flow(left, right)
  flow(right, left)
  const [a, b] = await Promise.all([over(left, right), over(right, left)])
  return a ?? b
}

function flow(from: Duplex, to: Duplex): void {
  const uncork = (): void => to.uncork()
  from.on('data', (chunk: Buffer) => {
    if (to.writableCorked === 0) {
      to.cork()
      process.nextTick(uncork)
    }
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.once('end', () => to.end())
}

/** Resolves when `end` is over; takes `other` with it when that was not orderly. */
async function over(end: Duplex, other: Duplex): Promise<Error | null> {
  try {
    await finished(end)
    return null
  } catch (error) {
    const broken = error instanceof Error ? error : new Error(String(error))
    end.destroy()
    other.destroy(broken)
    return broken
  }
}
