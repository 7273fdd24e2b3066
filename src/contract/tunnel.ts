import { z } from 'zod'
import { Port, TunnelName } from './fields.ts'

/**
 * Agent ⇄ edge, over one link. The agent says hello with its credential and asks for tunnels by message; the edge opens a
 * stream to the agent for each visitor connection. The agent alone decides which local address a tunnel leads to: the edge
 * names tunnels, never addresses.
 */

/** The agent's hello. `credential` is an API key, or a node's credential. */
export const AgentHello = z.strictObject({
  role: z.literal('agent'),
  version: z.literal(1),
  credential: z.string().min(1).max(512),
  software: z.string().max(100),
})
export type AgentHello = z.output<typeof AgentHello>

export const AgentWelcome = z.strictObject({ edge: z.string(), slug: z.string().nullable() })
export type AgentWelcome = z.output<typeof AgentWelcome>

/** How many consecutive ports one tunnel may have: passive FTP, a game with its query and voice ports, a call's media. */
export const portsPerTunnelMax = 100

/**
 * `pool`: several agents share the name and its visitors; without it the newest one takes over. Sharing needs `pool` of all of them.
 */
const named = { name: TunnelName, pool: z.boolean().optional() }

/** Kinds whose visitors come to ports of the tunnel's own. `tcp+udp`: both protocols on the same ports, as many games want it. */
export const rawKinds = ['tcp', 'udp', 'tcp+udp'] as const
export type RawKind = (typeof rawKinds)[number]

export const isRawKind = (kind: string): kind is RawKind => (rawKinds as readonly string[]).includes(kind)

/** What its visitors speak; the first one is in the address that people are shown. */
export const protocolsOf = (kind: RawKind): ('tcp' | 'udp')[] => (kind === 'tcp+udp' ? ['tcp', 'udp'] : [kind])

/** `port`: the first port that is wanted; `ports`: how many consecutive ones, 1 unless given. */
const raw = { ...named, port: Port.optional(), ports: z.int().min(1).max(portsPerTunnelMax).optional() }

/**
 * What an agent wants. With a key: a name of its workspace, reached by host name (`http`; `tls`, passed through by SNI; `minecraft`, by the
 * host name in its handshake) or by ports of its own. With a node's credential: an allocation of one of its servers.
 */
export const TunnelRequest = z.discriminatedUnion('kind', [
  /** `http2`: the service speaks HTTP/2 without TLS (prior knowledge), and every request reaches it so. Without it only gRPC does. */
  z.strictObject({ kind: z.literal('http'), ...named, http2: z.boolean().optional() }),
  z.strictObject({ kind: z.literal('tls'), ...named }),
  z.strictObject({ kind: z.literal('minecraft'), ...named }),
  z.strictObject({ kind: z.enum(rawKinds), ...raw }),
  z.strictObject({ kind: z.literal('allocation'), allocation: z.string().max(100) }),
])
export type TunnelRequest = z.output<typeof TunnelRequest>
export type RawRequest = Extract<TunnelRequest, { kind: RawKind }>

/** Whether its visitors come to ports of its own. */
export const isRaw = (request: TunnelRequest): request is RawRequest => isRawKind(request.kind)

/** `ref` ties the answer to the request; it means nothing to the edge. */
export const AgentMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('open'), ref: z.string().max(100), tunnel: TunnelRequest }),
  z.strictObject({ type: z.literal('close'), tunnelId: z.string().max(100) }),
  /** What the agent's own checks of the service say. A tunnel is healthy until its agent says otherwise. */
  z.strictObject({ type: z.literal('health'), tunnelId: z.string().max(100), healthy: z.boolean() }),
])
export type AgentMessage = z.output<typeof AgentMessage>

/** Where an edge is dialled. */
export const EdgeEndpoint = z.strictObject({
  host: z.string().min(1).max(253),
  port: Port,
  /** SHA-256 of its public key, base64url: accept no other. */
  pin: z.string().min(1).max(100),
})
export type EdgeEndpoint = z.output<typeof EdgeEndpoint>

export const EdgeMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('opened'),
    ref: z.string(),
    tunnelId: z.string(),
    /** `http://web.acme.localhost:4680` or `tcp://host:port` */ url: z.string(),
  }),
  z.strictObject({
    type: z.literal('refused'),
    ref: z.string(),
    /** `later`: not now, and again in a few seconds: the workspace is suspended. */
    code: z.enum(['taken', 'limit', 'forbidden', 'invalid', 'unavailable', 'later']),
    message: z.string(),
  }),
  /** `again`: the right to it is gone for now, so it makes sense to ask for it again in a few seconds. */
  z.strictObject({
    type: z.literal('closed'),
    tunnelId: z.string(),
    reason: z.string(),
    again: z.boolean().optional(),
  }),
  /** The edges to be linked to from now on, this one among them. */
  z.strictObject({ type: z.literal('edges'), edges: z.array(EdgeEndpoint).min(1).max(100) }),
  /** This edge ends soon. What is open goes on until then; visitors are sent to the others. */
  z.strictObject({ type: z.literal('draining') }),
])
export type EdgeMessage = z.output<typeof EdgeMessage>

/** The head of a visitor's stream. */
export const VisitorHead = z.strictObject({
  tunnelId: z.string(),
  protocol: z.enum(['http', 'tls', 'minecraft', 'tcp', 'udp']),
  /** The visitor's. */
  address: z.string(),
  port: z.int(),
  /** What the visitor connected to. */
  localAddress: z.string(),
  localPort: z.int(),
  /** Which port of the tunnel's range, 0 for the first. */
  offset: z
    .int()
    .min(0)
    .max(portsPerTunnelMax - 1),
})
export type VisitorHead = z.output<typeof VisitorHead>
