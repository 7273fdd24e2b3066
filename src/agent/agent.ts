import type { EdgeEndpoint, EdgeMessage, TunnelRequest } from '../contract/tunnel.ts'
import type { BackoffLimits } from '../lib/backoff.ts'
import type { Log } from '../lib/log.ts'
import type { Secret } from '../lib/secret.ts'
import { Signal } from '../lib/signals.ts'
import type { Dialler, LinkErrorCode } from '../link/index.ts'
import { type EdgeTransport, edgeDialler } from './dial-edge.ts'
import { EdgeLink } from './edge-link.ts'
import type { LocalTarget } from './forward.ts'

export interface WantedTunnel {
  /** The caller's own name for it. */
  id: string
  request: TunnelRequest
  /** Where visitors' connections go. Only this machine decides it. */
  target: LocalTarget
}

/** What happens, for whoever shows it. Each names the edge, since there may be several. */
export type AgentEvent =
  | { type: 'up'; edge: EdgeEndpoint; slug: string | null }
  | { type: 'down'; edge: EdgeEndpoint; code: LinkErrorCode; reason: string; retryMs: number }
  | { type: 'opened'; edge: EdgeEndpoint; id: string; tunnelId: string; url: string }
  /** `retryMs` is null when it is final. */
  | { type: 'refused'; edge: EdgeEndpoint; id: string; code: RefusedCode; message: string; retryMs: number | null }
  | { type: 'closed'; edge: EdgeEndpoint; id: string; reason: string }
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
}

export interface Agent extends AsyncDisposable {
  readonly events: Signal<AgentEvent>
  /** Opens a tunnel on every edge, now and after each reconnect. The same id again replaces it. */
  add(tunnel: WantedTunnel): void
  /** Closes it everywhere. Unknown ids are ignored. */
  remove(id: string): void
  /** The edges to be linked to from now on: links to others are closed, links that stay are not touched. */
  setEdges(edges: EdgeEndpoint[]): Promise<void>
}

/** Starts an agent: it keeps a link to each edge, opens the wanted tunnels on each, and forwards their visitors to local services. */
export function startAgent(options: AgentOptions): Agent {
  const { log, credential, dial = (edge) => edgeDialler(edge, options.transport) } = options
  const events = new Signal<AgentEvent>()
  if (options.onEvent) events.on(options.onEvent)
  const wanted = new Map((options.tunnels ?? []).map((tunnel) => [tunnel.id, tunnel]))
  const links = new Map<string, EdgeLink>()

  const agent: Agent = {
    events,
    add(tunnel) {
      agent.remove(tunnel.id)
      wanted.set(tunnel.id, tunnel)
      for (const link of links.values()) link.open(tunnel.id)
    },
    remove(id) {
      if (!wanted.delete(id)) return
      for (const link of links.values()) link.close(id)
    },
    async setEdges(edges) {
      const next = new Map(edges.map((edge) => [keyOf(edge), edge]))
      const gone = [...links].filter(([key]) => !next.has(key))
      for (const [key] of gone) links.delete(key)
      for (const [key, edge] of next) {
        if (links.has(key)) continue
        const { retry } = options
        links.set(
          key,
          new EdgeLink({
            edge,
            dialler: dial(edge),
            credential,
            wanted,
            emit: (event) => events.emit(event),
            log,
            ...(retry ? { retry } : {}),
          }),
        )
      }
      await Promise.all(gone.map(([, link]) => link[Symbol.asyncDispose]()))
    },
    async [Symbol.asyncDispose]() {
      await agent.setEdges([])
    },
  }
  void agent.setEdges(options.edges)
  return agent
}

const keyOf = ({ host, port, pin }: EdgeEndpoint): string => `${host} ${port} ${pin}`
