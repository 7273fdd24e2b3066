/** So many at once, and so many a second in the long run. */
export interface Rate {
  perSecond: number
  burst: number
}

/** Counts acts by key, each key with a rate of its own. Memory is bounded, whatever keys strangers make up. */
export class Rates {
  readonly #keysMax: number
  /** Least recently used first. */
  readonly #known = new Map<string, { tokens: number; at: number }>()

  /** @param keysMax keys that are remembered; the one that was not seen for longest is forgotten, which gives it all back. */
  constructor(keysMax: number) {
    this.#keysMax = keysMax
  }

  /**
   * Takes one. Returns 0, or, where there is none left, in how many whole seconds there will be.
   * @param now ms of a clock that never goes back.
   */
  take(key: string, { perSecond, burst }: Rate, now: number): number {
    const known = this.#known.get(key) ?? { tokens: burst, at: now }
    this.#known.delete(key)
    known.tokens = Math.min(burst, known.tokens + ((now - known.at) / 1000) * perSecond)
    known.at = now
    this.#known.set(key, known)
    if (this.#known.size > this.#keysMax)
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest)
        break
      }
    if (known.tokens < 1) return Math.max(1, Math.ceil((1 - known.tokens) / perSecond))
    known.tokens -= 1
    return 0
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#known.size
  }
}
