/** How much may pass at once after a pause, in seconds of the rate: a page loads at full speed, a download keeps to the rate. */
const burstSeconds = 1

/** The shortest wait worth a timer, ms. */
const waitMsMin = 5

/**
 * Lets bytes pass at a rate, in the order in which they were announced. Chunks are never split: one may overdraw, the next one
 * waits for that.
 */
export class Pacer implements Disposable {
  readonly #now: () => number
  readonly #waiting: { bytes: number; go: () => void }[] = []
  #bytesPerSecond: number
  #credit: number
  #asOf: number
  #timer: NodeJS.Timeout | undefined

  constructor(bytesPerSecond: number, now: () => number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#credit = bytesPerSecond * burstSeconds
    this.#now = now
    this.#asOf = now()
  }

  /** From now on this rate, also for what waits. */
  set bytesPerSecond(rate: number) {
    this.#refill()
    this.#bytesPerSecond = rate
    this.#credit = Math.min(this.#credit, rate * burstSeconds)
    this.#wake()
  }

  /** Calls `go` once the bytes may pass; at once where they may now. */
  pass(bytes: number, go: () => void): void {
    this.#waiting.push({ bytes, go })
    if (this.#waiting.length === 1) this.#advance()
  }

  /** Lets everything pass that waits. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    for (const { go } of this.#waiting.splice(0)) go()
  }

  #advance(): void {
    this.#refill()
    while (this.#credit > 0) {
      const next = this.#waiting.shift()
      if (!next) return
      this.#credit -= next.bytes
      next.go()
    }
    this.#wake()
  }

  #wake(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#waiting.length === 0) return
    const waitMs = Math.max(waitMsMin, Math.ceil((-this.#credit / this.#bytesPerSecond) * 1000) + 1)
    this.#timer = setTimeout(() => this.#advance(), waitMs)
    this.#timer.unref()
  }

  #refill(): void {
    const now = this.#now()
    const earned = (Math.max(0, now - this.#asOf) / 1000) * this.#bytesPerSecond
    this.#asOf = now
    this.#credit = Math.min(this.#bytesPerSecond * burstSeconds, this.#credit + earned)
  }
}
