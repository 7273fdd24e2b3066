import { z } from 'zod'
import { PageQuery, Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { OfServer, ServerId } from './servers.ts'

export const activityOutcomes = ['done', 'denied', 'failed'] as const

export const ActivityEntry = z
  .strictObject({
    id: z.string(),
    at: Time,
    operation: z.string().meta({ description: 'What was asked, by its name in this document', example: 'power' }),
    permission: z.string().nullable().meta({
      description: 'The permission it needed, which tells a start from a stop',
      example: 'control.restart',
    }),
    subject: z.string().nullable().meta({ description: 'What it was about, beside the server: an id or a name' }),
    outcome: z
      .enum(activityOutcomes)
      .meta({ description: 'denied: the caller lacked a permission. failed: `code` says why' }),
    code: z.string().nullable().meta({ description: 'The error code, unless it was done' }),
    serverId: ServerId.nullable(),
    userId: z.string().nullable(),
    email: z.string().nullable().meta({ description: 'As it was then' }),
    via: z.enum(['session', 'token', 'schedule', 'sftp']).nullable().meta({
      description:
        'By signing in, with a key, by a schedule that acts for that person, or by SFTP with a password or SSH key',
    }),
    viaId: z.string().nullable(),
    address: z.string().nullable().meta({ description: 'From where: an IP address' }),
    userAgent: z.string().nullable().meta({ description: 'As the client sent it: not to be trusted' }),
  })
  .meta({ id: 'ActivityEntry' })

const Page = z
  .strictObject({
    entries: z.array(ActivityEntry),
    nextCursor: z.string().nullable().meta({ description: 'Ask for what is older with it; null at the end' }),
  })
  .meta({ id: 'ActivityPage' })

const tag = 'Activity'

export const activityOperations = {
  serverActivity: operation({
    method: 'GET',
    path: '/servers/{serverId}/activity',
    family: 'panel',
    tag,
    summary: 'What was done to the server and what was denied, newest first: who, what, from where, when',
    mcp: { tool: 'list_server_activity' },
    access: { server: 'activity.read' },
    params: OfServer,
    query: z.object(PageQuery),
    reply: Page,
    errors: [],
  }),
  workspaceActivity: operation({
    method: 'GET',
    path: '/workspace/activity',
    family: 'control',
    tag,
    summary: 'The same for the whole workspace: its servers, keys, people and tunnels',
    mcp: { tool: 'list_workspace_activity' },
    access: { workspace: 'activity.read' },
    query: z.object(PageQuery),
    reply: Page,
    errors: [],
  }),
  accountActivity: operation({
    method: 'GET',
    path: '/account/activity',
    family: 'control',
    tag,
    summary:
      'What was done in your name, wherever, and where you signed in or somebody tried to; with a key, within its workspace',
    access: 'account',
    query: z.object(PageQuery),
    reply: Page,
    errors: [],
  }),
}
