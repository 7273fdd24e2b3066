import type { EdgeHello, OpenTunnel, Revocation } from '../../contract/edge.ts'
import type { Secret } from '../../lib/secret.ts'
import type { Greeted } from '../../link/index.ts'

/** An edge whose link to this panel is up, as it described itself. */
export interface ConnectedEdge {
  readonly id: string
  readonly name: string
  readonly hello: Omit<EdgeHello, 'credential'>
}

/** The edges: who they are, which are here, and what they are told. */
export interface Edges extends AsyncDisposable {
  /** Accepts an edge's link, or throws `LinkError` `unauthorized`. */
  greet(hello: EdgeHello, from: { remoteAddress: string }): Promise<Greeted>
  connected(): ConnectedEdge[]
  /** What is known of an edge that can serve visitors: a connected one, else the one seen last; null before the first. */
  reach(): Omit<EdgeHello, 'credential'> | null
  /** Tells every connected edge to cut somebody off. One that is away learns it when it comes back. */
  revoke(revocation: Revocation, reason: string): Promise<void>
  /** Where a tunnel is open at this moment, as the edges last told. */
  openTunnel(tunnelId: string): OpenTunnel | null
  /** An edge in this very process: made or found by name; its credential is new each time, the one before stops working. */
  local(name: string): Promise<{ edgeId: string; credential: Secret }>
}
