import { z } from 'zod'
import { LineStyles } from './console.ts'
import { Port } from './fields.ts'
import { PanelEndpoint, panelsMax } from './join-token.ts'
import { LogLevelOrder } from './log-level.ts'
import { BackupReport } from './node-backups.ts'
import { ProtocolRange } from './node-protocol.ts'
import { Incident, Players } from './node-watching.ts'
import { operation, socket } from './operation.ts'
import { ImageName, Resources, Template } from './template.ts'
import { IdleMinutes, Nap, napsMax } from './wake.ts'

/**
 * Panel → node. The node serves this API over the streams of its link to the panel, so it needs no open port. The panel
 * owns what a server should be (its `ServerSpec`); the node owns what it is (its `ServerState`). The node keeps each spec
 * on disk: it restarts crashed servers and finds running ones again without any panel.
 */

/** The node's hello to a panel. */
export const NodeHello = z.strictObject({
  role: z.literal('node'),
  version: z.literal(1),
  credential: z.string().min(1).max(512),
  software: z.string().max(100),
  /** Which versions of the protocol it speaks; version 1 alone without it. */
  protocol: ProtocolRange.optional(),
})
export type NodeHello = z.output<typeof NodeHello>

/** A machine that joins: it shows the secret of its join token, once, over a link whose key the token pins, and gets its lasting credential back. */
export const JoinHello = z.strictObject({
  role: z.literal('join'),
  version: z.literal(1),
  secret: z.string().min(1).max(512),
  software: z.string().max(100),
})
export type JoinHello = z.output<typeof JoinHello>
export const JoinWelcome = z.strictObject({ nodeId: z.string(), credential: z.string() })
export type JoinWelcome = z.output<typeof JoinWelcome>

/** The short part of a server's public id (`1a7ce997` of `servers/1a7ce997`). */
export const ServerKey = z.string().regex(/^[0-9a-f]{8}$/)

export const ServerSpec = z.strictObject({
  id: ServerKey,
  /** Grows with each change; the node ignores an older one that arrives late. */
  revision: z.int().min(1),
  name: z.string(),
  template: Template,
  resources: Resources,
  /** Every variable of the template, with its value. */
  variables: z.record(z.string(), z.string()),
  /** The first is the primary. Each port of the server that no public address reaches gets a tunnel. */
  allocations: z.array(z.strictObject({ id: z.string(), port: Port, tunnel: z.boolean() })).min(1),
  /** What the node does when the process ends by itself: restart with growing pauses, or leave it. */
  restartOnCrash: z.boolean(),
  /** The same when it gives no sign of life any more, as its template's watchdog sees it. */
  restartOnHang: z.boolean().default(false),
  suspended: z.boolean(),
  /** It is on its way to another node: nothing starts it or changes its files meanwhile. */
  held: z.strictObject({ transfer: z.string().max(64), why: z.string().max(300) }).optional(),
  /** It runs in a container: of this image, or of the one that its template and variables choose. Without it in the sandbox. */
  container: z.strictObject({ image: ImageName.nullable() }).optional(),
  /** It sleeps after so long without players, and the first visitor wakes it. Without it it stays as it is. */
  wake: z.strictObject({ idleMinutes: IdleMinutes }).optional(),
})
export type ServerSpec = z.output<typeof ServerSpec>

export const nodePhases = [
  'installing',
  'install_failed',
  'restoring',
  'offline',
  'sleeping',
  'starting',
  'running',
  'stopping',
] as const

/** How the last run ended: by exit code, by signal, or `unknown` when nothing of ours saw it. */
export const Exit = z.strictObject({
  code: z.int().nullable(),
  signal: z.string().nullable(),
  outOfMemory: z.boolean(),
  /** It ended although nobody had asked for it. */
  crashed: z.boolean(),
  at: z.int().meta({ description: 'ms since 1970' }),
})
export type Exit = z.output<typeof Exit>

export const ServerUsage = z.strictObject({
  memoryBytes: z.int(),
  cpuCores: z.number(),
  diskBytes: z.int(),
  /** Through the server's own ports; null where this machine cannot tell. */
  networkRxBytes: z.int().nullable(),
  networkTxBytes: z.int().nullable(),
  processes: z.int().nullable(),
})
export type ServerUsage = z.output<typeof ServerUsage>

export const ServerState = z.strictObject({
  id: ServerKey,
  revision: z.int(),
  phase: z.enum(nodePhases),
  /** When the phase began, ms since 1970. */
  since: z.int(),
  /** What is going on or went wrong, in words: install progress, why a start failed, when the next restart after a crash comes. */
  message: z.string().nullable(),
  lastExit: Exit.nullable(),
  usage: ServerUsage.nullable(),
  /** When it fell asleep and was woken, oldest first; the newest alone. Left out where it never slept. */
  naps: z.array(Nap).max(napsMax).optional(),
})
export type ServerState = z.output<typeof ServerState>

/** Of the engine that runs servers in containers. */
export const ContainerCapabilities = z.strictObject({
  engine: z.string().max(200).meta({ example: 'Docker Engine 20.10.24' }),
  kind: z.enum(['docker', 'podman']),
  /** `bridge`: of their own, with the server's ports published. `host`: the machine's. */
  network: z.enum(['bridge', 'host']),
  warnings: z.array(z.string()),
})
export type ContainerCapabilities = z.output<typeof ContainerCapabilities>

/** What this machine can enforce, found at run time, and in words what it cannot. */
export const NodeCapabilities = z.strictObject({
  runtime: z.enum(['sandbox', 'process']),
  isolation: z.boolean(),
  ownUser: z.boolean(),
  memoryLimit: z.boolean(),
  cpuLimit: z.boolean(),
  processLimit: z.boolean(),
  warnings: z.array(z.string()),
  /** Null where servers cannot run in containers. */
  containers: ContainerCapabilities.nullable().default(null),
  /** The restic of incremental backups: its version; null where it is not installed yet. Left out by nodes that know nothing of it. */
  restic: z.string().max(100).nullable().optional(),
})
export type NodeCapabilities = z.output<typeof NodeCapabilities>

export const NodeFacts = z.strictObject({
  version: z.string(),
  hostname: z.string(),
  platform: z.string(),
  cpuCores: z.number(),
  memoryBytes: z.int(),
  diskBytes: z.int(),
  diskFreeBytes: z.int(),
  capabilities: NodeCapabilities,
})
export type NodeFacts = z.output<typeof NodeFacts>

/** One line of a console. `seq` grows by one per line for as long as the server exists; the node assigns it by position in the log. */
export const ConsoleLine = z.strictObject({
  seq: z.int(),
  at: z.int().nullable(),
  text: z.string(),
  styles: LineStyles,
})
export type ConsoleLine = z.output<typeof ConsoleLine>

/** Incidents in one reply: about half a megabyte with all their lines. */
export const incidentsPerReply = 30

/** An edge that the node's agent shall hold a link to. */
export const EdgeEndpoint = z.strictObject({ id: z.string(), host: z.string(), port: Port, pin: z.string() })
export type EdgeEndpoint = z.output<typeof EdgeEndpoint>

export const NodeEvent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('state'), state: ServerState }),
  z.strictObject({ type: z.literal('usage'), id: ServerKey, usage: ServerUsage }),
  z.strictObject({ type: z.literal('removed'), id: ServerKey }),
  z.strictObject({ type: z.literal('backup'), report: BackupReport }),
  /** Null: nobody knows any more. */
  z.strictObject({ type: z.literal('players'), id: ServerKey, players: Players.nullable() }),
  z.strictObject({ type: z.literal('incident'), id: ServerKey, incident: Incident }),
])
export type NodeEvent = z.output<typeof NodeEvent>

const OfServer = z.object({ server: ServerKey })
const base = { family: 'internal', access: 'peer', tag: 'Node' } as const

export const nodeOperations = {
  facts: operation({
    ...base,
    method: 'GET',
    path: '/facts',
    summary: 'What the machine is and can do',
    reply: NodeFacts,
    errors: [],
  }),
  servers: operation({
    ...base,
    method: 'GET',
    path: '/servers',
    summary: 'The state of every server',
    reply: z.array(ServerState),
    errors: [],
  }),
  putServer: operation({
    ...base,
    method: 'PUT',
    path: '/servers/{server}',
    summary: 'Make the server what the spec says; a new one is installed',
    params: OfServer,
    body: ServerSpec,
    reply: ServerState,
    errors: ['conflict'],
  }),
  server: operation({
    ...base,
    method: 'GET',
    path: '/servers/{server}',
    summary: 'Its state',
    params: OfServer,
    reply: ServerState,
    errors: ['not_found'],
  }),
  power: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/power',
    summary: 'Start, stop, restart or kill; accepted at once',
    params: OfServer,
    body: z.strictObject({ action: z.enum(['start', 'stop', 'restart', 'kill']) }),
    reply: ServerState,
    errors: ['not_found', 'conflict'],
  }),
  reinstall: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/installation',
    summary: 'Run the installation again; the files stay',
    params: OfServer,
    reply: ServerState,
    errors: ['not_found', 'conflict'],
  }),
  console: operation({
    ...base,
    method: 'GET',
    path: '/servers/{server}/console',
    summary: 'The newest console lines, oldest first',
    params: OfServer,
    query: z.object({ size: z.coerce.number().int().min(1).max(1000) }),
    reply: z.array(ConsoleLine),
    errors: ['not_found'],
  }),
  command: operation({
    ...base,
    method: 'POST',
    path: '/servers/{server}/console',
    summary: 'Write one line to the console',
    params: OfServer,
    body: z.strictObject({ command: z.string().min(1).max(4096) }),
    reply: z.strictObject({}),
    errors: ['not_found', 'conflict'],
  }),
  removeServer: operation({
    ...base,
    method: 'DELETE',
    path: '/servers/{server}',
    summary: 'Kill it and remove its files; done when it answers; removing a missing one succeeds',
    params: OfServer,
    reply: z.strictObject({}),
    errors: [],
  }),
  incidents: operation({
    ...base,
    method: 'GET',
    path: '/incidents',
    summary: 'What went wrong with servers after that moment, oldest first, as many as fit one reply',
    query: z.object({ after: z.coerce.number().int() }),
    reply: z.array(z.strictObject({ id: ServerKey, incident: Incident })).max(incidentsPerReply),
    errors: [],
  }),
  freePorts: operation({
    ...base,
    method: 'POST',
    path: '/ports/free',
    summary: 'Which of these ports a server could listen on now, on every one of the transports',
    body: z.strictObject({
      ports: z.array(Port).max(100),
      protocols: z
        .array(z.enum(['tcp', 'udp']))
        .min(1)
        .max(2),
    }),
    reply: z.strictObject({ free: z.array(Port) }),
    errors: [],
  }),
  putEdges: operation({
    ...base,
    method: 'PUT',
    path: '/edges',
    summary: 'The edges that this node’s agent links to',
    body: z.array(EdgeEndpoint),
    reply: z.strictObject({}),
    errors: [],
  }),
  putPanels: operation({
    ...base,
    method: 'PUT',
    path: '/panels',
    summary: 'All panels of this installation: the node links to each',
    body: z.array(PanelEndpoint).max(panelsMax),
    reply: z.strictObject({}),
    errors: [],
  }),
  putLogLevel: operation({
    ...base,
    method: 'PUT',
    path: '/log-level',
    summary: 'How much the node logs for a while',
    body: LogLevelOrder,
    reply: z.strictObject({}),
    errors: [],
  }),
}

export const nodeSockets = {
  /** First one `state` for every server, then each change. */
  events: socket({
    ...base,
    method: 'GET',
    path: '/events',
    summary: 'States and usage as they change',
    sends: NodeEvent,
    accepts: z.never(),
    errors: [],
  }),
  consoleLines: socket({
    ...base,
    method: 'GET',
    path: '/servers/{server}/console/lines',
    summary: 'The newest `backlog` lines, then each line as it comes, in order and none twice',
    params: OfServer,
    query: z.object({ backlog: z.coerce.number().int().min(0).max(1000) }),
    sends: z.array(ConsoleLine),
    accepts: z.never(),
    errors: ['not_found'],
  }),
}
