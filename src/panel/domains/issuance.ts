import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CertificateReason } from '../../contract/api/domains.ts'
import { newId } from '../../lib/ids.ts'
import type { Secret } from '../../lib/secret.ts'
import type { Own } from '../claims/index.ts'
import type { DomainCertificateRow, DomainRow } from '../db/index.ts'
import { type AcmeChallenge, AcmeClient, authorizationHash, type Order } from './acme/client.ts'
import { NameServerError, updateText } from './acme/dns-update.ts'
import { AcmeError } from './acme/http.ts'
import { alpnCertificate, certificateRequest, keyOf, newKey } from './acme/keys.ts'
import {
  budgetMs,
  conditionsPauseMs,
  freshProofMs,
  orderMs,
  orderPollMs,
  ordersMax,
  ordersPerWorkspaceMax,
} from './limits.ts'
import { Dns } from './look.ts'
import { below, challengeLabel, isWildcard } from './name.ts'
import { KeptCheck } from './ownership.ts'
import { dutyOf, type Method, methodFor, nextLook, nextTry, renewalIn, renewalTime } from './schedule.ts'
import {
  accountOf,
  certificateOf,
  countOrders,
  insertOrder,
  removeOrders,
  setAccountUrl,
  setCertificate,
} from './store.ts'
import type { AcmeSettings, DnsZone, DomainsWorld } from './world.ts'

/**
 * Makes the certificates of domains. Each step is written down before the next one, so an order that a panel was killed in goes on where it
 * was: at the authority, whose word about an order counts more than ours.
 */
export class Issuance implements Disposable {
  readonly #world: DomainsWorld
  readonly #acme: AcmeSettings
  readonly #dns: Dns
  #client: Promise<AcmeClient> | null = null

  constructor(world: DomainsWorld, acme: AcmeSettings) {
    this.#world = world
    this.#acme = acme
    this.#dns = new Dns(world.dnsServers)
  }

  /** Whether certificates of such a name can be made here at all. */
  serves(name: string): boolean {
    return !isWildcard(name) || this.#acme.dns !== null
  }

  /**
   * Does what is due for the certificate of a domain that this panel has for itself.
   * @param isProvedNow looks at the DNS again; null where the domain is not the workspace's any more
   */
  async serve(
    domain: DomainRow,
    own: Own,
    isProvedNow: () => Promise<DomainRow | null>,
    signal: AbortSignal,
  ): Promise<void> {
    const { db, clock, log } = this.#world
    const row = await certificateOf(db.kysely, domain.id)
    if (!row || domain.held_name === null) return
    try {
      switch (dutyOf(row, clock.now())) {
        case 'nothing':
          return
        case 'ask when to renew':
          return await this.#askWhenToRenew(row, own, signal)
        case 'go on with the order':
          return await this.#goOn(domain, row, own, signal)
        case 'order': {
          const ready = await this.#readyToOrder(domain, own, isProvedNow, signal)
          if (ready) await this.#goOn(domain, await this.#order(domain, own, signal), own, signal)
        }
      }
    } catch (error) {
      // What our own end or another panel has cut off is not the authority's failure: it goes on later.
      if (signal.aborted) return
      log.info({ err: error, domain: domain.name }, 'a certificate could not be made')
      await this.#failed(domain, own, error)
    }
  }

  [Symbol.dispose](): void {
    void this.#client?.then((client) => client[Symbol.dispose]()).catch(() => undefined)
  }

  /** Whether everything that an order needs is there, and it is counted; writes down what is missing. */
  async #readyToOrder(
    domain: DomainRow,
    own: Own,
    isProvedNow: () => Promise<DomainRow | null>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { db, clock } = this.#world
    const missing = (await this.#missing(domain, isProvedNow, signal)) ?? (await this.#overBudget(domain))
    if (missing === null) return true
    const { reason, problem, pauseMs } = missing
    await setCertificate(db.kysely, own, {
      reason,
      problem,
      detail: null,
      next_at: pauseMs === null ? null : clock.now() + pauseMs,
    })
    return false
  }

  async #missing(
    domain: DomainRow,
    isProvedNow: () => Promise<DomainRow | null>,
    signal: AbortSignal,
  ): Promise<Missing | null> {
    const { clock, isOpen } = this.#world
    if (!isOpen(domain.tunnel_id))
      return { reason: 'tunnel_closed', problem: 'The certificate is made once the tunnel is open.', pauseMs: null }
    // Looked at anew: what was there an hour ago may be somebody else's by now.
    const now = await isProvedNow()
    if (!now || now.held_name === null || now.lost_at !== null || clock.now() - (now.proved_at ?? 0) > freshProofMs)
      return {
        reason: 'not_proved',
        problem: 'The certificate is made once the ownership record is there.',
        pauseMs: hourMs,
      }
    // People who have just added it wait for it; behind a proxy of others it may never come.
    const pauseMs = clock.now() - domain.created_at < dayMs ? conditionsPauseMs : hourMs
    if (!isWildcard(domain.name)) {
      const { address } = KeptCheck.parse(JSON.parse(now.checked ?? 'null'))
      return address === 'found'
        ? null
        : {
            reason: 'not_here',
            problem: 'The certificate is made once the domain leads to this installation.',
            pauseMs,
          }
    }
    const { dns } = this.#acme
    if (dns === null) return { reason: 'no_zone', problem: wildcardsOff, pauseMs: dayMs }
    const target = delegationTarget(domain, dns)
    return (await this.#dns.delegated(domain.name, target, signal)) === 'found'
      ? null
      : {
          reason: 'not_delegated',
          problem: `The certificate is made once ${challengeLabel}.${below(domain.name)} is an alias (CNAME) of ${target}.`,
          pauseMs,
        }
  }

  /** Counts the order where there is room for it. */
  async #overBudget({ workspace_id: workspaceId, name }: DomainRow): Promise<Missing | null> {
    const { db, clock } = this.#world
    const since = clock.now() - budgetMs
    return db.transact(async (trx) => {
      await removeOrders(trx, since)
      if ((await countOrders(trx, since, workspaceId)) >= ordersPerWorkspaceMax)
        return {
          reason: 'workspace_budget',
          problem: overBudget(`workspace has ordered ${ordersPerWorkspaceMax}`),
          pauseMs: hourMs,
        }
      if ((await countOrders(trx, since)) >= ordersMax)
        return {
          reason: 'installation_budget',
          problem: overBudget(`installation has ordered ${ordersMax}`),
          pauseMs: hourMs,
        }
      await insertOrder(trx, { id: newId('ord'), workspace_id: workspaceId, name, at: clock.now() })
      return null
    })
  }

  async #order(domain: DomainRow, own: Own, signal: AbortSignal): Promise<DomainCertificateRow> {
    const { db, clock, sealer } = this.#world
    const client = await this.#known(signal)
    const key = newKey()
    const { url } = await client.newOrder(domain.name, signal)
    const change = {
      order_url: url,
      order_key: sealer.seal(key, keyPurpose(domain.id)),
      order_began_at: clock.now(),
      ...noProblem,
      next_at: clock.now(),
    }
    if (!(await setCertificate(db.kysely, own, change))) throw new Error('the domain was given up meanwhile')
    const row = await certificateOf(db.kysely, domain.id)
    if (!row) throw new Error('the domain was given up meanwhile')
    return row
  }

  /** Asks the authority how the order stands and does what comes next, until it has ended. */
  async #goOn(domain: DomainRow, row: DomainCertificateRow, own: Own, signal: AbortSignal): Promise<void> {
    const { clock, sealer, isOpen } = this.#world
    const { order_url: url, order_key: sealedKey, order_began_at: began, failures } = row
    if (url === null || sealedKey === null || began === null) return
    const client = await this.#known(signal)
    const key = sealer.open(sealedKey, keyPurpose(domain.id))
    const method = methodFor(isWildcard(domain.name), this.#acme.challenge, failures)
    await using answer = new AsyncDisposableStack()
    let answered = false
    for (;;) {
      const { order, retryAfterMs } = await client.order(url, signal)
      if (order.status === 'valid') return await this.#take(domain, own, key, order, client, signal)
      if (order.status === 'invalid') throw await whyInvalid(client, order, signal)
      if (order.status === 'ready')
        await client.finalize(order.finalize, await certificateRequest(domain.name, key), signal)
      // After a restart edges come back a moment later: an answer that none of them has would be missed.
      if (order.status === 'pending' && !answered && (method === 'dns-01' || isOpen(domain.tunnel_id))) {
        for (const authorization of order.authorizations) {
          const { status, challenges } = await client.authorization(authorization, signal)
          if (status !== 'pending') continue
          const challenge = challenges.find(({ type }) => type === method)
          if (!challenge) throw new AcmeError('unsupported', `The certificate authority offers no ${method}`, null)
          await this.#answer(domain, challenge, method, client, answer, signal)
          if (challenge.status === 'pending') await client.accept(challenge.url, signal)
        }
        answered = true
      }
      if (clock.now() - began > orderMs)
        throw new AcmeError('slow', 'The certificate authority did not come to an end within 15 minutes', null)
      await clock.sleep(Math.min(retryAfterMs ?? orderPollMs, retryAfterPollMs), signal)
    }
  }

  /** Puts the answer of a challenge where the authority looks; `cleanup` takes it away again. */
  async #answer(
    domain: DomainRow,
    { token }: AcmeChallenge,
    method: Method,
    client: AcmeClient,
    cleanup: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<void> {
    const { answers, clock } = this.#world
    if (token === undefined)
      throw new AcmeError('unreadable', 'The certificate authority gave a challenge no token', null)
    const keyAuthorization = await client.keyAuthorization(token)
    const host = below(domain.name)
    if (method === 'dns-01') {
      const { dns } = this.#acme
      if (dns === null) throw new Error(wildcardsOff)
      const name = delegationTarget(domain, dns)
      const text = authorizationHash(keyAuthorization).toString('base64url')
      cleanup.defer(() => this.#removeText(dns, name, text))
      await updateText(dns, { do: 'add', name, text }, Math.floor(Date.now() / 1000), signal)
      await clock.sleep(dns.waitMs, signal)
      return
    }
    cleanup.defer(() => answers.withdraw(token))
    if (method === 'http-01') {
      await answers.offer({ type: 'http-01', host, token, keyAuthorization })
      return
    }
    const { certificate, key } = await alpnCertificate(host, keyAuthorization)
    await answers.offer({ type: 'tls-alpn-01', host, token, certificate, key: key.reveal() })
  }

  /** Also when the panel stops: nothing is left in the zone that need not be. */
  async #removeText(dns: DnsZone, name: string, text: string): Promise<void> {
    try {
      const change = { do: 'remove', name, text } as const
      await updateText(dns, change, Math.floor(Date.now() / 1000), AbortSignal.timeout(cleanupMs))
    } catch (error) {
      this.#world.log.warn({ err: error, name }, 'the record of a certificate could not be removed again')
    }
  }

  /** Takes the certificate of an order that has ended well. */
  async #take(
    domain: DomainRow,
    own: Own,
    key: Secret,
    order: Order,
    client: AcmeClient,
    signal: AbortSignal,
  ): Promise<void> {
    const { db, clock, sealer, changes, log } = this.#world
    if (order.certificate === undefined)
      throw new AcmeError('unreadable', 'The certificate authority ended the order without a certificate', null)
    const pem = await client.certificate(order.certificate, signal)
    const { from, to } = certified(pem, domain.name, key)
    const renewAt = renewalTime(from, to, Math.random())
    const now = clock.now()
    const kept = await setCertificate(db.kysely, own, {
      certificate: pem,
      key: sealer.seal(key, keyPurpose(domain.id)),
      expires_at: to,
      renew_at: renewAt,
      ...noOrder,
      failures: 0,
      ...noProblem,
      next_at: nextLook(renewAt, now),
    })
    if (!kept) return
    log.info({ domain: domain.name, until: new Date(to) }, 'a certificate was made')
    await changes.publish({ of: 'tunnel', id: domain.tunnel_id })
  }

  async #askWhenToRenew(row: DomainCertificateRow, own: Own, signal: AbortSignal): Promise<void> {
    const { db, clock, log } = this.#world
    let renewAt = row.renew_at ?? clock.now()
    try {
      const client = await this.#known(signal)
      const window = await client.renewalWindow(row.certificate ?? '', signal)
      if (window) renewAt = renewalIn(window, renewAt, Math.random())
    } catch (error) {
      // It is renewed as planned then.
      log.info({ err: error }, 'the certificate authority could not be asked when to renew')
    }
    const next = nextLook(renewAt, clock.now())
    await setCertificate(db.kysely, own, { renew_at: renewAt, next_at: Math.max(next, clock.now() + minuteMs) })
  }

  async #failed(domain: DomainRow, own: Own, error: unknown): Promise<void> {
    const { db, clock } = this.#world
    const row = await certificateOf(db.kysely, domain.id)
    if (!row) return
    const now = clock.now()
    const known = error instanceof AcmeError ? error : null
    if (known?.kind === 'accountDoesNotExist') {
      await setAccountUrl(db.kysely, this.#acme.directory, null)
      this.#forget()
    }
    const said = {
      problem: error instanceof Error ? error.message : 'unknown reason',
      ...reasonOf(error),
    }
    // An authority that is away says nothing about the order: it goes on when it is back.
    if (known?.kind === 'unreachable' && row.order_url !== null && now - (row.order_began_at ?? 0) < orderMs) {
      await setCertificate(db.kysely, own, { ...said, next_at: now + conditionsPauseMs })
      return
    }
    const failures = row.failures + 1
    await setCertificate(db.kysely, own, {
      ...noOrder,
      failures,
      ...said,
      next_at: nextTry(failures, now, known?.retryAfterMs ?? null),
    })
  }

  /** The client with its account; one that could not be had is tried again the next time. */
  #known(signal: AbortSignal): Promise<AcmeClient> {
    this.#client ??= this.#signUp(signal).catch((error: unknown) => {
      this.#client = null
      throw error
    })
    return this.#client
  }

  #forget(): void {
    this[Symbol.dispose]()
    this.#client = null
  }

  async #signUp(signal: AbortSignal): Promise<AcmeClient> {
    const { db, clock, sealer } = this.#world
    const { directory, email, root } = this.#acme
    const purpose = `acme account ${directory}`
    const account = await accountOf(db.kysely, directory, {
      key: sealer.seal(newKey(), purpose),
      created_at: clock.now(),
    })
    const key = keyOf(sealer.open(account.key, purpose))
    const client = new AcmeClient({ directory, root, key, account: account.url })
    try {
      if (account.url === null) await setAccountUrl(db.kysely, directory, await client.signUp(email, signal))
      return client
    } catch (error) {
      client[Symbol.dispose]()
      throw error
    }
  }
}

/** The name in the operator's zone that `_acme-challenge` of a domain must lead to. */
export const delegationTarget = (
  { delegation }: Pick<DomainRow, 'delegation'>,
  { zone }: Pick<DnsZone, 'zone'>,
): string => `${delegation}.${zone.toLowerCase().replace(/\.$/, '')}`

/** What the key of a domain's certificate is sealed for. */
export const keyPurpose = (domainId: string): string => `${domainId} certificate`

/** Why a wildcard has no certificate. */
export const wildcardsOff =
  'This installation makes no certificates for wildcards: whoever runs it has set no zone for them (--acme-dns-zone).'

const noProblem = { reason: null, problem: null, detail: null }

const noOrder = { order_url: null, order_key: null, order_began_at: null }

/** The longest pause between two looks at an order, ms. */
const retryAfterPollMs = 30_000

/** What cleaning up may take when the panel stops, ms. */
const cleanupMs = 5_000

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** What an order waits for, in words, and when to look again; null: when the tunnel is open. */
interface Missing {
  reason: CertificateReason
  problem: string
  pauseMs: number | null
}

const overBudget = (who: string): string =>
  `The ${who} certificates within a week, the most it may. The next one is made when there is room.`

/** From when to when it is valid, ms since 1970. Throws where it is not what was ordered. */
function certified(pem: string, name: string, key: Secret): { from: number; to: number } {
  try {
    const leaf = new X509Certificate(pem)
    const names = (leaf.subjectAltName ?? '').toLowerCase().split(', ')
    if (!names.includes(`dns:${name}`)) throw new Error('it is for another name')
    if (!leaf.checkPrivateKey(createPrivateKey(key.reveal()))) throw new Error('it is for another key')
    return { from: Date.parse(leaf.validFrom), to: Date.parse(leaf.validTo) }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown reason'
    throw new AcmeError('unreadable', `The certificate authority gave a certificate that is of no use: ${why}`, null, {
      cause,
    })
  }
}

/** In the words of the challenge that failed: the order itself often says nothing. */
async function whyInvalid(client: AcmeClient, order: Order, signal: AbortSignal): Promise<AcmeError> {
  for (const url of order.authorizations) {
    const { challenges } = await client.authorization(url, signal)
    const detail = challenges.find(({ status }) => status === 'invalid')?.error?.detail
    if (detail !== undefined)
      return new AcmeError('invalid', `The certificate authority could not validate the domain: ${detail}`, null, {
        detail,
      })
  }
  const detail = order.error?.detail ?? 'it says no more'
  return new AcmeError('refused', `The certificate authority refused the order: ${detail}`, null, { detail })
}

/** For programs, with what others have said of it. */
function reasonOf(error: unknown): { reason: CertificateReason; detail: string | null } {
  if (error instanceof NameServerError) return { reason: 'name_server', detail: error.message }
  if (!(error instanceof AcmeError)) return { reason: 'internal', detail: null }
  const { kind, detail } = error
  switch (kind) {
    case 'unreachable':
    case 'unreadable':
    case 'unsupported':
    case 'slow':
      return { reason: kind, detail }
    case 'invalid':
      return { reason: 'not_validated', detail }
    default:
      return { reason: 'refused', detail }
  }
}
