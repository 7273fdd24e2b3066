/** So many at once, and so many a second in the long run. */
export class Allowance {
  readonly #perSecond: number
  readonly #most: number
  #left: number
  #asOf: number

  /** @param now ms of any clock that does not go back. */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond
    this.#most = burst
    this.#left = burst
    this.#asOf = now
  }

  /** Takes one. False: there was none left. */
  take(now: number): boolean {
    this.#left = Math.min(this.#most, this.#left + ((now - this.#asOf) / 1000) * this.#perSecond)
    this.#asOf = now
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
