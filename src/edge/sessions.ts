import type { AgentIdentity, Entrance, OpenTunnel, Revocation, TunnelGrant, WorkspaceLimits } from '../contract/edge.ts'
import {
  AgentHello,
  AgentMessage,
  type AgentWelcome,
  type EdgeEndpoint,
  type EdgeMessage,
  type TunnelRequest,
  type VisitorHead,
} from '../contract/tunnel.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { Secret } from '../lib/secret.ts'
import { Signal } from '../lib/signals.ts'
import {
  type Greeted,
  LinkError,
  type LinkErrorCode,
  type LinkEvents,
  type LinkStream,
  type ReadSource,
} from '../link/index.ts'
import type { AccessDesk } from './access/desk.ts'
import { type ControlPlane, type EdgeOrders, Refusal } from './control-plane.ts'
import type { Counters } from './counters.ts'
import { hasPorts, type Ingresses } from './ingress/ingresses.ts'
import type { Traffic } from './inspection/index.ts'
import type { EdgeLimits } from './limits.ts'
import type { Release } from './release.ts'
import type { Routing } from './routing.ts'
import type { Shares } from './shares.ts'
import { noLimits, Tenant } from './tenant.ts'
import { type Member, Tunnel } from './tunnel.ts'

/** What the edge needs of an agent's link, whatever protocol the agent speaks. */
export interface AgentLink {
  open(head: VisitorHead): LinkStream
  send(message: EdgeMessage): void
  close(reason: string): void
  readonly closed: Promise<unknown>
  /** Left out where it carries none. */
  readonly datagrams?: { readonly dropped: number }
  /** Each request takes a stream of its own: the agent has few, and none must wait idle for the next request. */
  readonly streamPerRequest?: boolean
}

/** What an agent's hello is answered with. */
export interface GreetedAgent extends Greeted {
  welcome: AgentWelcome
  events: LinkEvents & { onMessage(message: unknown): void; onRead(bytes: number, source: ReadSource): void }
  opened(link: AgentLink): void
  /** Opens a tunnel as the message does, unless somebody serves it by then. */
  claimBack(ref: string, request: TunnelRequest): void
}

/** An agent that is linked. */
export interface Session {
  readonly identity: AgentIdentity
  /** Kept so that it can be verified again after the control plane was out of reach. */
  readonly credential: Secret
  readonly link: AgentLink
  readonly address: string
  /** Its part of open tunnels, by their id. */
  readonly tunnels: Map<string, { tunnel: Tunnel; member: Member }>
  /** Requests that wait for the control plane. */
  pending: number
  ended: boolean
}

export interface SessionsOptions {
  controlPlane: () => ControlPlane
  routing: Routing<Tunnel>
  ingresses: Ingresses
  counters: Counters
  /** Of what is read off agents' links. */
  shares: Shares
  release: Pick<Release, 'charge'>
  traffic: Traffic
  desk: AccessDesk
  limits: EdgeLimits
  clock: Clock
  log: Log
  /** The edge's public host, for the welcome. */
  host: string
}

/**
 * Who is linked and what they have open. A tunnel belongs to the session that opened it last, or to all that opened it as a pool: an
 * agent that comes back over a new link takes its tunnels over at once, and the late end of its old link finds that it owns nothing any more.
 */
export class Sessions implements EdgeOrders {
  /** News: tunnels were opened or closed. */
  readonly changed = new Signal<void>()
  /** News: the last agent of the tunnel with this id has gone, or has given it up. */
  readonly freed = new Signal<string>()
  readonly #options: SessionsOptions
  readonly #sessions = new Set<Session>()
  readonly #byCredential = new Map<string, number>()
  readonly #tunnels = new Map<string, Tunnel>()
  readonly #workspaces = new Map<string, { tenant: Tenant; open: number }>()
  #edges: EdgeEndpoint[] = []
  #draining = false
  /** One after the other: two tunnels may change names with each other. */
  #regrants: Promise<void> = Promise.resolve()
  #greetings = 0
  /** For each open that is under way: the tunnels whose grants have changed since. */
  readonly #opening = new Set<Set<string>>()
  /** Counts revocations: an answer of the control plane that one has overtaken is asked for again. */
  #revocations = 0
  /** Of links that have ended. */
  #datagramsDropped = 0

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /** Judges an agent's hello. Throws a LinkError to refuse. */
  async greet(hello: unknown, from: { remoteAddress: string }): Promise<GreetedAgent> {
    const { limits, host } = this.#options
    const parsed = AgentHello.safeParse(hello)
    if (!parsed.success)
      throw new LinkError('refused', 'This is an edge: it takes links of agents that speak version 1.')
    if (this.#sessions.size + this.#greetings >= limits.sessionsMax)
      throw new LinkError('limit', 'This edge has as many agents as it may have.')
    if (this.#greetings >= limits.greetingsMax)
      throw new LinkError('limit', 'Too many agents arrive at this moment; try again.')
    const credential = new Secret(parsed.data.credential)
    this.#greetings++
    try {
      const { identity, asOf } = await this.#verify(credential, from.remoteAddress)
      if ((this.#byCredential.get(credentialKey(identity)) ?? 0) >= limits.sessionsPerCredentialMax)
        throw new LinkError(
          'limit',
          `This credential has ${limits.sessionsPerCredentialMax} links to this edge already.`,
        )
      let session: Session | undefined
      const { shares } = this.#options
      const tenant = identity.kind === 'key' ? identity.workspaceId : credentialKey(identity)
      const welcome: AgentWelcome = { edge: host, slug: identity.kind === 'key' ? identity.slug : null }
      return {
        welcome,
        events: {
          onStream: (stream) => stream.destroy(new LinkError('refused', 'An edge takes no streams from agents.')),
          onMessage: (message) => {
            if (session) this.#onMessage(session, message)
          },
          onRead: (bytes, source) => {
            if (!shares.spend(tenant, bytes)) shares.wait(tenant, source)
          },
        },
        opened: (link) => {
          session = {
            identity,
            credential,
            link,
            address: from.remoteAddress,
            tunnels: new Map(),
            pending: 0,
            ended: false,
          }
          this.#begin(session, asOf)
        },
        claimBack: (ref, request) => {
          if (session) void this.#open(session, ref, request, true)
        },
      }
    } finally {
      this.#greetings--
    }
  }

  /** Whether more than one workspace has tunnels open. */
  get shared(): boolean {
    return this.#workspaces.size > 1
  }

  /** Connections of visitors, and flows, in all tunnels. */
  get visitors(): number {
    return [...this.#tunnels.values()].reduce((sum, { connections }) => sum + connections, 0)
  }

  /** Datagrams that links of agents did not take, since this edge began. */
  get datagramsDropped(): number {
    const now = [...this.#sessions].reduce((sum, { link }) => sum + (link.datagrams?.dropped ?? 0), 0)
    return this.#datagramsDropped + now
  }

  /** Agents that are linked. */
  get count(): number {
    return this.#sessions.size
  }

  /** An open tunnel. */
  tunnel(tunnelId: string): Tunnel | undefined {
    return this.#tunnels.get(tunnelId)
  }

  /** What is open now. */
  open(): OpenTunnel[] {
    return [...this.#tunnels.values()].map((tunnel) => ({
      tunnelId: tunnel.id,
      since: tunnel.since,
      agentAddress: tunnel.members[0]?.session.address ?? '',
      connections: tunnel.connections,
    }))
  }

  /** Lets the peaks know how many tunnels each workspace has open: at each change, and now and then for the day that begins. */
  notePeaks(): void {
    for (const [workspaceId, { open }] of this.#workspaces) this.#notePeak(workspaceId, open)
  }

  setLimits(workspaceId: string, limits: WorkspaceLimits): void {
    const workspace = this.#workspaces.get(workspaceId)
    if (!workspace) return
    const { tenant } = workspace
    const paced = tenant.pacer !== null
    tenant.limits = limits
    // A way that was opened without a rate cannot be given one: its visitor comes again.
    if (!tenant.overQuota && (paced || tenant.pacer === null)) return
    for (const tunnel of this.#tunnels.values()) if (tunnel.grant.workspaceId === workspaceId) tunnel.cutVisitors()
  }

  setEdges(edges: EdgeEndpoint[]): void {
    this.#edges = edges
    for (const session of this.#sessions) this.#tellEdges(session)
  }

  /** Tells every agent, now and later, that this edge ends soon. */
  drain(): void {
    this.#draining = true
    for (const session of this.#sessions) tell(session, { type: 'draining' })
  }

  revoke(revocation: Revocation, reason: string): number {
    this.#revocations++
    if (revocation.of === 'tunnel') this.#options.traffic.find(revocation.tunnelId)?.erase('all')
    let closed = 0
    for (const session of [...this.#sessions]) {
      if (!isOf(session.identity, revocation)) continue
      session.link.close(reason)
      this.#end(session)
      closed++
    }
    for (const tunnel of [...this.#tunnels.values()]) {
      const hit =
        (revocation.of === 'tunnel' && tunnel.id === revocation.tunnelId) ||
        (revocation.of === 'workspace' && tunnel.grant.workspaceId === revocation.workspaceId)
      if (!hit) continue
      this.#close(tunnel, reason, revocation.of === 'workspace')
      closed++
    }
    this.#options.log.info({ revocation, closed }, 'revoked')
    return closed
  }

  regrant(tunnelId: string): void {
    for (const changed of this.#opening) changed.add(tunnelId)
    this.#regrants = this.#regrants.then(async () => {
      try {
        await this.#regrant(tunnelId)
      } catch (error) {
        this.#options.log.error({ err: error, tunnelId }, 'a tunnel could not be given its new names')
      }
    })
  }

  recheck(): void {
    const waiting = [...this.#sessions]
    this.#options.traffic.forgetAllBut(new Set(this.#tunnels.keys()))
    const work = async (): Promise<void> => {
      for (let session = waiting.pop(); session; session = waiting.pop()) await this.#recheck(session)
    }
    for (let workers = 0; workers < rechecksAtOnce; workers++) void work()
  }

  #begin(session: Session, asOf: number): void {
    this.#sessions.add(session)
    const key = credentialKey(session.identity)
    this.#byCredential.set(key, (this.#byCredential.get(key) ?? 0) + 1)
    void session.link.closed.then(() => this.#end(session))
    this.#tellEdges(session)
    if (this.#draining) tell(session, { type: 'draining' })
    if (asOf !== this.#revocations) void this.#recheck(session)
  }

  #end(session: Session): void {
    if (session.ended) return
    session.ended = true
    this.#datagramsDropped += session.link.datagrams?.dropped ?? 0
    this.#sessions.delete(session)
    const key = credentialKey(session.identity)
    const others = (this.#byCredential.get(key) ?? 1) - 1
    if (others === 0) this.#byCredential.delete(key)
    else this.#byCredential.set(key, others)
    for (const { tunnel, member } of [...session.tunnels.values()]) this.#part(tunnel, member)
  }

  #onMessage(session: Session, message: unknown): void {
    const parsed = AgentMessage.safeParse(message)
    if (!parsed.success) {
      session.link.close('the agent sent a message that this edge does not understand')
      return
    }
    const news = parsed.data
    switch (news.type) {
      case 'open':
        void this.#open(session, news.ref, news.tunnel, false)
        break
      case 'close': {
        const part = session.tunnels.get(news.tunnelId)
        if (part) this.#part(part.tunnel, part.member)
        break
      }
      case 'health': {
        const part = session.tunnels.get(news.tunnelId)
        if (part) part.member.healthy = news.healthy
        break
      }
    }
  }

  /** @param ifFree not if another agent serves it. */
  async #open(session: Session, ref: string, request: TunnelRequest, ifFree: boolean): Promise<void> {
    const { limits, log } = this.#options
    const refuse = (code: Refusal['code'], message: string): void =>
      tell(session, { type: 'refused', ref, code, message })
    if (
      session.pending >= limits.pendingOpensPerSessionMax ||
      session.tunnels.size + session.pending >= limits.tunnelsPerSessionMax
    ) {
      refuse('limit', `One agent may have ${limits.tunnelsPerSessionMax} tunnels open.`)
      return
    }
    session.pending++
    const changed = new Set<string>()
    this.#opening.add(changed)
    try {
      for (let bound = false; !bound; ) {
        changed.clear()
        const grant = await this.#claim(session.identity, request)
        try {
          for (const entrance of grant.entrances) await this.#listen(entrance)
          // A rule that has overtaken the grant would be missed otherwise.
          bound = !changed.has(grant.tunnelId)
          if (bound && ifFree && this.#tunnels.has(grant.tunnelId))
            throw new Refusal('taken', `${grant.url} is served by another agent.`)
          if (bound) this.#bind(session, request, grant, ref)
        } finally {
          this.#release(grant)
        }
      }
    } catch (error) {
      if (error instanceof Refusal) refuse(error.code, error.message)
      else {
        log.error({ err: error, request }, 'a tunnel could not be opened')
        refuse('unavailable', 'The edge could not open the tunnel; its log says why.')
      }
    } finally {
      this.#opening.delete(changed)
      session.pending--
    }
  }

  async #listen(entrance: Entrance): Promise<void> {
    const { ingresses, log } = this.#options
    if (!hasPorts(entrance)) {
      if (!ingresses.hosts.has(entrance.kind)) throw notServed(entrance.kind)
      return
    }
    const ingress = ingresses.ports[entrance.kind]
    if (!ingress) throw notServed(entrance.kind)
    const last = entrance.port + entrance.ports - 1
    for (let port = entrance.port; port <= last; port++)
      try {
        await ingress.listen(port)
      } catch (error) {
        if (!(error instanceof Error)) throw error
        log.warn({ err: error, port, kind: entrance.kind }, 'a tunnel port cannot be listened on')
        throw new Refusal('unavailable', `Port ${port} (${entrance.kind}) of the edge is used by something else.`)
      }
  }

  /** Stops listening on those of its ports that nobody is bound to. */
  #release(grant: TunnelGrant): void {
    for (const entrance of grant.entrances.filter(hasPorts))
      for (let port = entrance.port; port < entrance.port + entrance.ports; port++)
        this.#options.ingresses.ports[entrance.kind]?.release(port)
  }

  /** Makes the grant effective, in one turn: nobody sees half of it. */
  #bind(session: Session, request: TunnelRequest, grant: TunnelGrant, ref: string): void {
    const { routing, counters, traffic, desk, clock, limits } = this.#options
    const { tunnelId, workspaceId, entrances } = grant
    if (session.ended) return
    for (const entrance of entrances)
      for (const owner of routing.ownersOf(entrance))
        if (owner.id !== tunnelId) throw new Refusal('taken', `${grant.url} is served by another tunnel.`)
    const member: Member = { session, request, healthy: true }
    const former = this.#tunnels.get(tunnelId)
    const shared = former && isPool(request) && former.members.every((other) => isPool(other.request)) ? former : null
    if (shared && sameEntrances(shared.grant, grant)) {
      const own = session.tunnels.get(tunnelId)
      if (!own && shared.members.length >= limits.agentsPerTunnelMax)
        throw new Refusal('limit', `${limits.agentsPerTunnelMax} agents serve this tunnel, the most there may be.`)
      // Before the first visitor's stream, so that the agent knows the tunnel when that comes.
      tell(session, { type: 'opened', ref, tunnelId, url: grant.url })
      shared.join(member)
      session.tunnels.set(tunnelId, { tunnel: shared, member })
      if (own) shared.part(own.member)
      this.setLimits(workspaceId, grant.limits ?? noLimits)
      shared.settings = grant.settings ?? {}
      return
    }
    let meter: Tunnel['meter']
    try {
      meter = counters.meter(tunnelId, workspaceId)
    } catch (error) {
      if (error instanceof RangeError)
        throw new Refusal('limit', `The edge cannot count another tunnel: ${error.message}.`)
      throw error
    }
    // Before its first tunnel ends with the former owner's, so that it is still the same tenant.
    this.#count(workspaceId, 1)
    const tenant = this.#tenantOf(workspaceId)
    this.setLimits(workspaceId, grant.limits ?? noLimits)
    const tunnel = new Tunnel({
      grant,
      meter,
      traffic: traffic.of(tunnelId, workspaceId),
      since: clock.now(),
      tenant,
      visitorsMax: limits.visitorsPerTunnelMax,
      desk,
    })
    tunnel.join(member)
    tell(session, { type: 'opened', ref, tunnelId, url: grant.url })
    this.#tunnels.set(tunnelId, tunnel)
    if (former) this.#supersede(former, session)
    session.tunnels.set(tunnelId, { tunnel, member })
    for (const entrance of entrances) routing.bind(entrance, tunnel)
    if (former) this.#unbind(former)
    this.#notePeak(workspaceId, this.#workspaces.get(workspaceId)?.open ?? 1)
    this.changed.emit()
  }

  /** Claims it again, and with it whoever has what it is to have: then both change in one turn. */
  async #regrant(tunnelId: string): Promise<void> {
    const { routing } = this.#options
    const news = new Map<Tunnel, TunnelGrant>()
    const asked = new Set<Tunnel>()
    const first = this.#tunnels.get(tunnelId)
    for (const queue = first ? [first] : []; queue.length > 0; ) {
      const tunnel = queue.shift()
      if (!tunnel || asked.has(tunnel)) continue
      asked.add(tunnel)
      const grant = await this.#claimAgain(tunnel)
      if (!grant) continue
      tunnel.settings = grant.settings ?? {}
      if (sameEntrances(grant, tunnel.grant)) continue
      news.set(tunnel, grant)
      for (const entrance of grant.entrances) queue.push(...routing.ownersOf(entrance))
    }
    for (const tunnel of news.keys())
      for (const entrance of tunnel.ended ? [] : tunnel.grant.entrances) routing.unbind(entrance, tunnel)
    for (const [tunnel, grant] of news) {
      if (tunnel.ended) continue
      const before = tunnel.grant
      tunnel.grant = grant
      const others = grant.entrances.flatMap((entrance) => [...routing.ownersOf(entrance)])
      if (others.some((owner) => owner !== tunnel))
        this.#close(tunnel, `${grant.url} is served by another tunnel.`, true)
      else for (const entrance of grant.entrances) routing.bind(entrance, tunnel)
      this.#release(before)
    }
    if (news.size > 0) this.changed.emit()
  }

  /** What the tunnel is to be from now on, listened for; null when that cannot be known, or it may not be open any more and was closed. */
  async #claimAgain(tunnel: Tunnel): Promise<TunnelGrant | null> {
    const member = tunnel.members[0]
    if (!member) return null
    try {
      const grant = await this.#claim(member.session.identity, member.request)
      if (grant.tunnelId !== tunnel.id) return null
      for (const entrance of grant.entrances) await this.#listen(entrance)
      return tunnel.ended ? null : grant
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.code !== 'unavailable' && !tunnel.ended) this.#close(tunnel, error.message, error.code === 'later')
      return null
    }
  }

  #supersede(former: Tunnel, by: Session): void {
    for (const { session } of former.members)
      if (session !== by)
        tell(session, { type: 'closed', tunnelId: former.id, reason: 'another agent has opened this tunnel' })
  }

  /** @param again whether its agents should ask for it again in a while. */
  #close(tunnel: Tunnel, reason: string, again: boolean): void {
    for (const { session } of tunnel.members)
      tell(session, { type: 'closed', tunnelId: tunnel.id, reason, ...(again && { again }) })
    this.#unbind(tunnel)
  }

  /** One agent leaves a tunnel; with the last one it ends. */
  #part(tunnel: Tunnel, member: Member): void {
    const { session } = member
    if (session.tunnels.get(tunnel.id)?.member === member) session.tunnels.delete(tunnel.id)
    tunnel.part(member)
    if (tunnel.members.length > 0 || tunnel.ended) return
    this.#unbind(tunnel)
    this.freed.emit(tunnel.id)
  }

  /** Ends a tunnel. Whatever of its name and port a newer one has by now stays with that. */
  #unbind(tunnel: Tunnel): void {
    const { grant, id } = tunnel
    if (tunnel.ended) return
    for (const member of tunnel.members)
      if (member.session.tunnels.get(id)?.member === member) member.session.tunnels.delete(id)
    tunnel.end()
    if (this.#tunnels.get(id) === tunnel) this.#tunnels.delete(id)
    for (const entrance of grant.entrances) this.#options.routing.unbind(entrance, tunnel)
    this.#release(grant)
    this.#count(grant.workspaceId, -1)
    this.changed.emit()
  }

  #tellEdges(session: Session): void {
    const [first, ...others] = this.#edges
    if (first) tell(session, { type: 'edges', edges: [first, ...others] })
  }

  #tenantOf(workspaceId: string): Tenant {
    const known = this.#workspaces.get(workspaceId)
    if (known) return known.tenant
    const { clock, release } = this.#options
    const tenant = new Tenant(
      () => clock.now(),
      (stream) => release.charge(stream, workspaceId),
    )
    this.#workspaces.set(workspaceId, { tenant, open: 0 })
    return tenant
  }

  #count(workspaceId: string, difference: 1 | -1): void {
    const tenant = this.#tenantOf(workspaceId)
    const open = (this.#workspaces.get(workspaceId)?.open ?? 0) + difference
    if (open > 0) {
      this.#workspaces.set(workspaceId, { tenant, open })
      return
    }
    this.#workspaces.delete(workspaceId)
    tenant[Symbol.dispose]()
  }

  #notePeak(workspaceId: string, open: number): void {
    try {
      this.#options.counters.peak(workspaceId, open)
    } catch (error) {
      this.#options.log.error({ err: error, workspaceId }, 'a peak could not be kept')
    }
  }

  async #verify(credential: Secret, address: string): Promise<{ identity: AgentIdentity; asOf: number }> {
    for (;;) {
      const asOf = this.#revocations
      const identity = await this.#options
        .controlPlane()
        .verify(credential.reveal(), address)
        .catch((error: unknown) => {
          if (error instanceof Refusal) throw new LinkError(linkCodes[error.code] ?? 'refused', error.message)
          throw error
        })
      if (asOf === this.#revocations) return { identity, asOf }
    }
  }

  async #claim(agent: AgentIdentity, request: TunnelRequest): Promise<TunnelGrant> {
    for (;;) {
      const asOf = this.#revocations
      const grant = await this.#options.controlPlane().claim(agent, request)
      if (asOf === this.#revocations) return grant
    }
  }

  /** Asks again for everything that a session has. What cannot be asked now stays as it is. */
  async #recheck(session: Session): Promise<void> {
    const { log } = this.#options
    try {
      const { identity } = await this.#verify(session.credential, session.address)
      if (JSON.stringify(identity) !== JSON.stringify(session.identity))
        session.link.close('the credential belongs to somebody else now')
      for (const { tunnel, member } of [...session.tunnels.values()]) {
        if (session.ended) return
        try {
          const { limits, settings, ...grant } = await this.#claim(session.identity, member.request)
          const { limits: _, settings: __, ...known } = tunnel.grant
          // Over a new link the agent asks for everything again, and gets what holds now.
          if (JSON.stringify(grant) !== JSON.stringify(known)) session.link.close('the tunnels have changed')
          else {
            this.setLimits(grant.workspaceId, limits ?? noLimits)
            tunnel.settings = settings ?? {}
          }
        } catch (error) {
          if (!(error instanceof Refusal)) throw error
          if (error.code !== 'unavailable') this.#close(tunnel, error.message, error.code === 'later')
        }
      }
    } catch (error) {
      if (!(error instanceof LinkError)) log.error({ err: error }, 'an agent could not be checked again')
      else if (error.code === 'unauthorized' || error.code === 'later') {
        session.link.close(error.message)
        this.#end(session)
      }
    }
  }
}

/** Sessions that are verified again at the same time: quick for thousands, bearable for the panel. */
const rechecksAtOnce = 16

function isOf(identity: AgentIdentity, revocation: Revocation): boolean {
  switch (revocation.of) {
    case 'key':
      return identity.kind === 'key' && identity.keyId === revocation.keyId
    case 'node':
      return identity.kind === 'node' && identity.nodeId === revocation.nodeId
    case 'workspace':
      return identity.kind === 'key' && identity.workspaceId === revocation.workspaceId
    case 'tunnel':
      return false
  }
}

/** How an agent that is refused is told so. */
const linkCodes: Partial<Record<Refusal['code'], LinkErrorCode>> = {
  forbidden: 'unauthorized',
  limit: 'limit',
  later: 'later',
}

const isPool = (request: TunnelRequest): boolean => request.kind !== 'allocation' && request.pool === true

const sameEntrances = (left: TunnelGrant, right: TunnelGrant): boolean =>
  JSON.stringify(left.entrances) === JSON.stringify(right.entrances)

const notServed = (kind: string): Refusal =>
  new Refusal('unavailable', `This edge does not serve ${kind} tunnels at the moment.`)

const credentialKey = (identity: AgentIdentity): string =>
  identity.kind === 'key' ? `key ${identity.keyId}` : `node ${identity.nodeId}`

function tell(session: Session, message: EdgeMessage): void {
  if (!session.ended) session.link.send(message)
}
