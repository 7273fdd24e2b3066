import { BodyReader } from '../ingress/http-body.ts'
import type { BodyFraming } from '../ingress/http-head.ts'

/** The begin of a body, copied: a piece of what was read would hold all that was read with it in memory. */
export class CapturedBody {
  /** Of all of it, without the framing. */
  bytes = 0
  #kept: Buffer = nothing
  #length = 0
  readonly #most: number
  readonly #reader: BodyReader | null

  /**
   * @param most how much is kept.
   * @param framing of what `add` is given; null where that is the body itself.
   */
  constructor(most: number, framing: BodyFraming | null) {
    this.#most = most
    this.#reader = framing?.kind === 'chunked' ? new BodyReader(framing, { dropTrailers: true, unframe: true }) : null
  }

  /** What it takes in memory. */
  get cost(): number {
    return this.#kept.length
  }

  get kept(): Buffer {
    return this.#kept.subarray(0, this.#length)
  }

  get cut(): boolean {
    return this.bytes > this.#length
  }

  /** @throws HttpRefusal for framing that is broken, as whoever passes it on finds too. */
  add(part: Buffer): void {
    if (this.#reader) this.#reader.read(part, this.#take)
    else this.#take(part)
  }

  readonly #take = (part: Buffer): void => {
    this.bytes += part.length
    const taken = Math.min(part.length, this.#most - this.#length)
    if (taken <= 0) return
    const needed = this.#length + taken
    if (needed > this.#kept.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.#most, Math.max(needed, this.#kept.length * 2)))
      this.#kept.copy(grown, 0, 0, this.#length)
      this.#kept = grown
    }
    part.copy(this.#kept, this.#length, 0, taken)
    this.#length = needed
  }
}

const nothing = Buffer.alloc(0)
