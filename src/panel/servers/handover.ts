import type { ServerRow, Store } from '../db/index.ts'

/** Holds the server for a transfer: its next spec says so. False where it is gone, held already, or on another node. */
export async function holdServer(db: Store, id: string, nodeId: string, transferId: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('servers')
    .set((eb) => ({ transfer_id: transferId, revision: eb('revision', '+', 1) }))
    .where('id', '=', id)
    .where('node_id', '=', nodeId)
    .where('transfer_id', 'is', null)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Lets it go on where it is. A server that is not held by this transfer stays as it is. */
export async function releaseServer(
  db: Store,
  id: string,
  transferId: string,
  { start }: { start: boolean },
): Promise<void> {
  await held(db, id, transferId)
    .set((eb) => ({
      transfer_id: null,
      revision: eb('revision', '+', 1),
      ...(start ? { start_when_installed: 1 } : {}),
    }))
    .execute()
}

/** Makes it another node's, which says from now on what it does. False where it is not held by this transfer. */
export async function handServerOver(
  db: Store,
  id: string,
  transferId: string,
  { nodeId, start }: { nodeId: string; start: boolean },
): Promise<boolean> {
  const { numUpdatedRows } = await held(db, id, transferId)
    .set((eb) => ({
      node_id: nodeId,
      transfer_id: null,
      revision: eb('revision', '+', 1),
      ...(start ? { start_when_installed: 1 } : {}),
    }))
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** The ids of those that are on the node and not being deleted. */
export async function standingServersOf(db: Store, nodeId: string): Promise<Pick<ServerRow, 'id' | 'name'>[]> {
  return db
    .selectFrom('servers')
    .select(['id', 'name'])
    .where('node_id', '=', nodeId)
    .where('deleted_at', 'is', null)
    .orderBy('created_at')
    .execute()
}

const held = (db: Store, id: string, transferId: string) =>
  db.updateTable('servers').where('id', '=', id).where('transfer_id', '=', transferId)
