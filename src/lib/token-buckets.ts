/** How much each key may do: `burst` at once, `perSecond` in the long run. */
export interface BucketLimits {
  perSecond: number
  burst: number
  /** Keys that are remembered; the one that was not seen for longest is forgotten, which fills its bucket. */
  keysMax: number
}

/** A token bucket for each key. Memory is bounded by `keysMax`, whatever keys strangers make up. */
export class TokenBuckets {
  readonly #limits: BucketLimits
  /** Least recently used first. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(limits: BucketLimits) {
    this.#limits = limits
  }

  /** Takes a token of the key if it has one. @param now ms of a clock that never goes back. */
  take(key: string, now: number): boolean {
    const { perSecond, burst, keysMax } = this.#limits
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now }
    this.#buckets.delete(key)
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) * perSecond) / 1000)
    bucket.at = now
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > keysMax)
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest)
        break
      }
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#buckets.size
  }
}
