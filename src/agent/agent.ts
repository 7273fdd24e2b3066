import type { EdgeEndpoint, EdgeMessage, TunnelRequest } from '../contract/tunnel.ts'
import type { BackoffLimits } from '../lib/backoff.ts'
import type { Log } from '../lib/log.ts'
import type { Secret } from '../lib/secret.ts'
import { Signal } from '../lib/signals.ts'
import type { Dialler, LinkErrorCode } from '../link/index.ts'
import { type EdgeTransport, edgeDialler } from './dial-edge.ts'
import { EdgeLink } from './edge-link.ts'
import type { LocalTarget } from './forward.ts'
import { type HealthCheck, HealthChecker, type HealthTimes } from './health.ts'

export interface WantedTunnel {
  /** The caller's own name for it. */
  id: string
  request: TunnelRequest
  /** Where visitors' connections go. Only this machine decides it. */
  target: LocalTarget
  /** Told to the edges, which send visitors to other agents of a pool while the service is not well. */
  health?: HealthCheck
}

/** What happens, for whoever shows it. Each names the edge, since there may be several. */
export type AgentEvent =
  | { type: 'up'; edge: EdgeEndpoint; slug: string | null }
  | { type: 'down'; edge: EdgeEndpoint; code: LinkErrorCode; reason: string; retryMs: number }
  | { type: 'opened'; edge: EdgeEndpoint; id: string; tunnelId: string; url: string }
  /** `retryMs` is null when it is final. */
  | { type: 'refused'; edge: EdgeEndpoint; id: string; code: RefusedCode; message: string; retryMs: number | null }
  | { type: 'closed'; edge: EdgeEndpoint; id: string; reason: string }
  /** A visitor came, and the local service did not answer. */
  | { type: 'unreachable'; edge: EdgeEndpoint; id: string; message: string }
export type RefusedCode = Extract<EdgeMessage, { type: 'refused' }>['code']

export interface AgentOptions {
  edges: EdgeEndpoint[]
  /** An API key or a node's credential; asked for at each dial, so that it can be renewed. */
  credential: () => Secret
  tunnels?: WantedTunnel[]
  log: Log
  onEvent?: (event: AgentEvent) => void
  /** How an edge is reached; `auto` unless given. */
  transport?: EdgeTransport
  /** Instead of that. */
  dial?: (edge: EdgeEndpoint) => Dialler
  /** The waits between tries of a refused tunnel. */
  retry?: BackoffLimits
  /** Links to the edges that the linked ones name, as they change. Without it `setEdges` alone decides. */
  followEdges?: boolean
  healthTimes?: HealthTimes
}

export interface Agent extends AsyncDisposable {
  readonly events: Signal<AgentEvent>
  /** Opens a tunnel on every edge, now and after each reconnect. The same id again replaces it. */
  add(tunnel: WantedTunnel): void
  /** Closes it everywhere. Unknown ids are ignored. */
  remove(id: string): void
  /**
   * The edges to be linked to from now on: links that stay are not touched, others are closed in a moment. One to an edge that is draining
   * stays until that ends.
   */
  setEdges(edges: EdgeEndpoint[]): Promise<void>
}

/** Starts an agent: it keeps a link to each edge, opens the wanted tunnels on each, and forwards their visitors to local services. */
export function startAgent(options: AgentOptions): Agent {
  const { log, credential, dial = (edge) => edgeDialler(edge, options.transport) } = options
  const events = new Signal<AgentEvent>()
  if (options.onEvent) events.on(options.onEvent)
  const wanted = new Map((options.tunnels ?? []).map((tunnel) => [tunnel.id, tunnel]))
  const links = new Map<string, EdgeLink>()
  /** Of edges that are draining, or may be: they end with their link. */
  const leaving = new Map<string, EdgeLink>()
  const timers = new Set<NodeJS.Timeout>()
  const checks = new Map<string, HealthChecker>()
  const allLinks = (): EdgeLink[] => [...links.values(), ...leaving.values()]
  const watch = ({ id, target, health }: WantedTunnel): void => {
    if (!health) return
    const onChange = (): void => {
      for (const link of allLinks()) link.tellHealth(id)
    }
    checks.set(id, new HealthChecker({ target, check: health, times: options.healthTimes, onChange }))
  }
  for (const tunnel of wanted.values()) watch(tunnel)

  /** `gently`: a link to an edge that is not among them ends with that edge, which may be about to say that it is draining. */
  const linkTo = async (edges: EdgeEndpoint[], gently: boolean): Promise<void> => {
    const next = new Map(edges.map((edge) => [keyOf(edge), edge]))
    const gone = [...links].filter(([key]) => !next.has(key))
    for (const [key] of gone) links.delete(key)
    for (const [key, edge] of next) {
      if (links.has(key)) continue
      const back = leaving.get(key)
      if (back) {
        leaving.delete(key)
        links.set(key, back)
        continue
      }
      const { retry } = options
      links.set(
        key,
        new EdgeLink({
          edge,
          dialler: dial(edge),
          credential,
          wanted,
          emit: (event) => events.emit(event),
          healthy: (id) => checks.get(id)?.healthy ?? true,
          onEdges: (named) => {
            if (options.followEdges) void linkTo(named, true)
          },
          log,
          ...(retry ? { retry } : {}),
        }),
      )
    }
    await Promise.all(
      gone.map(async ([key, link]) => {
        if (!link.up) return await link[Symbol.asyncDispose]()
        // It serves its visitors to the end; only then it is not dialled again.
        leaving.set(key, link)
        const leave = async (): Promise<void> => {
          if (leaving.get(key) !== link) return
          leaving.delete(key)
          await link[Symbol.asyncDispose]()
        }
        void link.down.then(leave)
        if (gently || link.draining) return
        // Who names the edges may have heard of the draining before us.
        const timer = setTimeout(() => {
          timers.delete(timer)
          if (!link.draining) void leave()
        }, drainingNewsMs)
        timers.add(timer)
      }),
    )
  }

  const agent: Agent = {
    events,
    add(tunnel) {
      agent.remove(tunnel.id)
      wanted.set(tunnel.id, tunnel)
      watch(tunnel)
      for (const link of allLinks()) link.open(tunnel.id)
    },
    remove(id) {
      if (!wanted.delete(id)) return
      checks.get(id)?.[Symbol.dispose]()
      checks.delete(id)
      for (const link of allLinks()) link.close(id)
    },
    setEdges: (edges) => linkTo(edges, false),
    async [Symbol.asyncDispose]() {
      for (const check of checks.values()) check[Symbol.dispose]()
      checks.clear()
      for (const timer of timers) clearTimeout(timer)
      const all = allLinks()
      links.clear()
      leaving.clear()
      await Promise.all(all.map((link) => link[Symbol.asyncDispose]()))
    },
  }
  void agent.setEdges(options.edges)
  return agent
}

/** How long after an edge was left out the news that it is draining may still arrive, ms: both were sent in the same moment. */
const drainingNewsMs = 2_000

const keyOf = ({ host, port, pin }: EdgeEndpoint): string => `${host} ${port} ${pin}`
