/** Counts visitor connections, all together and by address, so that no one address can take the edge for itself. */
export class Visitors {
  readonly #byAddress = new Map<string, number>()
  readonly #most: number
  readonly #mostPerAddress: number
  #count = 0

  constructor(limits: { visitorsMax: number; visitorsPerAddressMax: number }) {
    this.#most = limits.visitorsMax
    this.#mostPerAddress = limits.visitorsPerAddressMax
  }

  get count(): number {
    return this.#count
  }

  /** Whether one more connection from there may come in. Each that may must `leave` once. */
  enter(address: string): boolean {
    const here = this.#byAddress.get(address) ?? 0
    if (this.#count >= this.#most || here >= this.#mostPerAddress) return false
    this.#count++
    this.#byAddress.set(address, here + 1)
    return true
  }

  leave(address: string): void {
    const here = this.#byAddress.get(address)
    if (here === undefined) return
    this.#count--
    if (here === 1) this.#byAddress.delete(address)
    else this.#byAddress.set(address, here - 1)
  }
}
