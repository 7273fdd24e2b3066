import { z } from 'zod'
import { Port } from './fields.ts'
import { PanelEndpoint, panelsMax } from './join-token.ts'
import { LogLevelOrder } from './log-level.ts'
import { operation } from './operation.ts'
import { EdgeEndpoint, portsPerTunnelMax, TunnelRequest } from './tunnel.ts'
import { TunnelSettings } from './tunnel-settings.ts'

/**
 * Edge ⇄ panel, both ways over the edge's link to each panel. The edge asks who may open what and reports what it counted
 * (`edgeToPanel`); the panel tells it whom to cut off (`panelToEdge`).
 */

/** The edge's hello to a panel. `host`, `httpPort`, `linkPort`, `minecraftPort`, `ports` are what visitors and agents can reach it by. */
export const EdgeHello = z.strictObject({
  role: z.literal('edge'),
  version: z.literal(1),
  credential: z.string().min(1).max(512),
  software: z.string().max(100),
  /** The public host name or address for raw ports and links. */
  host: z.string().min(1).max(253),
  /** Host names end in this: `localhost`, `tunnels.example.org`. */
  base: z.string().min(1).max(253),
  scheme: z.enum(['http', 'https']),
  /** The port in the URLs of HTTP tunnels. */
  httpPort: Port,
  linkPort: Port,
  /** SHA-256 of its link certificate's public key, base64url: agents accept no other. */
  pin: z.string().max(100),
  /** What raw tunnels get their ports from, for TCP and UDP alike: a number is one tunnel's for both. */
  ports: z.strictObject({ first: Port, last: Port }),
  /** Whether it serves UDP. */
  udp: z.boolean(),
  /** The one port of all Minecraft tunnels; null where it could not be had. */
  minecraftPort: Port.nullable(),
  /** Agents link to every edge of one region. */
  region: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  /** What it knows how to do for tunnels beyond the first version: a tunnel that needs more must not be served by it. */
  understands: z.array(z.string().max(40)).max(100).optional(),
  /** It ends soon, and has said so over an earlier link: nobody is to be sent there any more. */
  draining: z.boolean().optional(),
})
export type EdgeHello = z.output<typeof EdgeHello>

/**
 * Whether others can look up the edge's host names. `localhost` and what is below it means the asker's own machine (RFC 6761), and
 * many programs do not know the names below it at all: people are shown ports then.
 */
export const namesAreKnown = ({ base }: Pick<EdgeHello, 'base'>): boolean => !/(^|\.)localhost$/.test(base)

/** Found by host name, on a port that all tunnels of the kind share. */
export const hostKinds = ['http', 'tls', 'minecraft'] as const
export type HostKind = (typeof hostKinds)[number]

/** Found by a port of the tunnel's own. */
export const portKinds = ['tcp', 'udp'] as const
export type PortKind = (typeof portKinds)[number]

/** Who an agent is. */
export const AgentIdentity = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('key'), keyId: z.string(), workspaceId: z.string(), slug: z.string() }),
  z.strictObject({ kind: z.literal('node'), nodeId: z.string() }),
])
export type AgentIdentity = z.output<typeof AgentIdentity>

/** A way for visitors into a tunnel: host names on the port that all tunnels of its kind share, or ports of its own from `port` on. */
export const Entrance = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(hostKinds), hosts: z.array(z.string().min(1).max(253)).min(1).max(10) }),
  z.strictObject({ kind: z.enum(portKinds), port: Port, ports: z.int().min(1).max(portsPerTunnelMax) }),
])
export type Entrance = z.output<typeof Entrance>

/** What a workspace may do on one edge; null: no limit of the plan. */
export const WorkspaceLimits = z.strictObject({
  /** Visitors at one moment, in all its tunnels together. */
  connections: z.int().min(1).nullable(),
  /** Both ways together, in all its tunnels. */
  bytesPerSecond: z.int().min(1).nullable(),
  /** The month's bytes are used up: visitors are turned away. */
  overQuota: z.boolean(),
  /** Its plan warns visitors of pages first; what remembers that they were is signed with this key, 32 bytes in base64url. */
  warningKey: z.string().length(43).optional(),
})
export type WorkspaceLimits = z.output<typeof WorkspaceLimits>

/** A tunnel that the agent may open here, and where visitors find it. */
export const TunnelGrant = z.strictObject({
  tunnelId: z.string(),
  workspaceId: z.string(),
  name: z.string(),
  entrances: z.array(Entrance).min(1).max(5),
  url: z.string(),
  /** Of the workspace at this moment; left out: none. */
  limits: WorkspaceLimits.optional(),
  /** How it treats its visitors at this moment; left out: as any other. */
  settings: TunnelSettings.optional(),
})
export type TunnelGrant = z.output<typeof TunnelGrant>

/** Printable and without spaces: it goes into a database as it is. */
const Id = z.string().regex(/^[!-~]{1,100}$/)

/**
 * What went through one tunnel on one UTC day, counted by one edge since its counters began (`epoch`). The numbers only grow,
 * so a report may be repeated, delayed or reordered: the panel keeps the largest of each and adds up the edges.
 */
export const TunnelCounter = z.strictObject({
  tunnelId: Id,
  workspaceId: Id,
  /** Midnight UTC, ms since 1970. */
  day: z.int(),
  bytesIn: z.int().min(0),
  bytesOut: z.int().min(0),
  connections: z.int().min(0),
  requests: z.int().min(0),
  /** When the newest event was, ms since 1970. */
  lastSeen: z.int(),
})
export type TunnelCounter = z.output<typeof TunnelCounter>

/** The most tunnels of a workspace that were open on the edge at one moment of the day. */
export const WorkspacePeak = z.strictObject({ workspaceId: Id, day: z.int(), peakTunnels: z.int().min(0) })
export type WorkspacePeak = z.output<typeof WorkspacePeak>

export const UsageReport = z.strictObject({
  epoch: Id,
  counters: z.array(TunnelCounter).max(1000),
  peaks: z.array(WorkspacePeak).max(1000),
})
export type UsageReport = z.output<typeof UsageReport>

/** A report as it arrives: its records are checked one by one, so that a bad one is set aside alone. */
export const ReceivedReport = z.strictObject({
  epoch: Id,
  counters: z.array(z.unknown()).max(1000),
  peaks: z.array(z.unknown()).max(1000),
})
export type ReceivedReport = z.output<typeof ReceivedReport>

export const OpenTunnel = z.strictObject({
  tunnelId: z.string(),
  since: z.int(),
  agentAddress: z.string(),
  connections: z.int(),
})
export type OpenTunnel = z.output<typeof OpenTunnel>

/** base64url, as certificate authorities make it: it stands in a path. */
const ChallengeToken = z.string().regex(/^[A-Za-z0-9_-]{1,200}$/)

/** What an edge answers to a certificate authority that validates `host`, and to nobody else; by `token` it is taken back. */
export const ChallengeAnswer = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('http-01'),
    host: z.string().min(1).max(253),
    token: ChallengeToken,
    keyAuthorization: z.string().regex(/^[A-Za-z0-9_.-]{1,400}$/),
  }),
  z.strictObject({
    type: z.literal('tls-alpn-01'),
    host: z.string().min(1).max(253),
    token: ChallengeToken,
    /** PEM. */
    certificate: z.string().max(16_384),
    key: z.string().max(16_384),
  }),
])
export type ChallengeAnswer = z.output<typeof ChallengeAnswer>

const base = { family: 'internal', access: 'peer', tag: 'Edge' } as const

export const edgeToPanel = {
  verifyAgent: operation({
    ...base,
    method: 'POST',
    path: '/agents/verify',
    summary: 'Whose credential is this',
    body: z.strictObject({ credential: z.string().max(512), address: z.string() }),
    reply: AgentIdentity,
    errors: ['unauthorized', 'rate_limited'],
  }),
  claimTunnel: operation({
    ...base,
    method: 'POST',
    path: '/tunnels',
    summary: 'May this agent open this tunnel; reserves its name and port for the workspace',
    body: z.strictObject({ agent: AgentIdentity, tunnel: TunnelRequest }),
    reply: TunnelGrant,
    errors: ['unauthorized', 'forbidden', 'conflict', 'not_found', 'rate_limited'],
  }),
  reportUsage: operation({
    ...base,
    method: 'POST',
    path: '/usage',
    summary: 'What has been counted; repeating a report changes nothing',
    body: ReceivedReport,
    reply: z.strictObject({
      accepted: z.int(),
      /** Counters of tunnels that this edge was never given, and unreadable ones: set aside, never counted. */ rejected:
        z.array(z.string()),
    }),
    errors: [],
  }),
  drain: operation({
    ...base,
    method: 'POST',
    path: '/drain',
    summary: 'This edge ends soon: agents and visitors are sent to others from now on',
    body: z.strictObject({}),
    reply: z.strictObject({}),
    errors: [],
  }),
  reportOpenTunnels: operation({
    ...base,
    method: 'PUT',
    path: '/tunnels/open',
    summary: 'All tunnels open here at this moment',
    body: z.array(OpenTunnel),
    reply: z.strictObject({}),
    errors: [],
  }),
}

/** Whom to cut off: every session and tunnel that the filter matches ends within a second. */
export const Revocation = z.discriminatedUnion('of', [
  z.strictObject({ of: z.literal('key'), keyId: z.string() }),
  z.strictObject({ of: z.literal('node'), nodeId: z.string() }),
  z.strictObject({ of: z.literal('workspace'), workspaceId: z.string() }),
  z.strictObject({ of: z.literal('tunnel'), tunnelId: z.string() }),
])
export type Revocation = z.output<typeof Revocation>

export const panelToEdge = {
  setLimits: operation({
    ...base,
    method: 'PUT',
    path: '/limits',
    summary: 'What a workspace may do from now on; visitors that it may not have any more are cut',
    body: z.strictObject({ workspaceId: z.string(), limits: WorkspaceLimits }),
    reply: z.strictObject({}),
    errors: [],
  }),
  regrant: operation({
    ...base,
    method: 'POST',
    path: '/tunnels/regrants',
    summary: 'This tunnel has other names, ports or settings now: claim it again; its visitors stay',
    body: z.strictObject({ tunnelId: z.string() }),
    reply: z.strictObject({}),
    errors: [],
  }),
  setEdges: operation({
    ...base,
    method: 'PUT',
    path: '/edges',
    summary: 'The edges of the region that agents link to from now on',
    body: z.strictObject({ edges: z.array(EdgeEndpoint).max(100) }),
    reply: z.strictObject({}),
    errors: [],
  }),
  setPanels: operation({
    ...base,
    method: 'PUT',
    path: '/panels',
    summary: 'All panels of this installation: the edge links to each',
    body: z.strictObject({ panels: z.array(PanelEndpoint).max(panelsMax) }),
    reply: z.strictObject({}),
    errors: [],
  }),
  setLogLevel: operation({
    ...base,
    method: 'PUT',
    path: '/log-level',
    summary: 'How much the edge logs for a while',
    body: LogLevelOrder,
    reply: z.strictObject({}),
    errors: [],
  }),
  offerAnswer: operation({
    ...base,
    method: 'PUT',
    path: '/challenges',
    summary: 'A certificate authority may come for this answer; it is forgotten after a while',
    body: ChallengeAnswer,
    reply: z.strictObject({}),
    errors: [],
  }),
  withdrawAnswer: operation({
    ...base,
    method: 'DELETE',
    path: '/challenges/{token}',
    summary: 'Nobody comes for this answer any more',
    params: z.object({ token: ChallengeToken }),
    reply: z.strictObject({}),
    errors: [],
  }),
  revoke: operation({
    ...base,
    method: 'POST',
    path: '/revocations',
    summary: 'Cut off now',
    body: z.strictObject({ revocation: Revocation, reason: z.string() }),
    reply: z.strictObject({ closed: z.int() }),
    errors: [],
  }),
}
