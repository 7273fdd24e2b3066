import type { Clock } from '../../src/lib/clock.ts'

/** A clock that stands until the test moves it; whoever sleeps by it wakes when their time has come. */
export class ManualClock implements Clock {
  #now: number
  readonly #sleepers = new Set<{ ms: number; until: number; wake(): void }>()
  readonly #waiting = new Set<() => void>()

  constructor(now: number) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const sleeper = { ms, until: this.#now + ms, wake: () => end(resolve) }
      const onAbort = () => end(() => reject(signal?.reason))
      const end = (how: () => void): void => {
        this.#sleepers.delete(sleeper)
        signal?.removeEventListener('abort', onAbort)
        how()
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', onAbort, { once: true })
      for (const look of [...this.#waiting]) look()
    })
  }

  advance(ms: number): void {
    this.setTo(this.#now + ms)
  }

  setTo(now: number): void {
    this.#now = now
    for (const sleeper of [...this.#sleepers]) if (sleeper.until <= now) sleeper.wake()
  }

  /** Resolves when somebody sleeps for exactly `ms`. */
  asleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (![...this.#sleepers].some((sleeper) => sleeper.ms === ms)) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }
}
