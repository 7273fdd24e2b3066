import type { AllocationRow, Store, TunnelRow } from '../db/index.ts'

export type AllocationWithTunnel = AllocationRow & { tunnel: (TunnelRow & { slug: string }) | null }

/** The ports of these servers, the primary first, then by number. */
export async function allocationsOf(db: Store, serverIds: readonly string[]): Promise<AllocationWithTunnel[]> {
  if (serverIds.length === 0) return []
  const rows = await db
    .selectFrom('allocations')
    .innerJoin('servers', 'servers.id', 'allocations.server_id')
    .innerJoin('workspaces', 'workspaces.id', 'servers.workspace_id')
    .selectAll('allocations')
    .select('workspaces.slug')
    .where('allocations.server_id', 'in', [...serverIds])
    .orderBy('allocations.primary_port', 'desc')
    .orderBy('allocations.port')
    .execute()
  const tunnels = await tunnelsOf(
    db,
    rows.map(({ id }) => id),
  )
  return rows.map(({ slug, ...row }) => {
    const tunnel = tunnels.get(row.id)
    return { ...row, tunnel: tunnel ? { ...tunnel, slug } : null }
  })
}

async function tunnelsOf(db: Store, allocationIds: string[]): Promise<Map<string | null, TunnelRow>> {
  if (allocationIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('tunnels')
    .selectAll()
    .where('allocation_id', 'in', allocationIds)
    .where('deleted_at', 'is', null)
    .execute()
  return new Map(rows.map((row) => [row.allocation_id, row]))
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

/** Gives an allocation to the server's new node, with a port of its own there. */
export async function moveAllocation(trx: Store, id: string, nodeId: string, port: number): Promise<void> {
  await trx.updateTable('allocations').set({ node_id: nodeId, port }).where('id', '=', id).execute()
}
