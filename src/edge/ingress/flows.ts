import { prefixOf, sourceOf } from '../../lib/address.ts'
import { TokenBuckets } from '../../lib/token-buckets.ts'
import type { EdgeLimits } from '../limits.ts'

export type FlowLimits = Pick<
  EdgeLimits,
  | 'flowsMax'
  | 'flowsPerTunnelMax'
  | 'flowsPerAgentMax'
  | 'flowsPerSourceMax'
  | 'newFlowsPerPrefixPerSecond'
  | 'newFlowsPerPrefixBurst'
  | 'newFlowsPerTunnelPerSecond'
  | 'newFlowsPerTunnelBurst'
  | 'flowIdleMs'
  | 'unprovenFlowIdleMs'
>

/**
 * One visitor's datagrams to one port. The source of a datagram can be forged, so a flow is `proven` only when its visitor has sent
 * something after it was answered: whoever forges an address does not see the answers.
 */
export interface Flow {
  readonly tunnelId: string
  /** Whose link carries it: all its tunnels share the link's streams. */
  readonly agent: object
  readonly source: string
  readonly end: () => void
  state: 'new' | 'answered' | 'proven'
  /** When the visitor was last heard, ms. What the service sends keeps no flow alive: its visitor may be gone, or never have asked. */
  heardAt: number
}

/** Keeps the books of flows: who may begin one, and which have been silent for too long. It knows nothing of sockets. */
export class Flows {
  readonly #limits: FlowLimits
  readonly #all = new Set<Flow>()
  /** Oldest first. */
  readonly #unproven = new Set<Flow>()
  readonly #byTunnel = new Map<string, Books>()
  readonly #byAgent = new Map<object, Books>()
  readonly #bySource = new Map<string, number>()
  readonly #prefixes: TokenBuckets
  readonly #tunnels: TokenBuckets

  constructor(limits: FlowLimits) {
    this.#limits = limits
    this.#prefixes = new TokenBuckets({
      perSecond: limits.newFlowsPerPrefixPerSecond,
      burst: limits.newFlowsPerPrefixBurst,
      keysMax: prefixesMax,
    })
    this.#tunnels = new TokenBuckets({
      perSecond: limits.newFlowsPerTunnelPerSecond,
      burst: limits.newFlowsPerTunnelBurst,
      keysMax: prefixesMax,
    })
  }

  get count(): number {
    return this.#all.size
  }

  /**
   * A new flow, or undefined when a limit is reached. Where there is no room the oldest unproven flow makes it, so that forged
   * addresses do not shut out players.
   * @param agent whose link carries it
   * @param end ends the flow's sockets; called when it expires or makes room, after it was forgotten here.
   */
  begin(tunnelId: string, agent: object, address: string, now: number, end: () => void): Flow | undefined {
    const { flowsMax, flowsPerTunnelMax, flowsPerAgentMax, flowsPerSourceMax } = this.#limits
    const source = sourceOf(address)
    if ((this.#bySource.get(source) ?? 0) >= flowsPerSourceMax) return undefined
    if (!this.#prefixes.take(prefixOf(address), now) || !this.#tunnels.take(tunnelId, now)) return undefined
    const tunnel = this.#byTunnel.get(tunnelId)
    if (tunnel && tunnel.count >= flowsPerTunnelMax && !this.#makeRoom(tunnel.unproven)) return undefined
    const ofAgent = this.#byAgent.get(agent)
    if (ofAgent && ofAgent.count >= flowsPerAgentMax && !this.#makeRoom(ofAgent.unproven)) return undefined
    if (this.#all.size >= flowsMax && !this.#makeRoom(this.#unproven)) return undefined
    const flow: Flow = { tunnelId, agent, source, end, state: 'new', heardAt: now }
    this.#all.add(flow)
    this.#unproven.add(flow)
    note(this.#byTunnel, tunnelId, flow)
    note(this.#byAgent, agent, flow)
    this.#bySource.set(source, (this.#bySource.get(source) ?? 0) + 1)
    return flow
  }

  /** The visitor has sent something. */
  heard(flow: Flow, now: number): void {
    flow.heardAt = now
    if (flow.state !== 'answered') return
    flow.state = 'proven'
    this.#unproven.delete(flow)
    this.#byTunnel.get(flow.tunnelId)?.unproven.delete(flow)
    this.#byAgent.get(flow.agent)?.unproven.delete(flow)
  }

  /** The service has sent something. */
  answered(flow: Flow): void {
    if (flow.state === 'new') flow.state = 'answered'
  }

  /** Forgets a flow that has ended. Idempotent. */
  forget(flow: Flow): void {
    if (!this.#all.delete(flow)) return
    this.#unproven.delete(flow)
    strike(this.#byTunnel, flow.tunnelId, flow)
    strike(this.#byAgent, flow.agent, flow)
    const left = (this.#bySource.get(flow.source) ?? 1) - 1
    if (left === 0) this.#bySource.delete(flow.source)
    else this.#bySource.set(flow.source, left)
  }

  /** Ends flows whose visitors have been silent for too long. */
  expire(now: number): void {
    const { flowIdleMs, unprovenFlowIdleMs } = this.#limits
    for (const flow of this.#all)
      if (now - flow.heardAt >= (flow.state === 'proven' ? flowIdleMs : unprovenFlowIdleMs)) this.#end(flow)
  }

  #makeRoom(unproven: ReadonlySet<Flow>): boolean {
    for (const oldest of unproven) {
      this.#end(oldest)
      return true
    }
    return false
  }

  #end(flow: Flow): void {
    this.forget(flow)
    flow.end()
  }
}

/** The flows of one tunnel or agent. */
interface Books {
  count: number
  /** Oldest first. */
  readonly unproven: Set<Flow>
}

function note<K>(all: Map<K, Books>, key: K, flow: Flow): void {
  const books = all.get(key) ?? { count: 0, unproven: new Set() }
  books.count++
  books.unproven.add(flow)
  all.set(key, books)
}

function strike<K>(all: Map<K, Books>, key: K, flow: Flow): void {
  const books = all.get(key)
  books?.unproven.delete(flow)
  if (books && --books.count === 0) all.delete(key)
}

/** Prefixes and tunnels of which the rate is remembered, 100 bytes each. */
const prefixesMax = 65_536
