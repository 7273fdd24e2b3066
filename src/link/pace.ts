import { performance } from 'node:perf_hooks'

/** Tells streams that carry much from those that carry little, by what they carry in a second. */
export class Pace {
  isBulk = false
  #carried = 0
  #since = 0

  carry(bytes: number): void {
    this.settle()
    this.#carried += bytes
    if (this.#carried >= bulkBytes) this.isBulk = true
  }

  /** Takes note of how a second went that is over. */
  settle(): void {
    const now = performance.now()
    if (now - this.#since < periodMs) return
    this.isBulk = this.#carried >= bulkBytes && now - this.#since < 2 * periodMs
    this.#carried = 0
    this.#since = now
  }
}

/** Measured: at 256 KiB small requests wait behind downloads that were not found out yet; a page and its data stay below it. */
const bulkBytes = 32 * 1024
const periodMs = 1_000
