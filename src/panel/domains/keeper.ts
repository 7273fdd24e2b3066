import { DueWork, type Turn } from '../claims/index.ts'
import type { DomainRow } from '../db/index.ts'
import type { Issuance } from './issuance.ts'
import { atOnceMax, lookEveryMs } from './limits.ts'
import type { Ownership } from './ownership.ts'
import {
  dueDomains,
  setCertificate,
  tunnelKind,
  waitingForTunnels,
  wakeCertificates,
  wantCertificate,
} from './store.ts'
import type { DomainsWorld } from './world.ts'

/** Does what is due for domains: looks at the DNS, has certificates made and renewed. */
export class Keeper implements AsyncDisposable {
  readonly #world: DomainsWorld
  readonly #ownership: Ownership
  readonly #issuance: Issuance | null
  readonly #work: DueWork<'domains'>
  /** How far the search for tunnels that were opened has come. */
  #after = ''

  constructor(world: DomainsWorld, ownership: Ownership, issuance: Issuance | null) {
    this.#world = world
    this.#ownership = ownership
    this.#issuance = issuance
    const { db, clock, log } = world
    this.#work = new DueWork({
      ...{ db, clock, log, table: 'domains', due: dueDomains, lookEveryMs, atOnceMax },
      serve: (domain, turn) => this.#serve(domain, turn),
      atLook: () => this.#wake(),
    })
  }

  /** Looks now for what is due, and begins it. Never rejects. */
  look(): Promise<void> {
    return this.#work.look()
  }

  /** Looks at one domain in the DNS now, and goes on with its certificate afterwards; null while somebody else is at it. */
  async check(domain: DomainRow): Promise<DomainRow | null> {
    const { db, clock } = this.#world
    try {
      return await this.#work.withOne(domain.id, async (claimed, { own, signal }) => {
        const looked = await this.#ownership.check(claimed, own, signal)
        // The next look by itself may be a day away.
        if (looked && looked.held_name !== null && this.#issuance?.serves(looked.name))
          await wantCertificate(db.kysely, looked.id, clock.now())
        return looked
      })
    } finally {
      void this.look()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work[Symbol.asyncDispose]()
    this.#issuance?.[Symbol.dispose]()
  }

  async #serve(claimed: DomainRow, { own, signal }: Turn): Promise<void> {
    const { db, clock } = this.#world
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
}

/** When to look again at a certificate that its tunnel, or the installation, has no use for at the moment, ms. */
const notNeededMs = 24 * 3_600_000

/** Waiting certificates that are looked at in one go. */
const wakePage = 500
