import type { z } from 'zod'
import {
  type CertificateReason,
  type Domain,
  type DomainCertificate,
  type DomainRecord,
  domainsMax,
  domainsPerTunnelMax,
  type NewDomain,
} from '../../contract/api/domains.ts'
import { namesAreKnown } from '../../contract/edge.ts'
import { AppError, conflict, forbidden, invalidRequest, notFound } from '../../contract/errors.ts'
import { isoTime } from '../../lib/clock.ts'
import { newId, randomText } from '../../lib/ids.ts'
import { type DomainRow, isUniqueViolation, type TunnelRow } from '../db/index.ts'
import { hostsOf, urlOf } from '../tunnels/index.ts'
import { delegationTarget, Issuance, wildcardsOff } from './issuance.ts'
import { Keeper } from './keeper.ts'
import { askAgainMs } from './limits.ts'
import {
  below,
  challengeLabel,
  domainName,
  isWildcard,
  proofLabel,
  proofPrefix,
  reservedBy,
  shownName,
} from './name.ts'
import { checkView, KeptCheck, Ownership, proofOf } from './ownership.ts'
import { graceMs, stateOf } from './proof.ts'
import {
  certificateOf,
  countDomains,
  countOnTunnel,
  type DomainWithAll,
  domainOf,
  domainsWithAll,
  insertDomain,
  removeDomain,
  setDomain,
} from './store.ts'
import type { DomainsWorld } from './world.ts'

type View = z.input<typeof Domain>

/** Domains that workspaces have brought. Looks after them for as long as it lives. */
export class Domains implements AsyncDisposable {
  readonly #world: DomainsWorld
  readonly #ownership: Ownership
  readonly #keeper: Keeper

  constructor(world: DomainsWorld) {
    this.#world = world
    this.#ownership = new Ownership(world)
    this.#keeper = new Keeper(world, this.#ownership, world.acme && new Issuance(world, world.acme))
  }

  async all(workspaceId: string): Promise<View[]> {
    return (await domainsWithAll(this.#world.db.kysely, { workspaceId })).map((one) => this.#view(one))
  }

  async one(workspaceId: string, id: string): Promise<View> {
    await this.#find(workspaceId, id)
    const [found] = await domainsWithAll(this.#world.db.kysely, { id })
    if (!found) throw notFound(`Domain ${id}`)
    return this.#view(found)
  }

  /** Where visitors find a workspace's tunnels by its own domains, by tunnel. */
  async urls(workspaceId: string): Promise<ReadonlyMap<string, string[]>> {
    const urls = new Map<string, string[]>()
    for (const { url, tunnelId } of await this.all(workspaceId))
      if (url !== null) urls.set(tunnelId, [...(urls.get(tunnelId) ?? []), url])
    return urls
  }

  async create(workspaceId: string, input: z.output<typeof NewDomain>): Promise<View> {
    const { db, clock } = this.#world
    const parsed = domainName(input.name)
    if (!parsed.ok) throw invalidRequest('body.name', parsed.problem, 'a host name such as app.example.org')
    const { name } = parsed
    const reserved = reservedBy(name, this.#ownership.ownNames())
    if (reserved !== null)
      throw conflict(
        `${name} cannot be yours: ${reserved} belongs to this installation. Tunnels have names there anyway.`,
      )
    const tunnel = await this.#tunnel(workspaceId, input.tunnel)
    const id = newId('dom')
    try {
      await db.transact(async (trx) => {
        if ((await countDomains(trx, workspaceId)) >= domainsMax)
          throw forbidden(
            `The workspace has ${domainsMax} domains, the most there may be. Delete one that is not needed.`,
          )
        mustHaveRoom(await countOnTunnel(trx, tunnel.id), tunnel)
        await insertDomain(trx, {
          id,
          workspace_id: workspaceId,
          tunnel_id: tunnel.id,
          name,
          held_name: null,
          token: randomText(tokenChars),
          delegation: randomText(tokenChars),
          created_at: clock.now(),
          ...{ proved_at: null, lost_at: null, off_why: null, checked: null },
          check_at: clock.now(),
          ...{ busy_until: 0, panel: null },
        })
      })
    } catch (error) {
      if (!isUniqueViolation(error)) throw error
      throw conflict(`The workspace has ${name} already. Have it lead to another tunnel instead.`)
    }
    return this.one(workspaceId, id)
  }

  /** Has it lead to another tunnel. */
  async move(workspaceId: string, id: string, to: string): Promise<View> {
    const { db, changes } = this.#world
    const tunnel = await this.#tunnel(workspaceId, to)
    const before = await db.transact(async (trx) => {
      const domain = await domainOf(trx, workspaceId, id)
      if (!domain) throw notFound(`Domain ${id}`)
      if (domain.tunnel_id === tunnel.id) return tunnel.id
      mustHaveRoom(await countOnTunnel(trx, tunnel.id), tunnel)
      await setDomain(trx, id, { tunnel_id: tunnel.id })
      return domain.tunnel_id
    })
    if (before !== tunnel.id)
      // The one that has it asks first and lets go of it; the other order would do as well.
      for (const tunnelId of [before, tunnel.id]) await changes.publish({ of: 'tunnel', id: tunnelId })
    return this.one(workspaceId, id)
  }

  /** Looks at the DNS now; what is to be done for the certificate is done after that. */
  async check(workspaceId: string, id: string): Promise<View> {
    const { db, clock } = this.#world
    const domain = await this.#find(workspaceId, id)
    const lookedAt = domain.checked === null ? 0 : KeptCheck.parse(JSON.parse(domain.checked)).at
    if (clock.now() - lookedAt < askAgainMs)
      throw new AppError('rate_limited', 'This domain was looked at a moment ago. Wait some seconds.', {
        retryAfterSeconds: Math.ceil(askAgainMs / 1000),
      })
    const certificate = await certificateOf(db.kysely, id)
    if (certificate && certificate.order_url === null && certificate.problem !== null)
      await this.#tryAgain(id, certificate.failures)
    if (!(await this.#keeper.check(domain)))
      throw conflict('This domain is being looked at just now. Look again in some seconds.')
    return this.one(workspaceId, id)
  }

  async remove(workspaceId: string, id: string): Promise<void> {
    const { db, changes } = this.#world
    const tunnelId = await db.transact(async (trx) => {
      const domain = await domainOf(trx, workspaceId, id)
      if (!domain) throw notFound(`Domain ${id}`)
      await removeDomain(trx, id)
      return domain.tunnel_id
    })
    await changes.publish({ of: 'tunnel', id: tunnelId })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeper[Symbol.asyncDispose]()
  }

  async #find(workspaceId: string, id: string): Promise<DomainRow> {
    const domain = await domainOf(this.#world.db.kysely, workspaceId, id)
    if (!domain) throw notFound(`Domain ${id}`)
    return domain
  }

  /** Somebody has mended something: the pause is over. What the authority has refused often is not hurried. */
  async #tryAgain(id: string, failures: number): Promise<void> {
    if (failures > hurriedFailuresMax) return
    const { db, clock } = this.#world
    await db.kysely
      .updateTable('domain_certificates')
      .set({ next_at: clock.now() })
      .where('domain_id', '=', id)
      .where('next_at', '>', clock.now())
      .execute()
  }

  async #tunnel(workspaceId: string, meant: string): Promise<TunnelRow> {
    const all = await this.#world.tunnels.list(workspaceId)
    const tunnel = all.find(({ id }) => id === meant) ?? all.find(({ name }) => name === meant)
    if (!tunnel) throw notFound(`Tunnel ${meant}`)
    if (hostKind(tunnel) === null)
      throw conflict(
        `${tunnel.name} is reached by its port, not by a host name: set an address record for the edge in your zone, and use that name with the port.`,
      )
    return tunnel
  }

  #view({ domain, tunnel, slug, certificate }: DomainWithAll): View {
    const state = stateOf(proofOf(domain))
    return {
      id: domain.id,
      name: domain.name,
      displayName: shownName(domain.name),
      tunnelId: tunnel.id,
      tunnel: tunnel.name,
      state,
      url:
        domain.held_name === null
          ? null
          : this.#url(domain, tunnel, certificate?.certificate !== undefined && certificate?.certificate !== null),
      offAt: state === 'warned' && domain.lost_at !== null ? isoTime(domain.lost_at + graceMs) : null,
      records: this.#records(domain, tunnel, slug),
      check: checkView(domain),
      nextCheckAt: domain.check_at === null ? null : isoTime(domain.check_at),
      certificate: this.#certificate(domain, tunnel, certificate),
      createdAt: isoTime(domain.created_at),
    }
  }

  #url({ name }: DomainRow, tunnel: DomainWithAll['tunnel'], certified: boolean): string | null {
    const [reach] = this.#world.reaches(tunnel.id)
    const kind = hostKind(tunnel)
    if (!reach || kind === null || isWildcard(name)) return null
    const entrance = { kind, hosts: [name] }
    if (!certified) return urlOf(entrance, reach)
    return urlOf(entrance, { ...reach, scheme: 'https', httpPort: reach.httpPort === 80 ? 443 : reach.httpPort })
  }

  #records(domain: DomainRow, tunnel: DomainWithAll['tunnel'], slug: string): z.input<typeof DomainRecord>[] {
    const { reaches, acme } = this.#world
    const { name, token } = domain
    const host = below(name)
    const known = reaches(tunnel.id)
    const named = known.find((reach) => namesAreKnown(reach))
    const addresses = [...new Set(known.map((reach) => reach.host))]
    const target = named && hostsOf(tunnel.name, slug, named.base)[1]
    return [
      { purpose: 'ownership', type: 'TXT', name: `${proofLabel}.${host}`, value: proofPrefix + token },
      ...(target === undefined ? [] : [{ purpose: 'address' as const, type: 'CNAME' as const, name, value: target }]),
      ...addresses
        .filter((address) => isAddress(address))
        .map((value) => ({
          purpose: 'address' as const,
          type: value.includes(':') ? ('AAAA' as const) : ('A' as const),
          name,
          value,
        })),
      ...(isWildcard(name) && acme?.dns && tunnel.kind === 'http'
        ? [
            {
              purpose: 'certificate' as const,
              type: 'CNAME' as const,
              name: `${challengeLabel}.${host}`,
              value: delegationTarget(domain, acme.dns),
            },
          ]
        : []),
    ]
  }

  #certificate(
    { name, held_name: held }: DomainRow,
    tunnel: DomainWithAll['tunnel'],
    row: DomainWithAll['certificate'],
  ): z.input<typeof DomainCertificate> {
    const time = (ms: number | null | undefined): string | null => (ms == null ? null : isoTime(ms))
    const dates = { expiresAt: time(row?.expires_at), renewsAt: time(row?.renew_at) }
    const none = (reason: CertificateReason, message: string): z.input<typeof DomainCertificate> => ({
      ...{ state: 'none', reason, message, detail: null, expiresAt: null, renewsAt: null, nextAt: null },
    })
    const { acme } = this.#world
    if (tunnel.kind === 'tls')
      return none('own_certificate', 'The service itself shows its certificate: its TLS is passed through.')
    if (tunnel.kind !== 'http') return none('no_tls', 'Not needed: nobody speaks TLS to it.')
    if (acme === null)
      return none(
        'no_authority',
        'This installation makes no certificates: whoever runs it has set no authority (--acme-directory).',
      )
    if (isWildcard(name) && acme.dns === null) return none('no_zone', wildcardsOff)
    if (held === null)
      return {
        ...{ state: 'waiting', reason: 'not_proved', message: 'The certificate is made once the domain is proved.' },
        ...{ detail: null, ...dates, nextAt: null },
      }
    if (!row) return { state: 'waiting', reason: null, message: null, detail: null, ...dates, nextAt: null }
    const { reason, problem: message, detail } = row
    const rest = { reason, message, detail, ...dates, nextAt: time(row.next_at) }
    if (row.order_url !== null) return { state: 'ordering', ...rest }
    if (row.certificate !== null) return { state: 'issued', ...rest }
    return { state: row.failures > 0 ? 'failed' : 'waiting', ...rest }
  }
}

/** By what host names a tunnel is found; null where it has ports alone. */
export function hostKind({
  kind,
  entrance,
}: Pick<TunnelRow, 'kind' | 'entrance'>): 'http' | 'tls' | 'minecraft' | null {
  switch (kind) {
    case 'http':
    case 'tls':
    case 'minecraft':
      return kind
    case 'allocation':
      return entrance
    default:
      return null
  }
}

/** Out of reach of guessing: 124 bits. */
const tokenChars = 24

/** Failures in a row after which nobody hurries the authority any more: it counts them, and turns everybody away. */
const hurriedFailuresMax = 3

const isAddress = (host: string): boolean => /^[0-9.]+$|:/.test(host)

function mustHaveRoom(count: number, { name }: TunnelRow): void {
  if (count >= domainsPerTunnelMax)
    throw conflict(
      `${domainsPerTunnelMax} domains lead to ${name}, the most there may be. A wildcard is one for many names.`,
    )
}
