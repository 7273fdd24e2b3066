import type { Store } from '../db/index.ts'

/** Which node has a server that is not being deleted; null for none. */
export async function nodeOfServer(store: Store, serverId: string): Promise<string | null> {
  const row = await store
    .selectFrom('servers')
    .select('node_id')
    .where('id', '=', serverId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row?.node_id ?? null
}
