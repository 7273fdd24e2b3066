import { z } from 'zod'
import { Port, Slug, Time, TunnelName } from '../../contract/fields.ts'
import { portsPerTunnelMax, rawKinds } from '../../contract/tunnel.ts'
import { HealthPath } from '../commands/tunnels/requests.ts'

/**
 * What commands and the background agent of the same user say to each other: HTTP over a socket in a folder that is that user's alone.
 * Both are this program, perhaps of different versions while it is being upgraded.
 */

/** A tunnel as a person asks for it. */
export const AskedTunnel = z.strictObject({
  name: TunnelName,
  kind: z.enum(['http', 'tls', 'minecraft', ...rawKinds]),
  host: z.string().min(1).max(253),
  port: Port,
  edgePort: Port.optional(),
  ports: z.int().min(1).max(portsPerTunnelMax).optional(),
  proxyProtocol: z.enum(['v1', 'v2']).optional(),
  http2: z.boolean().optional(),
  pool: z.boolean().optional(),
  healthPath: HealthPath.optional(),
})
export type AskedTunnel = z.output<typeof AskedTunnel>

export const transports = ['auto', 'direct', 'websocket'] as const

export const AccountOf = z.strictObject({ url: z.url({ protocol: /^https?$/ }), key: z.string().min(1).max(512) })
export type AccountOf = z.output<typeof AccountOf>

export const OpenBody = z.strictObject({
  account: AccountOf,
  tunnel: AskedTunnel,
  transport: z.enum(transports),
  /** It comes back whenever the agent does. */
  keep: z.boolean(),
})
export type OpenBody = z.output<typeof OpenBody>

export const CloseBody = z.strictObject({
  account: AccountOf,
  /** Null: every one of this account. */
  name: TunnelName.nullable(),
})

/** A tunnel of the background agent. */
export const LocalTunnel = z.object({
  name: z.string(),
  kind: z.string(),
  panel: z.string(),
  workspace: Slug.nullable(),
  /** Null until it was open once. */
  url: z.string().nullable(),
  /** `localhost:3000` */
  local: z.string(),
  /** `waiting`: it was open or is to be, and is tried again. */
  state: z.enum(['opening', 'open', 'waiting']),
  /** Why it waits. */
  message: z.string().nullable(),
  keep: z.boolean(),
  since: Time,
})
export type LocalTunnel = z.output<typeof LocalTunnel>

export const AgentStatus = z.object({
  version: z.string(),
  pid: z.int(),
  startedAt: Time,
  links: z.array(z.object({ panel: z.string(), edge: z.string(), up: z.boolean() })),
  tunnels: z.array(LocalTunnel),
})
export type AgentStatus = z.output<typeof AgentStatus>

/** Something that has happened. */
export const JournalEntry = z.object({ at: Time, tunnel: z.string().nullable(), text: z.string() })
export type JournalEntry = z.output<typeof JournalEntry>

export const Closed = z.object({ closed: z.array(z.string()) })
export const Stopping = z.object({ stopping: z.literal(true) })
export const Refusal = z.object({ error: z.string() })
