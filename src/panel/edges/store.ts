import type { EdgeRow, Store } from '../db/index.ts'

export const insertEdge = (store: Store, row: EdgeRow): Promise<unknown> =>
  store.insertInto('edges').values(row).execute()

/** Edges in the order in which they were made. */
export const listEdges = (store: Store): Promise<EdgeRow[]> =>
  store.selectFrom('edges').selectAll().orderBy('created_at').orderBy('id').execute()

export const edgeById = (store: Store, id: string): Promise<EdgeRow | undefined> =>
  store.selectFrom('edges').selectAll().where('id', '=', id).executeTakeFirst()

export const edgeNamed = (store: Store, name: string): Promise<EdgeRow | undefined> =>
  store.selectFrom('edges').selectAll().where('name', '=', name).executeTakeFirst()

export const edgeByMachine = (store: Store, machine: string): Promise<EdgeRow | undefined> =>
  store.selectFrom('edges').selectAll().where('machine', '=', machine).executeTakeFirst()

export const edgeByCredential = (store: Store, credentialHash: string): Promise<EdgeRow | undefined> =>
  store.selectFrom('edges').selectAll().where('credential_hash', '=', credentialHash).executeTakeFirst()

export const saveCredential = (
  store: Store,
  id: string,
  credentialHash: string,
  machine: string | null,
): Promise<unknown> =>
  store.updateTable('edges').set({ credential_hash: credentialHash, machine }).where('id', '=', id).execute()

export const saveHello = (store: Store, id: string, hello: string, now: number): Promise<unknown> =>
  store.updateTable('edges').set({ hello, last_seen_at: now }).where('id', '=', id).execute()

/** False when there was none. */
export async function deleteEdge(store: Store, id: string): Promise<boolean> {
  const { numDeletedRows } = await store.deleteFrom('edges').where('id', '=', id).executeTakeFirstOrThrow()
  return numDeletedRows === 1n
}

/** The id of the node with this credential. */
export async function nodeByCredential(store: Store, credentialHash: string): Promise<string | null> {
  const row = await store
    .selectFrom('nodes')
    .select('id')
    .where('credential_hash', '=', credentialHash)
    .executeTakeFirst()
  return row?.id ?? null
}

export async function nodeStands(store: Store, id: string): Promise<boolean> {
  return (await store.selectFrom('nodes').select('id').where('id', '=', id).executeTakeFirst()) !== undefined
}

export async function workspaceSuspended(store: Store, id: string): Promise<boolean> {
  const row = await store.selectFrom('workspaces').select('suspended_at').where('id', '=', id).executeTakeFirst()
  return row !== undefined && row.suspended_at !== null
}
