import { z } from 'zod'
import { type CheckReason, checkReasons, type DomainCheck } from '../../contract/api/domains.ts'
import { isoTime } from '../../lib/clock.ts'
import { type Own, setOwn } from '../claims/index.ts'
import { type DomainRow, isUniqueViolation } from '../db/index.ts'
import { ownersToldMax } from './limits.ts'
import { Dns, type Look } from './look.ts'
import { below, isWildcard, proofLabel, reservedBy } from './name.ts'
import { judge, type ProofState, pauseUntilNext, stateOf } from './proof.ts'
import { domainById, ownersOf, rivalsOf, setDomain } from './store.ts'
import type { DomainsWorld } from './world.ts'

/** What is kept of the last look. */
export const KeptCheck = z.strictObject({
  at: z.int(),
  ownership: z.enum(['found', 'missing', 'unknown']),
  address: z.enum(['found', 'missing', 'unknown']),
  found: z.array(z.string()),
  reason: z.enum(checkReasons).nullable().default(null),
  message: z.string(),
})
export type KeptCheck = z.output<typeof KeptCheck>

/** Whose domains are: looks at the DNS and keeps what follows from it. */
export class Ownership {
  readonly #world: DomainsWorld
  readonly #dns: Dns

  constructor(world: DomainsWorld) {
    this.#world = world
    this.#dns = new Dns(world.dnsServers)
  }

  /** Looks now. Null: the domain was taken from this panel, or is gone. */
  async check(domain: DomainRow, own: Own, signal: AbortSignal): Promise<DomainRow | null> {
    const { db, clock } = this.#world
    const look = await this.#look(domain, signal)
    const now = clock.now()
    const reserved = reservedBy(domain.name, this.ownNames())
    const before = proofOf(domain)
    const refusal =
      reserved === null
        ? await this.#refusal(domain, look, signal)
        : { reason: 'reserved' as const, message: `${reserved} belongs to this installation` }
    let after = judge(before, refusal === null ? look.ownership : 'missing', now)
    if (reserved !== null && after.held)
      after = { ...after, held: false, lostAt: now, offWhy: refusal?.message ?? null }
    const checked: KeptCheck = { at: now, ...look, ...(refusal ?? this.#meaning(domain, look)) }
    const pause = pauseUntilNext(after, look.ownership, now - domain.created_at, Math.random())
    const change = {
      held_name: after.held ? domain.name : null,
      proved_at: after.provedAt,
      lost_at: after.lostAt,
      off_why: after.offWhy,
      checked: JSON.stringify(checked),
      check_at: pause === null ? null : now + pause,
    }
    try {
      if (!(await setOwn(db.kysely, 'domains', own, change))) return null
    } catch (error) {
      // Two workspaces proved it in the same moment: this one looks again and learns of the other.
      if (!isUniqueViolation(error)) throw error
      await setOwn(db.kysely, 'domains', own, { check_at: now })
      return null
    }
    const settled = (await domainById(db.kysely, domain.id)) ?? null
    if (settled) await this.#tell(settled, before, after)
    return settled
  }

  /** Host names that are the installation's own. */
  ownNames(): string[] {
    const { ownHost, acme, reaches } = this.#world
    const names = reaches().flatMap(({ base, host }) => [base, host])
    return [...new Set([...names, ...(ownHost === null ? [] : [ownHost]), ...(acme?.dns ? [acme.dns.zone] : [])])]
      .map((name) => name.toLowerCase().replace(/\.$/, ''))
      .filter((name) => name !== '')
  }

  #look(domain: DomainRow, signal: AbortSignal): Promise<Look> {
    return this.#dns.look(domain, [...new Set(this.#world.reaches().map(({ host }) => host))], signal)
  }

  /** Why a workspace that proves a name cannot have it yet. One that has lost its proof makes room at once for somebody who proves the same name. */
  async #refusal(domain: DomainRow, look: Look, signal: AbortSignal): Promise<Meaning | null> {
    if (look.ownership !== 'found' || domain.held_name !== null) return null
    for (const rival of await rivalsOf(this.#world.db.kysely, domain)) {
      const lost = rival.name === domain.name && (await this.#look(rival, signal)).ownership === 'missing'
      if (!lost)
        return {
          reason: 'taken',
          message: `Another workspace has proved that ${rival.name} is theirs. Remove its record at ${proofLabel}.${below(rival.name)} first, if that is your zone.`,
        }
      await this.#end(rival, 'Another workspace has proved that the domain is theirs')
    }
    return null
  }

  async #end(rival: DomainRow, why: string): Promise<void> {
    const { db, clock, changes } = this.#world
    const change = { held_name: null, lost_at: clock.now(), off_why: why, check_at: null }
    await setDomain(db.kysely, rival.id, change)
    await this.#warn(rival, 'domainOff', why)
    await changes.publish({ of: 'tunnel', id: rival.tunnel_id })
  }

  /** Edges learn what is served; people learn what is lost. */
  async #tell(domain: DomainRow, before: ProofState, after: ProofState): Promise<void> {
    const [was, is] = [stateOf(before), stateOf(after)]
    if (before.held !== after.held) await this.#world.changes.publish({ of: 'tunnel', id: domain.tunnel_id })
    if (was === is) return
    if (is === 'warned')
      await this.#warn(
        domain,
        'domainWarned',
        'Its ownership record is gone. It is served for three more days; set the record again before that',
      )
    if (is === 'off') await this.#warn(domain, 'domainOff', after.offWhy ?? 'its ownership record is gone')
  }

  async #warn(domain: DomainRow, operation: string, why: string): Promise<void> {
    const { db, log, activity, post } = this.#world
    log.info({ domain: domain.name, why }, 'a domain has lost its proof')
    activity.record({
      who: null,
      operation,
      permission: null,
      subject: domain.name,
      serverId: null,
      workspaceId: domain.workspace_id,
      address: null,
      userAgent: null,
      code: null,
    })
    for (const to of await ownersOf(db.kysely, domain.workspace_id, ownersToldMax))
      await post.send(domain.id, {
        to,
        subject: `The domain ${domain.name} is not proved any more`,
        text: `${domain.name}: ${why}.\n\nThe page "Domains" of your workspace shows the record, and what was found instead.\n`,
      })
  }

  #meaning({ name, token }: DomainRow, { ownership, address, found }: Look): Meaning {
    const record = `${proofLabel}.${below(name)}`
    if (ownership === 'unknown')
      return { reason: 'no_answer', message: 'The DNS did not answer. It is asked again by itself.' }
    if (ownership === 'missing') {
      if (found.some((line) => line.startsWith(`${record} CNAME`)))
        return {
          reason: 'alias',
          message: `${record} is an alias (CNAME). Set the TXT record itself there: an alias proves whose its target is.`,
        }
      if (found.some((line) => line.startsWith(`${record} TXT`) && !line.includes(token)))
        return {
          reason: 'other_record',
          message: `${record} has TXT records, but not this one. Add it; others may stay.`,
        }
      return {
        reason: 'no_record',
        message: `There is no TXT record at ${record} yet. Name servers may take some minutes to show a new one.`,
      }
    }
    if (address !== 'missing') return { reason: 'complete', message: 'Everything is set.' }
    return {
      reason: 'not_here',
      message: isWildcard(name)
        ? `The domain is yours. Names below it do not lead to this installation yet: set the address record for ${name}.`
        : 'The domain is yours, but does not lead to this installation yet: set the address record. Behind a proxy of others that is as it should be.',
    }
  }
}

/** What a look means, for programs and for people. */
interface Meaning {
  reason: CheckReason
  message: string
}

/** What the last look found, as the API shows it. */
export function checkView({ checked }: DomainRow): z.input<typeof DomainCheck> | null {
  if (checked === null) return null
  const { at, ...rest } = KeptCheck.parse(JSON.parse(checked))
  return { at: isoTime(at), ...rest }
}

export const proofOf = (row: DomainRow): ProofState => ({
  held: row.held_name !== null,
  provedAt: row.proved_at,
  lostAt: row.lost_at,
  offWhy: row.off_why,
})
