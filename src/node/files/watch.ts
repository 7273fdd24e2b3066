import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { warnAt, watchMs } from './limits.ts'
import type { Space } from './space.ts'

/** A server that runs now. */
export interface Watched {
  id: string
  space: Space
  note(text: string): Promise<void>
  stop(): Promise<unknown>
}

/**
 * Counts the files of running servers for as long as it lives, warns those that come near their disk limit in their console, and
 * stops those that pass it: the game itself asks nobody before it writes.
 */
export function watchSpace(options: { running(): Promise<Watched[]>; clock: Clock; log: Log }): AsyncDisposable {
  const closing = new AbortController()
  const warned = new Set<string>()
  const look = async ({ id, space, note, stop }: Watched): Promise<void> => {
    await space.refresh(0)
    const { usedBytes, limitBytes } = space
    const used = `${mib(usedBytes)} of ${mib(limitBytes)} MiB`
    if (usedBytes > limitBytes) {
      await note(
        `The disk limit is exceeded: ${used} are used. The server is stopped; delete some files or raise the limit.`,
      )
      await stop()
    } else if (usedBytes > limitBytes * warnAt) {
      if (!warned.has(id)) await note(`The disk is nearly full: ${used} are used. At the limit the server is stopped.`)
      warned.add(id)
    } else warned.delete(id)
  }
  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const began = performance.now()
      // One after the other: counting many folders at once would take the disk from the games.
      const watched = await options.running().catch((error: unknown) => {
        options.log.warn({ err: error }, 'running servers not found')
        return []
      })
      for (const one of watched) {
        if (closing.signal.aborted) return
        await look(one).catch((error: unknown) =>
          options.log.warn({ err: error, server: one.id }, 'disk limit not checked'),
        )
      }
      // Counting takes at most a tenth of the time.
      const pause = Math.max(watchMs, 9 * (performance.now() - began))
      await options.clock.sleep(pause, closing.signal).catch(() => undefined)
    }
  }
  const running = loop()
  return {
    async [Symbol.asyncDispose]() {
      closing.abort()
      await running
    },
  }
}

const mib = (bytes: number): number => Math.round(bytes / (1024 * 1024))
