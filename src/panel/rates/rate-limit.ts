import type { Clock } from '../../lib/clock.ts'

export interface Taken {
  /** False past the limit. */
  allowed: boolean
  limit: number
  remaining: number
  /** Whole seconds until the count begins again, at least 1. */
  resetSeconds: number
}

/** Counts events per key in windows that begin with a key's first event. Bounded: the key that began longest ago is forgotten first. */
export class RateLimit {
  readonly #windows = new Map<string, { until: number; count: number }>()
  readonly #windowMs: number
  readonly #keysMax: number
  readonly #clock: Clock

  constructor(options: { windowMs: number; keysMax: number; clock: Clock }) {
    this.#windowMs = options.windowMs
    this.#keysMax = options.keysMax
    this.#clock = options.clock
  }

  /** Counts one event. */
  take(key: string, limit: number): Taken {
    const now = this.#clock.now()
    let window = this.#windows.get(key)
    if (!window || window.until <= now) {
      this.#windows.delete(key)
      if (this.#windows.size >= this.#keysMax) this.#forgetOldest()
      window = { until: now + this.#windowMs, count: 0 }
      this.#windows.set(key, window)
    }
    const allowed = window.count < limit
    if (allowed) window.count++
    return {
      allowed,
      limit,
      remaining: Math.max(0, limit - window.count),
      resetSeconds: Math.max(1, Math.ceil((window.until - now) / 1000)),
    }
  }

  /** Gives one event back: what was counted turned out to be harmless. */
  giveBack(key: string): void {
    const window = this.#windows.get(key)
    if (window && window.count > 0) window.count--
  }

  #forgetOldest(): void {
    const [oldest] = this.#windows.keys()
    if (oldest !== undefined) this.#windows.delete(oldest)
  }
}
