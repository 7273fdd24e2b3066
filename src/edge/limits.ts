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
  /** Agents that share one tunnel as a pool. */
  agentsPerTunnelMax: number
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
  /** How long the rules of a tunnel may take over a request: its body, where they look at it, and a provider's answer. */
  judgingMs: number
  /** How long a request and its response may stand still together. */
  exchangeIdleMs: number
  /** How long an upgraded or raw connection may be silent in both directions. */
  connectionIdleMs: number
  /** How long the rest of a refused request is read and dropped, so that the visitor gets the answer and not a reset. */
  lingerMs: number
  /** Connections of which the first message (TLS's, Minecraft's) is still awaited, over all ports. The oldest makes room. */
  openingsMax: number
  /** Those from one source: an IPv4 address, an IPv6 /64. */
  openingsPerSourceMax: number
  /** How long that first message may take, from the connection on. */
  helloTimeoutMs: number
  /** Flows of UDP: all together, into one tunnel, over one agent's link, from one source. */
  flowsMax: number
  flowsPerTunnelMax: number
  flowsPerAgentMax: number
  flowsPerSourceMax: number
  /** New flows a second in the long run, and at once: from one prefix (IPv4 /24, IPv6 /48), into one tunnel. */
  newFlowsPerPrefixPerSecond: number
  newFlowsPerPrefixBurst: number
  newFlowsPerTunnelPerSecond: number
  newFlowsPerTunnelBurst: number
  /** How long a flow lives after its visitor's last datagram. */
  flowIdleMs: number
  /** The same for a visitor who has not yet sent anything after an answer, and so may be forged. */
  unprovenFlowIdleMs: number
  /** Requests at once on one HTTP/2 connection. */
  http2StreamsPerConnectionMax: number
  /** A request head, unpacked, counted as HTTP/2 counts it. */
  http2HeadBytesMax: number
  /** What one HTTP/2 connection, and each stream of it, may send before it was passed on, bytes. */
  http2WindowBytes: number
  /** Ways to services that one HTTP/2 connection keeps for its next requests, and how long. */
  http2IdleStreamsMax: number
  http2IdleStreamMs: number
  /** Requests that a visitor takes back, or that break HTTP/2's rules: a second in the long run, and at once. The connection ends with the next. */
  http2ResetsPerSecond: number
  http2ResetsBurst: number
  /** The same for PING and for SETTINGS. */
  http2PingsPerSecond: number
  http2PingsBurst: number
  http2SettingsPerSecond: number
  http2SettingsBurst: number
  /** Frames that are empty without need, or wrong, on one connection. */
  http2InvalidFramesMax: number
  /** Requests beyond those at once that are refused on one connection before it ends. */
  http2RejectedStreamsMax: number
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
  // A fleet behind one name; each visitor looks at all of them.
  agentsPerTunnelMax: 64,
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
  // A body of a few MB over a slow line; a provider has ten seconds for each of its answers.
  judgingMs: 30_000,
  // Long polls and slow reports answer within minutes.
  exchangeIdleMs: 600_000,
  // Chat and game connections that send nothing for an hour are gone without a goodbye.
  connectionIdleMs: 3_600_000,
  lingerMs: 2_000,
  // Up to 16 KiB each: 64 MB in the worst case. A thousand agents that come back at once are a quarter of it.
  openingsMax: 4_096,
  // As many as it may have connections: a burst of requests comes over fresh connections.
  openingsPerSourceMax: 1_000,
  // A first message fits into one or two packets; a lost one comes again within three seconds.
  helloTimeoutMs: 5_000,
  // About 3 KB here and one socket at the agent each.
  flowsMax: 20_000,
  // A game server has a few hundred players at most; below a link's 4,096 streams, so that datagrams leave room for connections.
  flowsPerTunnelMax: 1_000,
  // Half of a link's 4,096 streams: forged sources at several tunnels of one agent leave the other half to connections.
  flowsPerAgentMax: 2_000,
  // A household, a school, a server list that asks often.
  flowsPerSourceMax: 200,
  // A LAN party starts within seconds; forged neighbours get no further.
  newFlowsPerPrefixPerSecond: 20,
  newFlowsPerPrefixBurst: 100,
  // Each costs the agent a socket. All players of a full server come back at once after a restart.
  newFlowsPerTunnelPerSecond: 100,
  newFlowsPerTunnelBurst: 500,
  // Home routers forget a flow after 30 to 180 s of silence, games send every second.
  flowIdleMs: 120_000,
  // A question that has its answer, or a forged one: no more of it is expected.
  unprovenFlowIdleMs: 15_000,
  // What clients assume before they are told; a page of a browser has fewer.
  http2StreamsPerConnectionMax: 100,
  // As many as HTTP/1 may have.
  http2HeadBytesMax: 65_536,
  // 100 Mbit/s at 20 ms; a connection's streams share as much again, so that is what a slow service makes a visitor pin.
  http2WindowBytes: 262_144,
  // Each holds a connection of the service: a browser's usual number, and some.
  http2IdleStreamsMax: 16,
  // Common services close theirs after 5 s or later; before that it must not be used any more.
  http2IdleStreamMs: 4_000,
  // Somebody who scrolls takes back dozens of images; rapid reset (CVE-2023-44487) thousands a second.
  http2ResetsPerSecond: 33,
  http2ResetsBurst: 200,
  // gRPC measures the way with a PING a round trip while much is sent.
  http2PingsPerSecond: 1_000,
  http2PingsBurst: 10_000,
  // Sent at the beginning, then hardly ever.
  http2SettingsPerSecond: 1,
  http2SettingsBurst: 20,
  http2InvalidFramesMax: 100,
  // Whoever had sent a burst before being told the limit.
  http2RejectedStreamsMax: 200,
}
