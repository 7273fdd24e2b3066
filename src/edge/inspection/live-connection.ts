import type { SeenConnection } from '../../contract/edge-inspection.ts'
import { rateWindowMs } from './limits.ts'

/** Who has connected, and how to end it. */
export interface ConnectionStart {
  address: string
  port: number
  protocol: SeenConnection['protocol']
  /** Ends it at once. Idempotent. */
  cut(): void
}

/** One visitor's connection to one tunnel. Its rates are taken when somebody looks. */
export class LiveConnection {
  readonly number: number
  readonly start: ConnectionStart
  readonly since: number
  bytesIn = 0
  bytesOut = 0
  requests = 0
  readonly #gone: (connection: LiveConnection) => void
  #rates: { at: number; bytesIn: number; bytesOut: number; in: number; out: number } | null = null

  constructor(number: number, start: ConnectionStart, since: number, gone: (connection: LiveConnection) => void) {
    this.number = number
    this.start = start
    this.since = since
    this.#gone = gone
  }

  in(bytes: number): void {
    this.bytesIn += bytes
  }

  out(bytes: number): void {
    this.bytesOut += bytes
  }

  /** It is over. Idempotent. */
  end(): void {
    this.#gone(this)
  }

  facts(run: string, now: number): SeenConnection {
    const { address, port, protocol } = this.start
    const { bytesIn, bytesOut, requests, since } = this
    const last = this.#rates
    const from = last ?? { at: since, bytesIn: 0, bytesOut: 0, in: 0, out: 0 }
    const passedMs = now - from.at
    // Whoever looks more often gets what was measured last.
    if (!last || passedMs >= rateWindowMs) {
      const perSecond = (bytes: number): number => (passedMs > 0 ? (bytes / passedMs) * 1000 : 0)
      const rates = { in: perSecond(bytesIn - from.bytesIn), out: perSecond(bytesOut - from.bytesOut) }
      this.#rates = { at: now, bytesIn, bytesOut, ...rates }
    }
    return {
      id: `${run}${this.number.toString(36)}`,
      address,
      port,
      protocol,
      since,
      bytesIn,
      bytesOut,
      rateIn: this.#rates?.in ?? 0,
      rateOut: this.#rates?.out ?? 0,
      requests,
    }
  }
}
