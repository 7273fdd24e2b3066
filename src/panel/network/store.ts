import type { AllocationRow, Store, TunnelRow } from '../db/index.ts'

export type AllocationWithTunnel = AllocationRow & { tunnel: TunnelRow | null }

/** The ports of these servers, the primary first, then by number. */
export async function allocationsOf(db: Store, serverIds: readonly string[]): Promise<AllocationWithTunnel[]> {
  if (serverIds.length === 0) return []
  const rows = await db
    .selectFrom('allocations')
    .leftJoin('tunnels', (join) =>
      join.onRef('tunnels.allocation_id', '=', 'allocations.id').on('tunnels.deleted_at', 'is', null),
    )
    .selectAll('allocations')
    .select([
      'tunnels.id as t_id',
      'tunnels.workspace_id as t_workspace_id',
      'tunnels.name as t_name',
      'tunnels.kind as t_kind',
      'tunnels.edge_port as t_edge_port',
      'tunnels.created_at as t_created_at',
    ])
    .where('allocations.server_id', 'in', [...serverIds])
    .orderBy('allocations.primary_port', 'desc')
    .orderBy('allocations.port')
    .execute()
  return rows.map(({ t_id, t_workspace_id, t_name, t_kind, t_edge_port, t_created_at, ...row }) => ({
    ...row,
    tunnel:
      t_id === null || t_workspace_id === null || t_name === null || t_kind === null || t_created_at === null
        ? null
        : {
            id: t_id,
            workspace_id: t_workspace_id,
            name: t_name,
            kind: t_kind,
            edge_port: t_edge_port,
            allocation_id: row.id,
            created_at: t_created_at,
            deleted_at: null,
          },
  }))
}

/** The ports of the node that some server has, also one that is being deleted: its process may still hold it. */
export async function portsTaken(db: Store, nodeId: string): Promise<Set<number>> {
  const rows = await db.selectFrom('allocations').select('port').where('node_id', '=', nodeId).execute()
  return new Set(rows.map(({ port }) => port))
}

export async function insertAllocation(db: Store, row: AllocationRow): Promise<void> {
  await db.insertInto('allocations').values(row).execute()
}

export async function allocationOf(db: Store, serverId: string, id: string): Promise<AllocationRow | undefined> {
  return db
    .selectFrom('allocations')
    .selectAll()
    .where('id', '=', id)
    .where('server_id', '=', serverId)
    .executeTakeFirst()
}

export async function countAllocations(db: Store, serverId: string): Promise<number> {
  const { count } = await db
    .selectFrom('allocations')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('server_id', '=', serverId)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** False where the server has no such port. */
export async function saveNotes(db: Store, serverId: string, id: string, notes: string | null): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('allocations')
    .set({ notes })
    .where('id', '=', id)
    .where('server_id', '=', serverId)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** In this order: an index of the database refuses a second primary port. */
export async function movePrimary(trx: Store, serverId: string, id: string): Promise<void> {
  const ofServer = trx.updateTable('allocations').where('server_id', '=', serverId)
  await ofServer.set({ primary_port: 0 }).where('primary_port', '=', 1).execute()
  await ofServer.set({ primary_port: 1 }).where('id', '=', id).execute()
}

export async function movePort(db: Store, serverId: string, id: string, port: number): Promise<void> {
  await db.updateTable('allocations').set({ port }).where('id', '=', id).where('server_id', '=', serverId).execute()
}

export async function removeAllocation(db: Store, serverId: string, id: string): Promise<void> {
  await db.deleteFrom('allocations').where('id', '=', id).where('server_id', '=', serverId).execute()
}
