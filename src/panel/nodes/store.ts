import { type Insertable, sql, type UpdateResult } from 'kysely'
import type { NodeRow, Store } from '../db/index.ts'

export type NodeWithServers = NodeRow & { servers: number; memory: number; disk: number; cpu: number }

export async function nodeById(db: Store, id: string): Promise<NodeRow | undefined> {
  return db.selectFrom('nodes').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function nodeByName(db: Store, name: string): Promise<NodeRow | undefined> {
  return db.selectFrom('nodes').selectAll().where('name', '=', name).executeTakeFirst()
}

export async function nodeByMachine(db: Store, machine: string): Promise<NodeRow | undefined> {
  return db.selectFrom('nodes').selectAll().where('machine', '=', machine).executeTakeFirst()
}

export async function nodeByCredential(db: Store, credentialHash: string): Promise<NodeRow | undefined> {
  return db.selectFrom('nodes').selectAll().where('credential_hash', '=', credentialHash).executeTakeFirst()
}

/** With the number of servers on each that are not being deleted; by name. */
export async function listNodes(db: Store): Promise<NodeWithServers[]> {
  return withServers(db).orderBy('nodes.name').execute()
}

export async function nodeWithServers(db: Store, id: string): Promise<NodeWithServers | undefined> {
  return withServers(db).where('nodes.id', '=', id).executeTakeFirst()
}

export async function insertNode(db: Store, row: Insertable<NodeRow>): Promise<void> {
  await db.insertInto('nodes').values(row).execute()
}

/**
 * Exchanges the join secret for a credential. One statement decides, so that of two machines showing the same secret at the
 * same moment one gets in.
 */
export async function takeJoin(
  db: Store,
  joinHash: string,
  credentialHash: string,
  now: number,
): Promise<NodeRow | undefined> {
  const taken = await db
    .updateTable('nodes')
    .set({ credential_hash: credentialHash, join_hash: null, join_expires_at: null })
    .where('join_hash', '=', joinHash)
    .where('join_expires_at', '>', now)
    .executeTakeFirst()
  return changed(taken) ? nodeByCredential(db, credentialHash) : undefined
}

/** False where the node has been forgotten. */
export async function saveFacts(db: Store, id: string, facts: string, now: number): Promise<boolean> {
  return changed(
    await db.updateTable('nodes').set({ facts, last_seen_at: now }).where('id', '=', id).executeTakeFirst(),
  )
}

export async function saveSeen(db: Store, id: string, now: number): Promise<void> {
  await db.updateTable('nodes').set({ last_seen_at: now }).where('id', '=', id).execute()
}

export async function setCredential(
  db: Store,
  id: string,
  credentialHash: string,
  machine: string | null,
): Promise<void> {
  await db
    .updateTable('nodes')
    .set({ credential_hash: credentialHash, join_hash: null, join_expires_at: null, machine })
    .where('id', '=', id)
    .execute()
}

export async function updateNode(
  db: Store,
  id: string,
  change: Pick<NodeRow, 'maintenance_at' | 'labels' | 'memory_factor' | 'disk_factor' | 'cpu_factor'>,
): Promise<void> {
  await db.updateTable('nodes').set(change).where('id', '=', id).execute()
}

export async function removeNode(db: Store, id: string): Promise<void> {
  await db.deleteFrom('nodes').where('id', '=', id).execute()
}

/** What is promised counts servers that are being deleted, too: until then their files are there. */
function withServers(db: Store) {
  return db
    .selectFrom('nodes')
    .leftJoin('servers', 'servers.node_id', 'nodes.id')
    .selectAll('nodes')
    .select([
      sql<number>`cast(count(case when servers.id is not null and servers.deleted_at is null then 1 end) as integer)`.as(
        'servers',
      ),
      sql<number>`cast(coalesce(sum(servers.memory), 0) as integer)`.as('memory'),
      sql<number>`cast(coalesce(sum(servers.disk), 0) as bigint)`.as('disk'),
      sql<number>`cast(coalesce(sum(servers.cpu), 0) as double precision)`.as('cpu'),
    ])
    .groupBy('nodes.id')
}

const changed = (result: UpdateResult): boolean => result.numUpdatedRows > 0n
