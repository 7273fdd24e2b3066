/** Something with bytes to send: a stream. */
export interface DataSource {
  /** True when `fill` would write something now. */
  readonly sendable: boolean
  /** Carries much: it waits behind what does not, and keeps to the link's budget. */
  readonly isBulk?: boolean
  /**
   * Writes one turn's frames into `target` from `at` on; answers where they ended. At `end` it should be done, and must
   * be at the end of `target`: only a frame that cannot be cut goes beyond `end`.
   */
  fill(target: Buffer, at: number, end: number): number
  /** Links the sources that wait for their turn; the lane's own. */
  nextReady: DataSource | null
  isReady: boolean
}

/** Sources that wait for their turn, first come first served. A list through the sources themselves: it costs no memory. */
export class Turns {
  #first: DataSource | null = null
  #last: DataSource | null = null

  get isEmpty(): boolean {
    return this.#first === null
  }

  add(source: DataSource): void {
    source.isReady = true
    source.nextReady = null
    if (this.#last) this.#last.nextReady = source
    else this.#first = source
    this.#last = source
  }

  /** The next one that has something to send. */
  take(): DataSource | null {
    while (this.#first !== null) {
      const source: DataSource = this.#first
      this.#first = source.nextReady
      if (this.#first === null) this.#last = null
      source.isReady = false
      if (source.sendable) return source
    }
    return null
  }

  clear(): void {
    this.#first = null
    this.#last = null
  }
}
