/** As `Writable` gives it: called once what was written has been taken, or with why it was not. */
export type Written = (error?: Error | null) => void

/**
 * The sending half of a stream that shares a connection: keeps what was written, and its callback, until frames have taken all of it, as
 * far as the other end's window allows.
 */
export class Outgoing {
  /** How many bytes the other end still takes. */
  credit: number
  #chunks: Buffer[] = []
  /** How much of the first chunk was taken. */
  #offset = 0
  #written: Written | null = null

  constructor(credit: number) {
    this.credit = credit
  }

  /** Whether a frame would carry something. */
  get sendable(): boolean {
    return this.#chunks.length > 0 && this.credit > 0
  }

  /** Keeps what was written; what came before has been taken, or nothing would be written. */
  keep(chunks: readonly Buffer[], written: Written): void {
    this.#chunks = chunks.filter((chunk) => chunk.length > 0)
    if (this.#chunks.length > 0) this.#written = written
    else written()
  }

  /** Copies as much as there is, as `room` and the window allow, to `at`. Returns how many bytes; `settle` is to follow. */
  take(target: Buffer, at: number, room: number): number {
    const most = Math.min(room, this.credit)
    let taken = 0
    let used = 0
    for (const chunk of this.#chunks) {
      const copied = chunk.copy(target, at + taken, this.#offset, Math.min(chunk.length, this.#offset + most - taken))
      taken += copied
      this.#offset += copied
      if (this.#offset < chunk.length) break
      this.#offset = 0
      used += 1
    }
    this.credit -= taken
    if (used === this.#chunks.length) this.#chunks = []
    else if (used > 0) this.#chunks.splice(0, used)
    return taken
  }

  /** Says that everything was taken, once that is so. More may be written at once: the frame is whole before. */
  settle(): void {
    if (this.#chunks.length === 0) this.#toldWhenTaken()?.()
  }

  /** Forgets what was not taken. Returns whom to tell, if anybody waits for it. */
  drop(): { unsent: boolean; written: Written | null } {
    const unsent = this.#chunks.length > 0
    this.#chunks = []
    return { unsent, written: this.#toldWhenTaken() }
  }

  #toldWhenTaken(): Written | null {
    const written = this.#written
    this.#written = null
    return written
  }
}
