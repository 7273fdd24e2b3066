import type { Ticker } from '../datagrams/ticker.ts'

/** Time that stands still until it is told to go on. */
export class TestTicker implements Ticker {
  #now = 0
  readonly #beats = new Set<{ every: number; next: number; beat: () => void }>()

  now(): number {
    return this.#now
  }

  every(ms: number, beat: () => void): () => void {
    const entry = { every: ms, next: this.#now + ms, beat }
    this.#beats.add(entry)
    return () => this.#beats.delete(entry)
  }

  /** Lets `ms` go by, with every beat that falls into it. */
  advance(ms: number): void {
    const end = this.#now + ms
    while (true) {
      const due = [...this.#beats].sort((a, b) => a.next - b.next)[0]
      if (!due || due.next > end) break
      this.#now = due.next
      due.next += due.every
      due.beat()
    }
    this.#now = end
  }

  /** Lets `ms` go by without a beat, as in a machine that was asleep. */
  skip(ms: number): void {
    this.#now += ms
    for (const entry of this.#beats) entry.next += ms
  }
}
