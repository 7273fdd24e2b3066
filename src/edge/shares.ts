import type { ReadSource } from '../link/index.ts'

export interface SharesOptions {
  /** Whether there is anybody to share with. Alone, a tenant's turns may be as long as they like: that is quickest. */
  contended: () => boolean
  costPerTurn?: number
  /** Calls back when this turn of the event loop is over. */
  endOfTurn?: (over: () => void) => void
}

/**
 * What each tenant may make the edge do in one turn of the event loop, so that nobody's small request waits for longer than a
 * share of everybody who is busy:
 *
 *   spend ──within the share──▶ go on
 *     └──beyond it──▶ wait: paused, in the tenant's queue ──a turn with a share left──▶ resumed, oldest first
 *
 * What a tenant has spent beyond its share is taken off the next ones (deficit round robin), so large pieces gain nothing over small ones.
 * A tenant that is not busy has no place here.
 */
export class Shares {
  readonly #contended: () => boolean
  readonly #costPerTurn: number
  readonly #endOfTurn: (over: () => void) => void
  readonly #tenants = new Map<string, Share>()
  #turnPlanned = false

  constructor({ contended, costPerTurn = costPerTurnDefault, endOfTurn = setImmediate }: SharesOptions) {
    this.#contended = contended
    this.#costPerTurn = costPerTurn
    this.#endOfTurn = endOfTurn
  }

  /**
   * Notes work for a tenant.
   * @param bytes that it moves; a fixed cost is added.
   * @returns false when the share of this turn had been used up before.
   */
  spend(tenant: string, bytes: number): boolean {
    const share = this.#shareOf(tenant)
    const within = share.spent < this.#costPerTurn
    share.spent += bytes + actCost
    return within || !this.#contended()
  }

  /** Whether the tenant may go on in this turn. */
  has(tenant: string): boolean {
    const share = this.#tenants.get(tenant)
    return share === undefined || share.spent < this.#costPerTurn || !this.#contended()
  }

  /** Pauses a source of the tenant until its turn comes; once is enough. */
  wait(tenant: string, source: ReadSource): void {
    const share = this.#shareOf(tenant)
    if (share.waiting.has(source)) return
    share.waiting.add(source)
    source.pause()
  }

  #shareOf(tenant: string): Share {
    const known = this.#tenants.get(tenant)
    if (known) return known
    const share: Share = { spent: 0, waiting: new Set() }
    this.#tenants.set(tenant, share)
    this.#planTurn()
    return share
  }

  #planTurn(): void {
    if (this.#turnPlanned) return
    this.#turnPlanned = true
    this.#endOfTurn(this.#nextTurn)
  }

  readonly #nextTurn = (): void => {
    this.#turnPlanned = false
    const contended = this.#contended()
    for (const [tenant, share] of this.#tenants) {
      share.spent = contended ? Math.max(0, share.spent - this.#costPerTurn) : 0
      // Each that goes on brings at least one piece: no more of them than fit, and always one.
      let left = this.#costPerTurn - share.spent
      for (const source of share.waiting) {
        if (left <= 0) break
        if (contended) left -= pieceCost
        share.waiting.delete(source)
        source.resume()
      }
      if (share.spent === 0 && share.waiting.size === 0) this.#tenants.delete(tenant)
    }
    if (this.#tenants.size > 0) this.#planTurn()
  }
}

interface Share {
  /** In this turn, and beyond their share in those before. */
  spent: number
  /** In the order in which they began to wait. */
  readonly waiting: Set<ReadSource>
}

/** In bytes: about a millisecond of an edge's time. A smaller share costs throughput, since each turn has a price of its own. */
const costPerTurnDefault = 256 * 1024

/** What any act costs beside its bytes, in bytes that pass in as much time: some 10 to 20 µs. */
const actCost = 4 * 1024

/** What a source is expected to bring when it goes on: as much as is read at once. */
const pieceCost = 64 * 1024
