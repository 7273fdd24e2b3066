import type { z } from 'zod'
import type { instanceOperations, WorkspacePlan } from '../../contract/api/instance.ts'
import { invalidRequest, notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { Clock } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Changes, Database, WorkspaceRow } from '../db/index.ts'
import { savePlan, workspaceBySlug } from './store.ts'

/** What the administrator of the installation decides about a workspace. A suspension is felt at once: the change drops what access remembers, closes sockets and tells the edges. */
export const planRoutes = (options: {
  database: Database
  changes: Changes
  clock: Clock
}): Handlers<typeof instanceOperations, PanelContexts> => {
  const { database, changes, clock } = options
  return {
    async workspacePlan({ params }) {
      return planReply(await existing(database, params.slug))
    },
    async putWorkspacePlan({ params, body }) {
      const row = await existing(database, params.slug)
      const plan = body.plan ?? row.plan
      const rateLimit = body.rateLimit === undefined ? row.rate_limit : body.rateLimit
      if (plan === 'standard' && body.rateLimit != null)
        throw invalidRequest(
          'body.rateLimit',
          'needs the plan enterprise: keys of standard workspaces have the usual limit',
        )
      const decided = {
        plan,
        rate_limit: plan === 'standard' ? null : rateLimit,
        suspended_at: suspendedAt(row, body.suspended, clock.now()),
      }
      await savePlan(database.kysely, row.id, decided)
      await changes.publish({ of: 'workspace', id: row.id })
      return planReply({ ...row, ...decided })
    },
  }
}

async function existing({ kysely }: Database, slug: string): Promise<WorkspaceRow> {
  const row = await workspaceBySlug(kysely, slug)
  if (!row) throw notFound(`Workspace ${slug}`)
  return row
}

/** Suspending a suspended workspace keeps the time of the first suspension. */
function suspendedAt(row: WorkspaceRow, suspended: boolean | undefined, now: number): number | null {
  if (suspended === undefined) return row.suspended_at
  return suspended ? (row.suspended_at ?? now) : null
}

const planReply = ({ slug, plan, rate_limit, suspended_at }: WorkspaceRow): z.input<typeof WorkspacePlan> => ({
  slug,
  plan,
  rateLimit: rate_limit,
  suspended: suspended_at !== null,
})
