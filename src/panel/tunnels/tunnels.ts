import type { AgentIdentity, EdgeHello, TunnelGrant } from '../../contract/edge.ts'
import type { TunnelRequest } from '../../contract/tunnel.ts'
import type { Store, TunnelRow } from '../db/index.ts'

/** The part of an edge's hello that says what it can serve. */
export type EdgeReach = Pick<EdgeHello, 'host' | 'base' | 'scheme' | 'httpPort' | 'tcpPorts'>

export interface Tunnels {
  /**
   * Keeps a port on the edges for a server's allocation. `name` is what it would like to be called; a number is added where that is
   * taken. Throws `conflict` when no edge is known or none has a free port. Publish `{of: 'tunnel'}` after the commit.
   */
  forAllocation(trx: Store, allocation: { allocationId: string; workspaceId: string; name: string }): Promise<TunnelRow>
  /** Gives that port up. Idempotent. Publish `{of: 'tunnel'}` with the returned id after the commit: the edges then close it. */
  dropForAllocation(trx: Store, allocationId: string): Promise<string | null>
  ofAllocation(store: Store, allocationId: string): Promise<TunnelRow | null>
  /** What visitors of a raw port connect to; null for an HTTP tunnel, and while no edge is known that has the port. */
  addressOf(tunnel: TunnelRow): { host: string; port: number } | null
  /** Where visitors find it, in the form that people paste. */
  urlOf(tunnel: TunnelRow, slug: string): string
  /** Whether `agent` may open `request` on an edge with this reach; keeps the name and the port for its workspace. */
  claim(agent: AgentIdentity, request: TunnelRequest, reach: EdgeReach): Promise<TunnelGrant>
}
