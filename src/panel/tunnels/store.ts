import type { Store, TunnelRow } from '../db/index.ts'

export const insertTunnel = (store: Store, row: TunnelRow): Promise<unknown> =>
  store.insertInto('tunnels').values(row).execute()

export const updateTunnel = (
  store: Store,
  id: string,
  change: Partial<Omit<TunnelRow, 'id' | 'workspace_id' | 'name'>>,
): Promise<unknown> => store.updateTable('tunnels').set(change).where('id', '=', id).execute()

/** Each has the other one's name and way in by that name from now on. */
export async function swapNames(trx: Store, left: TunnelRow, right: TunnelRow): Promise<void> {
  const rename = (id: string, { name, entrance }: Pick<TunnelRow, 'name' | 'entrance'>): Promise<unknown> =>
    trx.updateTable('tunnels').set({ name, entrance }).where('id', '=', id).execute()
  // No two of a workspace may have one name at any moment; no name is like an id.
  await rename(left.id, { name: left.id, entrance: null })
  await rename(right.id, left)
  await rename(left.id, right)
}

/** Also one that was given up. */
export const tunnelNamed = (store: Store, workspaceId: string, name: string): Promise<TunnelRow | undefined> =>
  store
    .selectFrom('tunnels')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('name', '=', name)
    .executeTakeFirst()

/** Also one that was given up. */
export const tunnelById = (store: Store, id: string): Promise<TunnelRow | undefined> =>
  store.selectFrom('tunnels').selectAll().where('id', '=', id).executeTakeFirst()

export const tunnelOfAllocation = (store: Store, allocationId: string): Promise<TunnelRow | undefined> =>
  store
    .selectFrom('tunnels')
    .selectAll()
    .where('allocation_id', '=', allocationId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()

/** One that was not given up, with the server whose port it carries. */
export const ownTunnel = (
  store: Store,
  workspaceId: string,
  idOrName: string,
): Promise<(TunnelRow & { server_id: string | null }) | undefined> =>
  store
    .selectFrom('tunnels')
    .leftJoin('allocations', 'allocations.id', 'tunnels.allocation_id')
    .selectAll('tunnels')
    .select('allocations.server_id')
    .where('tunnels.workspace_id', '=', workspaceId)
    // No name is like an id.
    .where(({ or, eb }) => or([eb('tunnels.id', '=', idOrName), eb('tunnels.name', '=', idOrName)]))
    .where('tunnels.deleted_at', 'is', null)
    .executeTakeFirst()

/** Newest first, with the server whose port each carries. */
export const listTunnels = (store: Store, workspaceId: string): Promise<(TunnelRow & { server_id: string | null })[]> =>
  store
    .selectFrom('tunnels')
    .leftJoin('allocations', 'allocations.id', 'tunnels.allocation_id')
    .selectAll('tunnels')
    .select('allocations.server_id')
    .where('tunnels.workspace_id', '=', workspaceId)
    .where('tunnels.deleted_at', 'is', null)
    .orderBy('tunnels.created_at', 'desc')
    .orderBy('tunnels.id')
    .execute()

/** Tunnels that people opened, as opposed to those of servers' ports. */
export async function countOwnTunnels(store: Store, workspaceId: string): Promise<number> {
  const { count } = await store
    .selectFrom('tunnels')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('workspace_id', '=', workspaceId)
    .where('allocation_id', 'is', null)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** From now on the edge may report on the tunnel. */
export const noteEdge = (store: Store, edgeId: string, tunnelId: string): Promise<unknown> =>
  store
    .insertInto('edge_tunnels')
    .values({ edge_id: edgeId, tunnel_id: tunnelId })
    .onConflict((conflict) => conflict.doNothing())
    .execute()

/** What a node may serve for an allocation: only its own, of a server that still stands. */
export const allocationOfNode = (
  store: Store,
  allocationId: string,
  nodeId: string,
): Promise<{ workspace_id: string; slug: string; suspended_at: number | null } | undefined> =>
  store
    .selectFrom('allocations')
    .innerJoin('servers', 'servers.id', 'allocations.server_id')
    .innerJoin('workspaces', 'workspaces.id', 'servers.workspace_id')
    .select(['workspaces.id as workspace_id', 'workspaces.slug', 'workspaces.suspended_at'])
    .where('allocations.id', '=', allocationId)
    .where('allocations.node_id', '=', nodeId)
    .where('servers.deleted_at', 'is', null)
    .executeTakeFirst()
