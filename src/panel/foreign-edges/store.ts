import { sql } from 'kysely'
import type { ForeignEdgeRow, ForeignHostRow, Store } from '../db/index.ts'

export const insertEdge = (store: Store, row: ForeignEdgeRow): Promise<unknown> =>
  store.insertInto('foreign_edges').values(row).execute()

/** In the order in which they were made. */
export const listEdges = (store: Store): Promise<ForeignEdgeRow[]> =>
  store.selectFrom('foreign_edges').selectAll().orderBy('created_at').orderBy('id').execute()

export const edgeNamed = (store: Store, name: string): Promise<ForeignEdgeRow | undefined> =>
  store.selectFrom('foreign_edges').selectAll().where('name', '=', name).executeTakeFirst()

export const edgeByCredential = (store: Store, credentialHash: string): Promise<ForeignEdgeRow | undefined> =>
  store.selectFrom('foreign_edges').selectAll().where('credential_hash', '=', credentialHash).executeTakeFirst()

/** False when there is no such edge. */
export async function saveCredential(store: Store, id: string, credentialHash: string): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable('foreign_edges')
    .set({ credential_hash: credentialHash })
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export const touchEdge = (store: Store, id: string, now: number): Promise<unknown> =>
  store.updateTable('foreign_edges').set({ last_seen_at: now }).where('id', '=', id).execute()

/** Everything but what it has counted. False when there was none. */
export async function deleteEdge(store: Store, id: string): Promise<boolean> {
  for (const table of ['foreign_edge_scopes', 'foreign_events', 'foreign_periods'] as const)
    await store.deleteFrom(table).where('edge_id', '=', id).execute()
  const { numDeletedRows } = await store.deleteFrom('foreign_edges').where('id', '=', id).executeTakeFirstOrThrow()
  return numDeletedRows === 1n
}

/** What was taken of a report and what was set aside. `countsRequests`: it told of requests, one by one. */
export const noteReport = (
  store: Store,
  id: string,
  report: { accepted: number; dropped: number; why: string | null; countsRequests: boolean },
  now: number,
): Promise<unknown> =>
  store
    .updateTable('foreign_edges')
    .set((edge) => ({
      accepted: edge('accepted', '+', report.accepted),
      dropped: edge('dropped', '+', report.dropped),
      last_seen_at: now,
      ...(report.why === null ? {} : { last_dropped: report.why }),
      ...(report.countsRequests ? { counts_requests_since: sql<number>`coalesce(counts_requests_since, ${now})` } : {}),
    }))
    .where('id', '=', id)
    .execute()

export interface ServedWorkspace {
  id: string
  slug: string
  suspended: boolean
}

/** The workspaces whose keys agents have shown to the edge. */
export async function servedBy(store: Store, edgeId: string): Promise<ServedWorkspace[]> {
  const rows = await store
    .selectFrom('foreign_edge_scopes')
    .innerJoin('workspaces', 'workspaces.id', 'foreign_edge_scopes.workspace_id')
    .select(['workspaces.id', 'workspaces.slug', 'workspaces.suspended_at'])
    .where('foreign_edge_scopes.edge_id', '=', edgeId)
    .orderBy('workspaces.slug')
    .execute()
  return rows.map(({ id, slug, suspended_at }) => ({ id, slug, suspended: suspended_at !== null }))
}

/** Whether traffic of this name was ever counted for the workspace. */
export async function hasCounted(store: Store, edgeId: string, workspaceId: string, host: string): Promise<boolean> {
  const row = await store
    .selectFrom('foreign_hosts')
    .select('id')
    .where('edge_id', '=', edgeId)
    .where('workspace_id', '=', workspaceId)
    .where('host', '=', host)
    .executeTakeFirst()
  return row !== undefined
}

export const noteScope = (store: Store, edgeId: string, workspaceId: string, now: number): Promise<unknown> =>
  store
    .insertInto('foreign_edge_scopes')
    .values({ edge_id: edgeId, workspace_id: workspaceId, since: now })
    .onConflict((conflict) => conflict.doNothing())
    .execute()

export async function workspacesBySlug(store: Store, slugs: readonly string[]): Promise<Map<string, string>> {
  const rows = await store
    .selectFrom('workspaces')
    .select(['id', 'slug'])
    .where('slug', 'in', [...slugs])
    .execute()
  return new Map(rows.map(({ id, slug }) => [slug, id]))
}

export async function slugsOf(store: Store, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await store
    .selectFrom('workspaces')
    .select(['id', 'slug'])
    .where('id', 'in', [...ids])
    .execute()
  return new Map(rows.map(({ id, slug }) => [id, slug]))
}

/** Of these records those that are new, which from now on are known. */
export async function takeNew(
  store: Store,
  edgeId: string,
  records: readonly { id: string; at: number }[],
): Promise<Set<string>> {
  if (records.length === 0) return new Set()
  const rows = await store
    .insertInto('foreign_events')
    .values(records.map(({ id, at }) => ({ edge_id: edgeId, event_id: id, at })))
    .onConflict((conflict) => conflict.doNothing())
    .returning('event_id')
    .execute()
  return new Set(rows.map(({ event_id }) => event_id))
}

/** Bytes that were counted for the period before, and now are these. */
export async function raisePeriod(
  store: Store,
  row: { edge_id: string; workspace_id: string; period_start: number; bytes: number },
): Promise<number> {
  const { edge_id, workspace_id, period_start, bytes } = row
  const known = await store
    .selectFrom('foreign_periods')
    .select('bytes')
    .where('edge_id', '=', edge_id)
    .where('workspace_id', '=', workspace_id)
    .where('period_start', '=', period_start)
    .executeTakeFirst()
  if (known && known.bytes >= bytes) return known.bytes
  await store
    .insertInto('foreign_periods')
    .values(row)
    .onConflict((conflict) => conflict.columns(['edge_id', 'workspace_id', 'period_start']).doUpdateSet({ bytes }))
    .execute()
  return known?.bytes ?? 0
}

export async function forgetBefore(store: Store, before: number): Promise<void> {
  await store.deleteFrom('foreign_events').where('at', '<', before).execute()
  await store.deleteFrom('foreign_periods').where('period_start', '<', before).execute()
}

export const hostsOf = (store: Store, edgeId: string, workspaceId: string): Promise<ForeignHostRow[]> =>
  store
    .selectFrom('foreign_hosts')
    .selectAll()
    .where('edge_id', '=', edgeId)
    .where('workspace_id', '=', workspaceId)
    .execute()

export const insertHost = (store: Store, row: ForeignHostRow): Promise<unknown> =>
  store.insertInto('foreign_hosts').values(row).execute()
