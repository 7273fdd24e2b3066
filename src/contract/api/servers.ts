import { z } from 'zod'
import { LineStyles } from '../console.ts'
import { displayName, noControls, PageQuery, Time } from '../fields.ts'
import { backupJobStates } from '../node-backups.ts'
import { operation, socket } from '../operation.ts'
import { serverPermissions } from '../permissions.ts'
import { Placement } from '../placement.ts'
import { powerActions, serverStatuses } from '../power.ts'
import { ImageName, Resources, RuntimeKind } from '../template.ts'
import { transferStages } from '../transfer-stages.ts'
import { WakeOnConnect } from '../wake.ts'

/** `servers/1a7ce997`; the path takes the short part, or the whole id as it is or percent-encoded. */
export const ServerId = z.string().regex(/^servers\/[0-9a-f]{8}$/)
export const OfServer = z.object({
  serverId: z.string().meta({ description: 'The server’s id: `1a7ce997`, or `servers/1a7ce997`', example: '1a7ce997' }),
})

export const ServerSummary = z
  .strictObject({
    id: ServerId,
    name: z.string(),
    status: z.enum(serverStatuses),
    memory: z.int().meta({ description: 'MiB' }),
    disk: z.int().meta({ description: 'MiB' }),
    cpu: z.number().meta({ description: 'cores' }),
    template: z.string(),
    address: z.string().nullable().meta({ description: 'What players connect to', example: 'play.example.org:30001' }),
    createdAt: Time,
  })
  .meta({ id: 'ServerSummary' })

export const Allocation = z
  .strictObject({
    id: z.string(),
    ip: z.string().meta({ description: 'What players connect to: the node’s public address, or the edge’s' }),
    port: z.int(),
    primary: z.boolean(),
    notes: z.string().nullable(),
    local: z.int().meta({ description: 'The port on the node' }),
  })
  .meta({ id: 'Allocation' })

export const LastExit = z.strictObject({
  code: z.int().nullable(),
  signal: z.string().nullable(),
  outOfMemory: z.boolean(),
  crashed: z.boolean(),
  at: Time,
})

export const LiveUsage = z.strictObject({
  memoryBytes: z.int(),
  cpuCores: z.number(),
  diskBytes: z.int(),
  networkRxBytes: z.int().nullable(),
  networkTxBytes: z.int().nullable(),
  uptimeSeconds: z.int().nullable(),
  players: z
    .strictObject({ online: z.int(), max: z.int().nullable() })
    .nullable()
    .meta({ description: 'Null where the game is not asked, or does not say it' }),
})

export const Server = z
  .strictObject({
    id: ServerId,
    name: z.string(),
    status: z.enum(serverStatuses),
    message: z.string().nullable().meta({ description: 'What is going on or went wrong, in words' }),
    resources: Resources,
    usage: LiveUsage.nullable(),
    lastExit: LastExit.nullable(),
    template: z.string(),
    variables: z.record(z.string(), z.string()),
    node: z.strictObject({
      id: z.string(),
      name: z.string(),
      online: z.boolean(),
      maintenance: z.boolean().meta({ description: 'The people who run this installation are about to work on it' }),
    }),
    address: z.string().nullable(),
    allocations: z.array(Allocation),
    workspace: z.string().meta({ description: 'Slug' }),
    owner: z.string().meta({ description: 'E-mail address' }),
    restartOnCrash: z.boolean(),
    restartOnHang: z.boolean().meta({ description: 'Where its template says how a hung one is told' }),
    wakeOnConnect: WakeOnConnect,
    runtime: RuntimeKind.meta({ description: 'The sandbox of its node, or a container' }),
    image: ImageName.nullable().meta({
      description: 'The container image that was chosen for it; null for that of its template',
    }),
    createdAt: Time,
  })
  .meta({ id: 'Server' })

export const NewServer = z
  .strictObject({
    name: displayName(80),
    template: z.string().meta({ example: 'minecraft' }),
    resources: Resources.partial().optional(),
    variables: z.record(z.string(), z.string()).optional(),
    node: z.string().optional().meta({
      description:
        'Id of a node; without it the one with the most unpromised memory of those that have room and the labels',
    }),
    placement: Placement.optional().meta({
      description: 'Labels that its node must have, besides those of its template',
    }),
    start: z.boolean().default(true).meta({ description: 'Start it once it is installed' }),
    restartOnCrash: z.boolean().default(true),
    restartOnHang: z.boolean().default(false),
    runtime: RuntimeKind.optional().meta({
      description:
        '`docker` for a container; without it a container where its template names images and a node runs them, else the sandbox',
    }),
    image: ImageName.optional().meta({
      description: 'One of its template’s container images; any other is for administrators of the installation',
      example: 'ghcr.io/parkervcp/yolks:java_21',
    }),
  })
  .meta({ id: 'NewServer' })

const Message = z.strictObject({ message: z.string() })
const base = { family: 'panel', tag: 'Servers' } as const

export const serverOperations = {
  servers: operation({
    ...base,
    method: 'GET',
    path: '/servers',
    summary: 'All servers the caller owns or was given',
    mcp: { tool: 'list_servers' },
    access: 'account',
    query: z.object(PageQuery),
    reply: z.array(ServerSummary),
    errors: [],
  }),
  createServer: operation({
    ...base,
    method: 'POST',
    path: '/servers',
    summary: 'Create a server; it installs, and starts when it is ready',
    mcp: { tool: 'create_server' },
    access: { workspace: 'servers.create' },
    body: NewServer,
    reply: Server,
    errors: ['forbidden', 'not_found', 'conflict'],
  }),
  server: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}',
    summary: 'One server, with live usage',
    mcp: { tool: 'get_server' },
    access: { server: 'visible' },
    params: OfServer,
    reply: Server,
    errors: [],
  }),
  power: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}',
    summary: 'Start, stop, restart or kill; accepted at once',
    mcp: { tool: 'power_server', destroys: true },
    access: {
      server: {
        field: 'action',
        of: { start: 'control.start', stop: 'control.stop', restart: 'control.restart', kill: 'control.kill' },
      },
    },
    params: OfServer,
    body: z.strictObject({ action: z.enum(powerActions) }),
    reply: Message,
    errors: ['conflict'],
  }),
  deleteServer: operation({
    ...base,
    method: 'DELETE',
    path: '/servers/{serverId}',
    summary: 'Kill the server and delete everything of it; only its owner can',
    mcp: { tool: 'delete_server' },
    access: { server: 'visible' },
    params: OfServer,
    reply: Message,
    errors: ['forbidden', 'conflict'],
  }),
  updateServer: operation({
    ...base,
    method: 'PATCH',
    path: '/servers/{serverId}',
    summary: 'Rename it, change what happens after a crash, when it hangs or while nobody uses it, and where it runs',
    mcp: { tool: 'update_server', repeatable: true },
    access: { server: 'settings.update' },
    params: OfServer,
    body: z.strictObject({
      name: displayName(80).optional(),
      restartOnCrash: z.boolean().optional(),
      restartOnHang: z.boolean().optional(),
      wakeOnConnect: WakeOnConnect.partial()
        .refine((wish) => Object.keys(wish).length > 0, 'must name at least one of enabled and idleMinutes')
        .optional()
        .meta({ description: 'What is not named stays as it is' }),
      runtime: RuntimeKind.optional().meta({ description: 'Holds from its next start; its files stay' }),
      image: ImageName.nullable().optional().meta({ description: 'Null for that of its template' }),
    }),
    reply: Server,
    errors: ['forbidden', 'conflict'],
  }),
  reinstall: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/settings/reinstall',
    summary: 'Run the installation again; the files stay',
    mcp: { tool: 'reinstall_server', destroys: true },
    access: { server: 'settings.reinstall' },
    params: OfServer,
    reply: Message,
    errors: ['conflict'],
  }),
  permissions: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/permissions',
    summary: 'What the caller may do on this server',
    mcp: { tool: 'get_server_permissions' },
    access: { server: 'visible' },
    params: OfServer,
    reply: z.strictObject({ permissions: z.array(z.enum(serverPermissions)), isOwner: z.boolean() }),
    errors: [],
  }),
  consoleLog: operation({
    ...base,
    tag: 'Console',
    method: 'GET',
    path: '/servers/{serverId}/console',
    summary: 'The newest console lines, oldest first; also while the server is stopped',
    mcp: { tool: 'read_console', strangers: 'what the game printed', newestLast: true },
    access: { server: 'console.read' },
    params: OfServer,
    query: z.object({
      size: z
        .string()
        .regex(/^[0-9]{1,4}$/, 'must be a whole number from 1 to 1000')
        .transform(Number)
        .pipe(z.int().min(1).max(1000))
        .default(100)
        .meta({ description: 'How many lines: 1 to 1000' }),
    }),
    reply: z.strictObject({ logs: z.array(z.string()) }),
    errors: ['conflict'],
  }),
  consoleCommand: operation({
    ...base,
    tag: 'Console',
    method: 'POST',
    path: '/servers/{serverId}/console',
    summary: 'Send one line to the server’s console',
    mcp: { tool: 'send_console_command', destroys: true },
    access: { server: 'console.write' },
    params: OfServer,
    body: z.strictObject({
      command: z.string().min(1).max(4096).regex(noControls, 'must be one line without control characters'),
    }),
    reply: Message,
    errors: ['conflict'],
  }),
}

/** What a live socket sends. Each part needs its permission at the moment it is sent: console lines need `console.read`, backups `backups.read`. */
export const ServerEvent = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('status'),
      serverId: ServerId,
      status: z.enum(serverStatuses),
      message: z.string().nullable(),
    }),
    z.strictObject({ type: z.literal('usage'), serverId: ServerId, usage: LiveUsage }),
    z.strictObject({
      type: z.literal('console'),
      serverId: ServerId,
      lines: z.array(z.strictObject({ seq: z.int(), at: Time.nullable(), text: z.string(), styles: LineStyles })),
    }),
    z.strictObject({
      type: z.literal('backup'),
      serverId: ServerId,
      backupId: z.string(),
      state: z.enum(backupJobStates),
      percent: z.int(),
      bytesDone: z.int(),
      bytesTotal: z.int(),
      size: z.int(),
      message: z.string().nullable(),
    }),
    z.strictObject({
      type: z.literal('transfer'),
      serverId: ServerId,
      transferId: z.string(),
      stage: z.enum(transferStages),
      percent: z.int(),
      bytesDone: z.int(),
      bytesTotal: z.int(),
      message: z.string().nullable(),
    }),
    z.strictObject({ type: z.literal('created'), serverId: ServerId }),
    z.strictObject({ type: z.literal('deleted'), serverId: ServerId }),
    z.strictObject({ type: z.literal('refused'), reason: z.string() }),
  ])
  .meta({ id: 'ServerEvent' })

export const ServerEventRequest = z
  .discriminatedUnion('type', [z.strictObject({ type: z.literal('command'), command: z.string().min(1).max(4096) })])
  .meta({ id: 'ServerEventRequest' })

export const serverSockets = {
  serverEvents: socket({
    ...base,
    tag: 'Live events',
    method: 'GET',
    path: '/servers/{serverId}/events',
    summary: 'Status, usage and console of one server as they happen; takes console commands',
    access: { server: 'visible' },
    params: OfServer,
    query: z.object({
      backlog: z.coerce
        .number()
        .int()
        .min(0)
        .max(1000)
        .default(100)
        .meta({ description: 'Console lines to send first' }),
    }),
    sends: ServerEvent,
    accepts: ServerEventRequest,
    errors: [],
  }),
  events: socket({
    ...base,
    tag: 'Live events',
    method: 'GET',
    path: '/events',
    summary: 'Status and usage of every server the caller can see',
    access: 'account',
    sends: ServerEvent,
    accepts: z.never(),
    errors: [],
  }),
}
