import { sourceOf } from '../lib/address.ts'

/** Counts visitor connections, all together and by source, so that no one source can take the edge for itself. */
export class Visitors {
  readonly #bySource = new Map<string, number>()
  readonly #most: number
  readonly #mostPerAddress: number
  #count = 0
  /** Connections that were one too many, of the edge or of their source, since the process began. */
  readonly refused = { edge: 0, source: 0 }

  constructor(limits: { visitorsMax: number; visitorsPerAddressMax: number }) {
    this.#most = limits.visitorsMax
    this.#mostPerAddress = limits.visitorsPerAddressMax
  }

  get count(): number {
    return this.#count
  }

  /** Whether one more connection from there may come in. Each that may must `leave` once. */
  enter(address: string): boolean {
    const source = sourceOf(address)
    const here = this.#bySource.get(source) ?? 0
    if (this.#count >= this.#most) {
      this.refused.edge += 1
      return false
    }
    if (here >= this.#mostPerAddress) {
      this.refused.source += 1
      return false
    }
    this.#count++
    this.#bySource.set(source, here + 1)
    return true
  }

  leave(address: string): void {
    const source = sourceOf(address)
    const here = this.#bySource.get(source)
    if (here === undefined) return
    this.#count--
    if (here === 1) this.#bySource.delete(source)
    else this.#bySource.set(source, here - 1)
  }
}
