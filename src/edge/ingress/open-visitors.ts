/** A visitor's connection that has limits in time. */
export interface TimedVisitor {
  /** Ends what has waited too long. @param now ms, as `Date.now()` gives them. */
  expire(now: number): void
  /** Ends it now. Idempotent. */
  cut(): void
}

/** How often connections that have waited too long are looked for, ms. */
const sweepEveryMs = 500

/**
 * The connections of one ingress. One timer looks after all of them: setting one for each request would cost more than routing it.
 * Dispose of it to end them.
 */
export class OpenVisitors implements Disposable {
  readonly #open = new Set<TimedVisitor>()
  readonly #sweep: NodeJS.Timeout

  /** @param shortestMs the shortest time that anything may wait. */
  constructor(shortestMs: number) {
    this.#sweep = setInterval(
      () => {
        const now = Date.now()
        for (const visitor of this.#open) visitor.expire(now)
      },
      Math.min(sweepEveryMs, shortestMs),
    )
    this.#sweep.unref()
  }

  add(visitor: TimedVisitor): void {
    this.#open.add(visitor)
  }

  delete(visitor: TimedVisitor): void {
    this.#open.delete(visitor)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep)
    for (const visitor of this.#open) visitor.cut()
  }
}
