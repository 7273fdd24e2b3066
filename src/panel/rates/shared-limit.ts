import { createHmac } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import { leaseShare, refusalKeptMs } from './limits.ts'
import { RateLimit, type Taken } from './rate-limit.ts'
import type { Limit, LimitOptions } from './rates.ts'
import type { Grant, Valkey } from './valkey.ts'

/** What is known here of a window that all panels share. */
interface Known {
  /** Taken for requests to come. */
  left: number
  remaining: number
  until: number
  refusedUntil: number
  renewing: boolean
}

/**
 * A limit that holds over all panels. This panel counts too: what is past the limit here alone is refused without asking, and what
 * cannot be asked is decided here. So a panel without the others lets through what one panel would, never everything and never nothing.
 */
export class SharedLimit implements Limit {
  readonly #local: RateLimit
  readonly #known = new Map<string, Known>()
  readonly #options: LimitOptions
  readonly #clock: Clock
  readonly #valkey: Valkey
  readonly #secret: Uint8Array

  constructor(options: LimitOptions, { clock, valkey, secret }: { clock: Clock; valkey: Valkey; secret: Uint8Array }) {
    this.#options = options
    this.#clock = clock
    this.#valkey = valkey
    this.#secret = secret
    this.#local = new RateLimit({ ...options, clock })
  }

  take(key: string, limit: number): Taken | Promise<Taken> {
    const local = this.#local.take(key, limit)
    if (!local.allowed) return local
    const now = this.#clock.now()
    const known = this.#knownOf(key, now)
    if (!known) return local
    if (known.refusedUntil > now) return this.#refused(key, limit, known, now)
    if (known.left > 0) {
      known.left -= 1
      if (known.left <= this.#leaseOf(limit) / 2) this.#renew(key, limit, known)
      return taken(limit, Math.min(local.remaining, known.remaining + known.left), known.until - now)
    }
    if (!this.#valkey.askable) return local
    return this.#ask(key, limit, known, local)
  }

  giveBack(key: string): void {
    this.#local.giveBack(key)
    const known = this.#known.get(key)
    if (!known) return
    known.refusedUntil = 0
    void this.#valkey.giveBack(this.#nameOf(key))
  }

  async #ask(key: string, limit: number, known: Known, local: Taken): Promise<Taken> {
    const { windowMs } = this.#options
    const grant = await this.#valkey.take(this.#nameOf(key), 1, limit, windowMs)
    if (!grant) return local
    const now = this.#clock.now()
    this.#note(known, grant, now)
    if (grant.granted === 0) return this.#refused(key, limit, known, now)
    if (this.#leaseOf(limit) > 1) this.#renew(key, limit, known)
    return taken(limit, Math.min(local.remaining, grant.remaining + known.left), grant.leftMs)
  }

  /** Takes more for the requests to come, which do not wait for it. */
  #renew(key: string, limit: number, known: Known): void {
    if (known.renewing || !this.#valkey.askable) return
    known.renewing = true
    void this.#valkey.take(this.#nameOf(key), this.#leaseOf(limit), limit, this.#options.windowMs).then((grant) => {
      known.renewing = false
      if (!grant) return
      this.#note(known, grant, this.#clock.now())
      known.left += grant.granted
    })
  }

  #note(known: Known, { granted, remaining, leftMs }: Grant, now: number): void {
    // A window that began anew: what was left of the one before is void.
    if (known.until <= now) known.left = 0
    known.until = now + leftMs
    known.remaining = remaining
    known.refusedUntil = granted === 0 && known.left === 0 ? now + Math.min(leftMs, refusalKeptMs) : 0
  }

  #refused(key: string, limit: number, known: Known, now: number): Taken {
    this.#local.giveBack(key)
    return { ...taken(limit, 0, known.until - now), allowed: false }
  }

  /** Null where so many keys are known in this window that a further one is not: strangers cannot fill the memory of either side. */
  #knownOf(key: string, now: number): Known | null {
    const found = this.#known.get(key)
    if (found) {
      if (found.until <= now) {
        found.left = 0
        found.refusedUntil = 0
      }
      return found
    }
    if (this.#known.size >= this.#options.keysMax) {
      // Oldest first: where the first has not ended, hardly any has.
      for (const [other, { until }] of this.#known) {
        if (until > now) break
        this.#known.delete(other)
      }
      if (this.#known.size >= this.#options.keysMax) return null
    }
    const known = { left: 0, remaining: 0, until: now + this.#options.windowMs, refusedUntil: 0, renewing: false }
    this.#known.set(key, known)
    return known
  }

  #leaseOf(limit: number): number {
    return this.#options.leases ? Math.max(1, Math.floor(limit * leaseShare)) : 1
  }

  /** Addresses and accounts do not stand there, and installations that share a server do not meet. */
  #nameOf(key: string): string {
    const { name } = this.#options
    return `pharos:${name}:${createHmac('sha256', this.#secret).update(`${name} ${key}`).digest('base64url').slice(0, 22)}`
  }
}

const taken = (limit: number, remaining: number, leftMs: number): Taken => ({
  allowed: true,
  limit,
  remaining: Math.max(0, remaining),
  resetSeconds: Math.max(1, Math.ceil(leftMs / 1000)),
})
