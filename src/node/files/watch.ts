import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { killAt, lookMs, lostShare, quietWatchMs, warnAt, watchMs } from './limits.ts'
import type { Space } from './space.ts'

/** A server that runs now. */
export interface Watched {
  id: string
  space: Space
  /** It has been asked to stop. */
  stopping: boolean
  note(text: string): Promise<void>
  /** Ends it, for a reason that people are told. */
  end(how: 'stop' | 'kill', why: string): Promise<unknown>
}

export interface WatchOptions {
  running(): Promise<Watched[]>
  /** Bytes that are free on the disk of all servers. */
  freeBytes(): Promise<number>
  clock: Clock
  log: Log
}

/** The last time that a server's files were counted. */
interface Count {
  at: number
  tookMs: number
  /** Free on the disk at that time, in bytes. */
  free: number
  /** What the server had left, in bytes. */
  room: number
}

/**
 * Keeps running servers within their disk limits for as long as it lives: the game itself asks nobody before it writes. Warns
 * those that come near in their console, stops those that pass, and kills those that go on filling the disk instead of stopping. A
 * folder is counted now and then, and at once when the disk has lost as much as its server had left.
 */
export function watchSpace(options: WatchOptions): AsyncDisposable {
  const closing = new AbortController()
  const counts = new Map<string, Count>()
  const warned = new Set<string>()

  const isDue = (id: string, free: number): boolean => {
    const last = counts.get(id)
    if (!last) return true
    const age = performance.now() - last.at
    const lost = last.free - free
    // Counting takes at most a tenth of the time, or half of it where the limit may be passed already.
    if (lost >= last.room) return age >= last.tookMs
    return age >= Math.max(lost >= last.room * lostShare ? watchMs : quietWatchMs, 9 * last.tookMs)
  }
  const look = async ({ id, space, stopping, note, end }: Watched, free: number): Promise<void> => {
    const began = performance.now()
    await space.refresh(0)
    const now = performance.now()
    const { usedBytes, limitBytes } = space
    counts.set(id, { at: now, tookMs: now - began, free, room: limitBytes - usedBytes })
    const used = `${mib(usedBytes)} of ${mib(limitBytes)} MiB`
    if (usedBytes > limitBytes) {
      const why = `The disk limit is exceeded: ${used} are used.`
      if (!stopping) await end('stop', `${why} The server is stopped; delete some files or raise the limit.`)
      else if (usedBytes > limitBytes * killAt)
        await end('kill', `${why} The server went on writing instead of stopping, and is killed.`)
    } else if (usedBytes > limitBytes * warnAt) {
      if (!warned.has(id)) await note(`The disk is nearly full: ${used} are used. At the limit the server is stopped.`)
      warned.add(id)
    } else warned.delete(id)
  }
  const round = async (): Promise<void> => {
    const watched = await options.running()
    for (const id of counts.keys()) if (!watched.some((one) => one.id === id)) counts.delete(id)
    // One after the other: counting many folders at once would take the disk from the games.
    let free = await options.freeBytes()
    for (const one of watched) {
      if (closing.signal.aborted) return
      if (!isDue(one.id, free)) continue
      await look(one, free).catch((error: unknown) =>
        options.log.warn({ err: error, server: one.id }, 'disk limit not checked'),
      )
      free = await options.freeBytes()
    }
  }
  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await round().catch((error: unknown) => options.log.warn({ err: error }, 'disk limits not checked'))
      await options.clock.sleep(lookMs, closing.signal).catch(() => undefined)
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
