import { conflict } from '../../contract/errors.ts'

/** How much of a server's disk limit is used, kept true between measurements by whoever writes and removes. */
export interface SpaceSource {
  limitBytes(): number
  /** Counts the files anew; null when that cannot be done now. */
  measure(): Promise<number | null>
}

/** A measurement older than this is made anew before something is refused for it, in ms: the game may have removed files. */
const staleMs = 2_000

/** And one older than this before anything is written, in ms. */
const oldMs = 120_000

/** The disk limit of one server. What is about to be written is reserved first, so that writers at the same time share what is left. */
export class Space {
  readonly #source: SpaceSource
  #measured = 0
  #measuredAt = Number.NEGATIVE_INFINITY
  #measuring: Promise<void> | null = null
  /** Written since the measurement began. */
  #since = 0
  /** Being written now, where no measurement sees it. */
  #reserved = 0

  constructor(source: SpaceSource) {
    this.#source = source
  }

  get limitBytes(): number {
    return this.#source.limitBytes()
  }

  get usedBytes(): number {
    return Math.max(0, this.#measured + this.#since + this.#reserved)
  }

  /** Measures if the last measurement is older than `ageMs`. */
  async refresh(ageMs = oldMs): Promise<void> {
    if (performance.now() - this.#measuredAt < ageMs) return
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = null
    })
    await this.#measuring
  }

  /** Room for so many bytes, or `conflict` with the numbers. What is reserved is given back by `release` or becomes `written`. */
  async reserve(bytes: number): Promise<void> {
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new RangeError('a number of bytes')
    await this.refresh()
    if (this.usedBytes + bytes > this.limitBytes) await this.refresh(staleMs)
    this.claim(bytes)
  }

  /** The same without waiting. */
  claim(bytes: number): void {
    if (this.usedBytes + bytes > this.limitBytes)
      throw conflict(
        `The server's disk limit of ${inMib(this.limitBytes)} would be exceeded: ${inMib(this.usedBytes)} are used, ${inMib(bytes)} more are needed. Delete some files, or raise the limit.`,
      )
    this.#reserved += bytes
  }

  release(bytes: number): void {
    this.#reserved -= bytes
  }

  /** What was reserved is now among the server's files. */
  written(bytes: number): void {
    this.#reserved -= bytes
    this.#since += bytes
  }

  removed(bytes: number): void {
    this.#since -= bytes
  }

  async #measure(): Promise<void> {
    const before = this.#since
    const bytes = await this.#source.measure()
    this.#measuredAt = performance.now()
    if (bytes === null) return
    this.#measured = bytes
    this.#since -= before
  }
}

/** Bytes while they are written: reserves in steps as they come, and gives back what is not kept. */
export class Reservation implements Disposable {
  readonly #space: Space
  #reserved = 0
  #used = 0

  private constructor(space: Space) {
    this.#space = space
  }

  /** With room for the `expected` bytes, where they are known. */
  static async of(space: Space, expected: number): Promise<Reservation> {
    await space.reserve(expected)
    const reservation = new Reservation(space)
    reservation.#reserved = expected
    return reservation
  }

  /** So many more bytes are about to be written. */
  add(bytes: number): void {
    this.#used += bytes
    const missing = this.#used - this.#reserved
    if (missing <= 0) return
    this.#space.claim(missing)
    this.#reserved += missing
  }

  /** They are in place now, and replaced so many others. */
  keep(replacedBytes = 0): void {
    this.#space.release(this.#reserved - this.#used)
    this.#space.written(this.#used)
    this.#space.removed(replacedBytes)
    this.#reserved = 0
    this.#used = 0
  }

  [Symbol.dispose](): void {
    this.#space.release(this.#reserved)
    this.#reserved = 0
  }
}

const inMib = (bytes: number): string => `${(bytes / (1024 * 1024)).toFixed(1)} MiB`
