/**
 * Every limit of the edge in one place, so that an operator can see what a visitor or an agent can make it spend. Tests lower them.
 */
export interface EdgeLimits {
  /** Agents linked to this edge at one moment. */
  sessionsMax: number
  /** Agents linked with one key or one node's credential. */
  sessionsPerCredentialMax: number
  /** Hellos being verified at one moment: a flood of bad credentials cannot occupy the panel. */
  greetingsMax: number
  /** Tunnels that one agent may have open. */
  tunnelsPerSessionMax: number
  /** Tunnel requests of one agent that wait for the control plane. */
  pendingOpensPerSessionMax: number
  /** Visitor connections of all tunnels and the plain HTTP port together. */
  visitorsMax: number
  /** Visitor connections from one address. */
  visitorsPerAddressMax: number
  /** Visitor connections into one tunnel. */
  visitorsPerTunnelMax: number
  /** A whole request head must arrive within this, counted from its first byte (or from the connection's start). */
  headTimeoutMs: number
  /** How long a connection may wait for its next request. */
  keepAliveMs: number
  /** How long a request and its response may stand still together. */
  exchangeIdleMs: number
  /** How long an upgraded or raw connection may be silent in both directions. */
  connectionIdleMs: number
  /** How long the rest of a refused request is read and dropped, so that the visitor gets the answer and not a reset. */
  lingerMs: number
}

export const edgeLimits: EdgeLimits = {
  // The goal is 10,000 idle tunnels an edge, most agents have one.
  sessionsMax: 10_000,
  // A team that shares one key, and links that are half-open after a network change, fit well below it.
  sessionsPerCredentialMax: 200,
  // Each waits a few ms for the panel: enough for a thousand agents that come back within a second.
  greetingsMax: 256,
  // A node of 200 servers with a few ports each.
  tunnelsPerSessionMax: 1_000,
  // An agent asks for all its tunnels at once when it reconnects.
  pendingOpensPerSessionMax: 1_000,
  // About 20 KB each: under half a gigabyte in the worst case.
  visitorsMax: 20_000,
  // A school or a company behind one address; a single machine cannot take everything.
  visitorsPerAddressMax: 1_000,
  visitorsPerTunnelMax: 5_000,
  // Slow mobile networks need a few seconds; a slow-loris gets no more.
  headTimeoutMs: 10_000,
  // Longer than the 60 s after which common browsers and load balancers give up an idle connection themselves.
  keepAliveMs: 75_000,
  // Long polls and slow reports answer within minutes.
  exchangeIdleMs: 600_000,
  // Chat and game connections that send nothing for an hour are gone without a goodbye.
  connectionIdleMs: 3_600_000,
  lingerMs: 2_000,
}
