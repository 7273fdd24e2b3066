import { z } from 'zod'
import { PageQuery } from '../fields.ts'
import { operation } from '../operation.ts'
import { serverStatuses } from '../power.ts'
import { Resources } from '../template.ts'
import { OfServer, ServerId } from './servers.ts'

const Counted = z.strictObject({ limit: z.int(), current: z.int() }).meta({ id: 'CountedLimit' })

/** Numbers of things that one server may have; `0` for none. */
const counts = {
  allocations: z.int().min(1).max(100).meta({ description: 'Ports' }),
  backups: z.int().min(0).max(1000),
  databases: z.int().min(0).max(1000),
  schedules: z.int().min(0).max(100),
} as const

export const InstanceServer = z
  .strictObject({
    id: ServerId,
    name: z.string(),
    status: z.enum(serverStatuses),
    suspended: z.boolean(),
    workspace: z.string().meta({ description: 'Slug' }),
    owner: z.string().meta({ description: 'E-mail address' }),
    node: z.string().meta({ description: 'Name' }),
    ...Resources.shape,
    allocations: counts.allocations,
  })
  .meta({ id: 'InstanceServer' })

export const ServerLimits = InstanceServer.extend(counts).meta({ id: 'ServerLimits' })

const base = { family: 'panel', tag: 'Settings' } as const

export const resourceOperations = {
  resources: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/settings/resources',
    summary: 'What the server may have and use, and what it has and uses now',
    access: { server: 'settings.read' },
    params: OfServer,
    reply: z
      .strictObject({
        databases: Counted,
        allocations: Counted,
        backups: Counted,
        schedules: Counted,
        server: z.strictObject({ status: z.enum(serverStatuses), name: z.string() }),
        memory: z.strictObject({ limit: z.int(), current: z.int().nullable() }).meta({ description: 'MiB' }),
        disk: z.strictObject({ limit: z.int(), current: z.int().nullable() }).meta({ description: 'MiB' }),
        cpu: z.strictObject({ limit: z.number(), current: z.number().nullable() }).meta({ description: 'cores' }),
        players: z.strictObject({ limit: z.int().nullable(), current: z.int().nullable() }),
      })
      .meta({ id: 'ServerResources', description: '`current` is null where the node has not said it' }),
    errors: [],
  }),
}

export const settingsOperations = {
  instanceServers: operation({
    ...base,
    tag: 'Instance',
    method: 'GET',
    path: '/instance/servers',
    summary: 'Every server of this installation with its limits, oldest first; for its administrators',
    access: 'instance',
    query: z.object(PageQuery),
    reply: z.array(InstanceServer),
    errors: [],
  }),
  serverLimits: operation({
    ...base,
    tag: 'Instance',
    method: 'GET',
    path: '/servers/{serverId}/settings/limits',
    summary: 'The limits of any server, for an administrator of this installation',
    access: 'instance',
    params: OfServer,
    reply: ServerLimits,
    errors: ['not_found'],
  }),
  updateServerLimits: operation({
    ...base,
    tag: 'Instance',
    method: 'PUT',
    path: '/servers/{serverId}/settings/limits',
    summary: 'Change limits of a server; those that are not named stay. Only administrators of this installation can',
    description:
      'The machine belongs to the people who run the installation, so what a server may use of it is theirs to decide. Memory and CPU change at once where its node can; `message` says from when.',
    access: 'instance',
    params: OfServer,
    body: z
      .strictObject({ ...Resources.shape, ...counts })
      .partial()
      .refine((body) => Object.keys(body).length > 0, 'must name at least one limit'),
    reply: z.strictObject({ message: z.string(), limits: ServerLimits }),
    errors: ['not_found', 'conflict'],
  }),
  updateSuspension: operation({
    ...base,
    tag: 'Instance',
    method: 'PUT',
    path: '/servers/{serverId}/suspension',
    summary: 'Suspend a server, or lift that: it is stopped, and nothing but looking at it works',
    access: 'instance',
    params: OfServer,
    body: z.strictObject({ suspended: z.boolean() }),
    reply: z.strictObject({ message: z.string() }),
    errors: ['not_found'],
  }),
}
