import { sql } from 'kysely'
import type { PlanRow, Store } from '../db/index.ts'

export const planRows = (store: Store): Promise<PlanRow[]> => store.selectFrom('plans').selectAll().execute()

export const savePlanRow = (store: Store, row: PlanRow): Promise<unknown> =>
  store
    .insertInto('plans')
    .values(row)
    .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
    .execute()

/** The plan of each of these workspaces. */
export const plansOfWorkspaces = (
  store: Store,
  ids: readonly string[],
): Promise<{ id: string; plan: PlanRow['name'] }[]> =>
  ids.length === 0
    ? Promise.resolve([])
    : store
        .selectFrom('workspaces')
        .select(['id', 'plan'])
        .where('id', 'in', [...ids])
        .execute()

/** Both directions together, by workspace; those without traffic are left out. */
export async function bytesSince(store: Store, ids: readonly string[], since: number): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map()
  const rows = await store
    .selectFrom('usage_counters')
    .select(['workspace_id', sql<number>`cast(sum(bytes_in + bytes_out) as bigint)`.as('bytes')])
    .where('workspace_id', 'in', [...ids])
    .where('day', '>=', since)
    .groupBy('workspace_id')
    .execute()
  return new Map(rows.map(({ workspace_id, bytes }) => [workspace_id, Number(bytes)]))
}

/** Workspaces that keep any tunnel. */
export async function workspacesWithTunnels(store: Store): Promise<string[]> {
  const rows = await store
    .selectFrom('tunnels')
    .select('workspace_id')
    .distinct()
    .where('deleted_at', 'is', null)
    .execute()
  return rows.map(({ workspace_id }) => workspace_id)
}
