import type { AbuseReportRow, Store } from '../db/index.ts'

/** A report with whose tunnel it was about, as that is called now. */
export type FoundReport = AbuseReportRow & {
  slug: string | null
  suspended_at: number | null
  tunnel_name: string | null
}

export const insertReport = (store: Store, row: AbuseReportRow): Promise<unknown> =>
  store.insertInto('abuse_reports').values(row).execute()

export async function countOpenReports(store: Store): Promise<number> {
  const { count } = await store
    .selectFrom('abuse_reports')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('state', '=', 'open')
    .executeTakeFirstOrThrow()
  return Number(count)
}

const reports = (store: Store) =>
  store
    .selectFrom('abuse_reports')
    .leftJoin('workspaces', 'workspaces.id', 'abuse_reports.workspace_id')
    .leftJoin('tunnels', 'tunnels.id', 'abuse_reports.tunnel_id')
    .selectAll('abuse_reports')
    .select(['workspaces.slug', 'workspaces.suspended_at', 'tunnels.name as tunnel_name'])

/** Newest first; those before `before`, where it is given. */
export function listReports(
  store: Store,
  {
    state,
    before,
    most,
  }: { state: 'open' | 'closed' | undefined; before: { at: number; id: string } | null; most: number },
): Promise<FoundReport[]> {
  let query = reports(store)
  if (state) query = query.where('abuse_reports.state', '=', state)
  if (before)
    query = query.where((where) =>
      where.or([
        where('abuse_reports.created_at', '<', before.at),
        where.and([where('abuse_reports.created_at', '=', before.at), where('abuse_reports.id', '<', before.id)]),
      ]),
    )
  return query.orderBy('abuse_reports.created_at', 'desc').orderBy('abuse_reports.id', 'desc').limit(most).execute()
}

export const reportById = (store: Store, id: string): Promise<FoundReport | undefined> =>
  reports(store).where('abuse_reports.id', '=', id).executeTakeFirst()

/** False where there is none. */
export async function changeReport(
  store: Store,
  id: string,
  change: Partial<Pick<AbuseReportRow, 'state' | 'note' | 'closed_at'>>,
): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable('abuse_reports')
    .set(change)
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

/** The tunnel of a workspace by what stands in its host names. */
export const tunnelByName = (
  store: Store,
  name: string,
  slug: string,
): Promise<{ id: string; workspace_id: string } | undefined> =>
  store
    .selectFrom('tunnels')
    .innerJoin('workspaces', 'workspaces.id', 'tunnels.workspace_id')
    .select(['tunnels.id', 'tunnels.workspace_id'])
    .where('tunnels.name', '=', name)
    .where('workspaces.slug', '=', slug)
    .executeTakeFirst()

export const tunnelByPort = (store: Store, port: number): Promise<{ id: string; workspace_id: string } | undefined> =>
  store
    .selectFrom('tunnels')
    .select(['id', 'workspace_id'])
    .where('edge_port', '<=', port)
    .where(({ eb }) => eb(eb('edge_port', '+', eb.ref('port_count')), '>', port))
    .where('deleted_at', 'is', null)
    .executeTakeFirst()

/** By a domain of a workspace's own, or the `*.` that covers it. */
export async function tunnelByDomain(
  store: Store,
  host: string,
): Promise<{ id: string; workspace_id: string } | undefined> {
  const row = await store
    .selectFrom('domains')
    .select(['tunnel_id', 'workspace_id'])
    .where('held_name', 'in', [host, `*${host.slice(host.indexOf('.'))}`])
    .executeTakeFirst()
  return row && { id: row.tunnel_id, workspace_id: row.workspace_id }
}

/** Whoever runs the installation. */
export async function administrators(store: Store): Promise<string[]> {
  const rows = await store.selectFrom('users').select('email').where('instance_admin', '=', 1).execute()
  return rows.map(({ email }) => email)
}
