import type { z } from 'zod'
import type { ActivityEntry, activityOperations } from '../../contract/api/activity.ts'
import type { Handlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { ActivityRow } from '../db/index.ts'
import type { Activity, Page } from './activity.ts'

export const activityHandlers = (activity: Activity): Handlers<typeof activityOperations, PanelContexts> => ({
  serverActivity: async ({ server, query }) =>
    pageView(await activity.page({ column: 'server_id', id: server.row.id }, query)),
  accountActivity: async ({ caller: { userId, via }, query }) => {
    const within = via.kind === 'token' ? { workspaceId: via.workspaceId } : {}
    return pageView(await activity.page({ column: 'user_id', id: userId, ...within }, query))
  },
  workspaceActivity: async ({ workspace, query }) =>
    pageView(await activity.page({ column: 'workspace_id', id: workspace.id }, query)),
})

const pageView = ({ entries, nextCursor }: Page) => ({ entries: entries.map(entryView), nextCursor })

const entryView = (row: ActivityRow): z.input<typeof ActivityEntry> => ({
  id: row.id,
  at: isoTime(row.at),
  operation: row.operation,
  permission: row.permission,
  subject: row.subject,
  outcome: row.outcome,
  code: row.code,
  serverId: row.server_id === null ? null : `servers/${row.server_id}`,
  userId: row.user_id,
  email: row.email,
  via: row.via,
  viaId: row.via_id,
  address: row.address,
  userAgent: row.user_agent,
})
