import type { TunnelGrant } from '../contract/edge.ts'
import type { TunnelRequest, VisitorHead } from '../contract/tunnel.ts'
import type { TunnelSettings } from '../contract/tunnel-settings.ts'
import { LinkError, type LinkStream } from '../link/index.ts'
import type { AccessDesk } from './access/desk.ts'
import { TunnelAccess } from './access/tunnel-access.ts'
import type { Admission } from './access/verdict.ts'
import type { TunnelMeter } from './counters.ts'
import type { TunnelTraffic } from './inspection/index.ts'
import type { Pacer } from './pacer.ts'
import type { Session } from './sessions.ts'
import { OverQuota, type Tenant } from './tenant.ts'
import { Way } from './way.ts'

/** Who comes, and by which entrance. */
export type Visitor = Omit<VisitorHead, 'tunnelId'>

/** A visitor's way to the service. */
export interface Visit {
  readonly stream: LinkStream
  /** The visitor is gone. Idempotent. */
  leave(): void
}

/** One agent's part of a tunnel. */
export interface Member {
  readonly session: Session
  readonly request: TunnelRequest
  /** What the agent says of its service. */
  healthy: boolean
}

/** A tunnel that is open: its names and ports lead through agents' links to their local services. */
export class Tunnel {
  /** What it is reached by; it may change while the tunnel is open. */
  grant: TunnelGrant
  readonly meter: TunnelMeter
  /** Where it is told who is here, and what they ask for. */
  readonly traffic: TunnelTraffic
  /** Who may visit it. */
  readonly access: TunnelAccess
  /** When it was opened, ms since 1970. */
  readonly since: number
  readonly #tenant: Tenant
  readonly #visitorsMax: number
  /** The visitors that each member serves, with what cuts them. */
  readonly #members = new Map<Member, Set<Cut>>()
  /** Whoever the rules have let in, with what cuts them. */
  readonly #admitted = new Set<Admitted>()
  readonly #stopHearing: () => void
  #settings: TunnelSettings
  #visitors = 0
  #ended = false

  constructor(options: {
    grant: TunnelGrant
    meter: TunnelMeter
    traffic: TunnelTraffic
    since: number
    tenant: Tenant
    visitorsMax: number
    desk: AccessDesk
  }) {
    this.grant = options.grant
    this.#settings = options.grant.settings ?? {}
    this.meter = options.meter
    this.traffic = options.traffic
    this.traffic.holders++
    this.traffic.configure(this.#settings.capture)
    this.since = options.since
    this.#tenant = options.tenant
    this.access = new TunnelAccess({
      tunnelId: options.grant.tunnelId,
      desk: options.desk,
      warningKey: () => options.tenant.warningKey,
    })
    this.access.rules = this.#settings.access ?? {}
    this.#stopHearing = options.desk.endedSessions.onEnd((id) => this.#judgeAgain((one) => one.person?.id === id))
    this.#visitorsMax = options.visitorsMax
  }

  get id(): string {
    return this.grant.tunnelId
  }

  /** How it treats its visitors at this moment. */
  get settings(): TunnelSettings {
    return this.#settings
  }

  set settings(settings: TunnelSettings) {
    this.#settings = settings
    this.traffic.configure(settings.capture)
    const paced = this.access.pacer !== null
    this.access.rules = settings.access ?? {}
    this.#judgeAgain(() => true)
    // A way that was opened without a rate cannot be given one: its visitor comes again.
    if (!paced && this.access.pacer !== null) this.cutVisitors()
  }

  get ended(): boolean {
    return this.#ended
  }

  get connections(): number {
    return this.#visitors
  }

  get members(): Member[] {
    return [...this.#members.keys()]
  }

  /** Its service speaks HTTP/2, as the agent says that came first. */
  get http2(): boolean {
    for (const { request } of this.#members.keys()) return request.kind === 'http' && request.http2 === true
    return false
  }

  /** Whether a way may carry the next request, too. */
  get keepsWays(): boolean {
    for (const { session } of this.#members.keys()) if (session.link.streamPerRequest) return false
    return true
  }

  /** Why its visitors are being cut. */
  get cutReason(): Error {
    if (this.#tenant.overQuota) return new OverQuota()
    const away = this.#ended || this.#members.size === 0
    return away
      ? new LinkError('lost', 'the agent is away')
      : new LinkError('closed', 'the visitors of the tunnel were cut')
  }

  join(member: Member): void {
    this.#members.set(member, new Set())
  }

  /** The agent is gone: its visitors are cut, those of others are not touched. Idempotent. */
  part(member: Member): void {
    const visitors = this.#members.get(member)
    this.#members.delete(member)
    for (const cut of visitors ?? []) cut()
  }

  /**
   * Lets one visitor connection in and opens its way to the service of the agent with the fewest visitors. The caller counts what it
   * carries with `meter`, closes the stream, and then calls `leave`. Where several agents share the tunnel, a stream that is refused before any
   * service has seen it goes over to another one by itself.
   * @param cut ends the visitor's connection; called when the tunnel or the agent ends.
   * Requests of HTTP have been judged before; everybody else is judged here.
   * @throws LinkError `limit` when it is full, `closed` when it has ended; OverQuota; AccessRefused.
   */
  visit(visitor: Visitor, cut: () => void): Visit {
    if (this.#ended) throw new LinkError('closed', 'the tunnel is closed')
    if (this.#visitors >= this.#visitorsMax)
      throw new LinkError('limit', 'the tunnel has as many visitors as it may have')
    const tenant = this.#tenant
    const admission = visitor.protocol === 'http' ? null : this.access.enter(visitor.address)
    tenant.enter()
    const head: VisitorHead = { tunnelId: this.id, ...visitor }
    const tried = new Set<Member>()
    let serving: Set<Cut> | undefined
    const own: Cut = () => cut()
    const next = (): LinkStream | null => {
      for (;;) {
        const member = this.#quietest(tried)
        if (!member) return null
        tried.add(member)
        try {
          const stream = member.session.link.open(head)
          serving?.delete(own)
          serving = this.#members.get(member)
          serving?.add(own)
          return stream
        } catch (error) {
          // Another agent may have room; the last one's reason is what the visitor learns.
          if (!(error instanceof LinkError) || !this.#quietest(tried)) throw error
        }
      }
    }
    let stream: LinkStream | null
    try {
      stream = next()
      if (!stream) throw new LinkError('closed', 'no agent serves the tunnel')
    } catch (error) {
      tenant.leave()
      throw error
    }
    this.#visitors++
    let here = true
    const forget = admission && this.admit(admission, cut)
    const plain = (this.#members.size === 1 || visitor.protocol === 'udp') && this.#pace() === null
    const way = plain ? stream : new Way(stream, { next: () => orNull(next), pacer: () => this.#pace() })
    tenant.charge(way)
    return {
      stream: way,
      leave: () => {
        if (!here) return
        here = false
        forget?.()
        this.#visitors--
        tenant.leave()
        serving?.delete(own)
      },
    }
  }

  /**
   * Keeps somebody whom the rules have let in: as soon as they would not any more, `cut` is called.
   * @returns forgets them again. Idempotent.
   */
  admit(admission: Admission, cut: () => void): () => void {
    const admitted: Admitted = { admission, cut }
    this.#admitted.add(admitted)
    return () => this.#admitted.delete(admitted)
  }

  /** Ends every visitor's connection; new ones may come. */
  cutVisitors(): void {
    for (const visitors of this.#members.values()) for (const cut of [...visitors]) cut()
  }

  /** Ends every visitor's connection and lets no more in. Idempotent. */
  end(): void {
    if (!this.#ended) {
      this.traffic.holders--
      this.#stopHearing()
      this.access[Symbol.dispose]()
    }
    this.#ended = true
    for (const member of this.members) this.part(member)
  }

  /** What its bytes have to pass: the rate of the workspace, and its own. */
  #pace(): Pick<Pacer, 'pass'> | null {
    const [shared, own] = [this.#tenant.pacer, this.access.pacer]
    if (!shared || !own) return shared ?? own
    return { pass: (bytes, go) => own.pass(bytes, () => shared.pass(bytes, go)) }
  }

  #judgeAgain(concerns: (admission: Admission) => boolean): void {
    for (const { admission, cut } of [...this.#admitted])
      if (concerns(admission) && !this.access.stays(admission)) cut()
  }

  /** Of those whose service is well, or of all where none is: checks can be wrong, and then the service itself gives the answer. */
  #quietest(tried: ReadonlySet<Member>): Member | undefined {
    let best: { member: Member; load: number } | undefined
    for (const [member, visitors] of this.#members) {
      if (tried.has(member)) continue
      const load = visitors.size + (member.healthy ? 0 : this.#visitorsMax + 1)
      if (!best || load < best.load) best = { member, load }
    }
    return best?.member
  }
}

type Cut = () => void

interface Admitted {
  readonly admission: Admission
  readonly cut: Cut
}

function orNull(next: () => LinkStream | null): LinkStream | null {
  try {
    return next()
  } catch {
    return null
  }
}
