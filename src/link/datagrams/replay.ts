/** How far a packet may come behind the newest one: networks reorder by a few packets, a burst by a few hundred. */
export const replayWindowPackets = 1024

/** Which sequence numbers were seen, among the newest `replayWindowPackets`; older ones count as seen. */
export class ReplayWindow {
  #newest = -1
  /** One bit for each number, at its place modulo the window. */
  readonly #seen = new Uint32Array(replayWindowPackets / 32)

  isNew(sequence: number): boolean {
    if (sequence > this.#newest) return true
    if (sequence <= this.#newest - replayWindowPackets) return false
    return (this.#word(sequence) & bit(sequence)) === 0
  }

  /** Notes a number that `isNew`. Answers whether it is the newest of all. */
  note(sequence: number): boolean {
    const newest = sequence > this.#newest
    if (newest) {
      if (sequence - this.#newest >= replayWindowPackets) this.#seen.fill(0)
      else for (let between = this.#newest + 1; between < sequence; between += 1) this.#clear(between)
      this.#newest = sequence
    }
    this.#seen[place(sequence)] = this.#word(sequence) | bit(sequence)
    return newest
  }

  #clear(sequence: number): void {
    this.#seen[place(sequence)] = this.#word(sequence) & ~bit(sequence)
  }

  #word(sequence: number): number {
    return this.#seen[place(sequence)] ?? 0
  }
}

const place = (sequence: number): number => Math.floor((sequence % replayWindowPackets) / 32)
const bit = (sequence: number): number => 1 << (sequence % 32)
