import { newUuid } from '../../lib/ids.ts'
import type { DomainRow } from '../db/index.ts'
import type { Issuance } from './issuance.ts'
import { atOnceMax, leaseMs, leaseRenewMs, lookEveryMs } from './limits.ts'
import type { Ownership } from './ownership.ts'
import {
  claimDomain,
  claimDomains,
  releaseAll,
  setCertificate,
  setOwn,
  tunnelKind,
  waitingForTunnels,
  wakeCertificates,
  wantCertificate,
} from './store.ts'
import type { DomainsWorld } from './world.ts'

/**
 * Does what is due for domains: looks at the DNS, has certificates made and renewed. Any number of panels may do so: one takes a domain for
 * itself for a while, and says so again as long as it works on it; after a kill another one goes on.
 */
export class Keeper implements AsyncDisposable {
  readonly #world: DomainsWorld
  readonly #ownership: Ownership
  readonly #issuance: Issuance | null
  readonly #panel = newUuid()
  readonly #stopping = new AbortController()
  readonly #running = new Map<string, Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void>
  /** How far the search for tunnels that were opened has come. */
  #after = ''

  constructor(world: DomainsWorld, ownership: Ownership, issuance: Issuance | null) {
    this.#world = world
    this.#ownership = ownership
    this.#issuance = issuance
    // No other panel uses an SQLite file: whoever held a domain in it has died.
    this.#looking = this.#guarded(async () => {
      if (world.db.dialect === 'sqlite') await releaseAll(world.db.kysely)
    })
    this.#timer = setInterval(() => void this.look(), lookEveryMs).unref()
  }

  /** Looks now for what is due, and begins it. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() =>
      this.#guarded(async () => {
        await this.#wake()
        await this.#take()
      }),
    )
    return this.#looking
  }

  /** Looks at one domain in the DNS now, and goes on with its certificate afterwards; null while somebody else is at it. */
  async check(domain: DomainRow): Promise<DomainRow | null> {
    const { db, clock } = this.#world
    const now = clock.now()
    const claimed = await claimDomain(db.kysely, domain.id, { panel: this.#panel, now, until: now + leaseMs })
    if (!claimed) return null
    const own = { id: domain.id, panel: this.#panel }
    try {
      const looked = await this.#ownership.check(claimed, own, this.#stopping.signal)
      // The next look by itself may be a day away.
      if (looked && looked.held_name !== null && this.#issuance?.serves(looked.name))
        await wantCertificate(db.kysely, looked.id, clock.now())
      return looked
    } finally {
      await setOwn(db.kysely, own, { busy_until: 0, panel: null })
      void this.look()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort(new Error('the panel stops'))
    await this.#looking
    await Promise.all(this.#running.values())
    this.#issuance?.[Symbol.dispose]()
  }

  async #take(): Promise<void> {
    const { db, clock, log } = this.#world
    const room = atOnceMax - this.#running.size
    if (room <= 0) return
    const now = clock.now()
    const claim = { dialect: db.dialect, panel: this.#panel, now, until: now + leaseMs, most: room }
    for (const domain of await claimDomains(db.kysely, claim)) {
      const work = this.#serve(domain)
        .catch((error: unknown) => log.error({ err: error, domain: domain.name }, 'a domain could not be looked after'))
        .finally(() => this.#running.delete(domain.id))
      this.#running.set(domain.id, work)
    }
  }

  async #serve(claimed: DomainRow): Promise<void> {
    const { db, clock, log } = this.#world
    const own = { id: claimed.id, panel: this.#panel }
    const lost = new AbortController()
    const signal = AbortSignal.any([this.#stopping.signal, lost.signal])
    const renewing = setInterval(() => {
      setOwn(db.kysely, own, { busy_until: clock.now() + leaseMs }).then(
        (mine) => mine || lost.abort(new Error('the domain was taken or given up')),
        (error: unknown) => log.warn({ err: error }, 'a domain could not be kept; trying again'),
      )
    }, leaseRenewMs)
    try {
      let looked: Promise<DomainRow | null> | null = null
      const check = (): Promise<DomainRow | null> => {
        looked ??= this.#ownership.check(claimed, own, signal)
        return looked
      }
      const domain = claimed.check_at !== null && claimed.check_at <= clock.now() ? await check() : claimed
      if (!domain || domain.held_name === null || !this.#issuance) return
      if (this.#issuance.serves(domain.name) && (await tunnelKind(db.kysely, domain.tunnel_id)) === 'http') {
        await wantCertificate(db.kysely, domain.id, clock.now())
        await this.#issuance.serve(domain, own, check, signal)
      } else await setCertificate(db.kysely, own, { next_at: clock.now() + notNeededMs })
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      clearInterval(renewing)
      await setOwn(db.kysely, own, { busy_until: 0, panel: null })
    }
  }

  /** Certificates that wait for a tunnel which is open by now. */
  async #wake(): Promise<void> {
    const { db, clock, isOpen } = this.#world
    if (!this.#issuance) return
    const now = clock.now()
    const page = await waitingForTunnels(db.kysely, { after: this.#after, most: wakePage })
    this.#after = page.length < wakePage ? '' : (page.at(-1)?.id ?? '')
    const open = page.filter(({ tunnel_id: tunnelId }) => isOpen(tunnelId)).map(({ id }) => id)
    if (open.length > 0) await wakeCertificates(db.kysely, open, now)
  }

  /** A look that fails is done again a moment later; what is due waits in the database. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    if (this.#stopping.signal.aborted) return
    try {
      await work()
    } catch (error) {
      this.#world.log.error({ err: error }, 'could not look for domains that need something; trying again')
    }
  }
}

/** When to look again at a certificate that its tunnel, or the installation, has no use for at the moment, ms. */
const notNeededMs = 24 * 3_600_000

/** Waiting certificates that are looked at in one go. */
const wakePage = 500
