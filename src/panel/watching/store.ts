import type { IncidentRow, Store } from '../db/index.ts'

/** The server as far as an incident concerns it; undefined where the node has no such server, or it is being deleted. */
export async function serverOfNode(
  db: Store,
  nodeId: string,
  serverId: string,
): Promise<{ id: string; name: string; workspace_id: string } | undefined> {
  return db
    .selectFrom('servers')
    .select(['id', 'name', 'workspace_id'])
    .where('id', '=', serverId)
    .where('node_id', '=', nodeId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
}

/** False where it is known already, from this panel or another one. */
export async function insertIncident(db: Store, row: IncidentRow): Promise<boolean> {
  const result = await db
    .insertInto('incidents')
    .values(row)
    .onConflict((conflict) => conflict.columns(['server_id', 'id']).doNothing())
    .executeTakeFirst()
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** Newest first. */
export async function incidentsOf(db: Store, serverId: string, most: number): Promise<IncidentRow[]> {
  return db
    .selectFrom('incidents')
    .selectAll()
    .where('server_id', '=', serverId)
    .orderBy('at', 'desc')
    .orderBy('id')
    .limit(most)
    .execute()
}

/** Removes all but the newest `kept`, and what is older than `before`. */
export async function forgetIncidents(db: Store, serverId: string, kept: number, before: number): Promise<void> {
  const oldest = await db
    .selectFrom('incidents')
    .select('at')
    .where('server_id', '=', serverId)
    .orderBy('at', 'desc')
    .offset(kept - 1)
    .limit(1)
    .executeTakeFirst()
  await db
    .deleteFrom('incidents')
    .where('server_id', '=', serverId)
    .where('at', '<', Math.max(before, oldest?.at ?? 0))
    .execute()
}

/** When the newest incident of a server of this node happened; 0 where there is none. */
export async function newestOfNode(db: Store, nodeId: string): Promise<number> {
  const row = await db
    .selectFrom('incidents')
    .innerJoin('servers', 'servers.id', 'incidents.server_id')
    .select((eb) => eb.fn.max<number | null>('incidents.at').as('at'))
    .where('servers.node_id', '=', nodeId)
    .executeTakeFirst()
  return Number(row?.at ?? 0)
}
