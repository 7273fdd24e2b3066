import { type Insertable, sql } from 'kysely'
import type { DatabaseHostRow, DatabaseRow, Store } from '../db/index.ts'
import { databasesPerServer } from './limits.ts'

/** The databases of a server, oldest first, those included that are not there yet or no more. */
export async function databasesOf(db: Store, serverId: string): Promise<DatabaseRow[]> {
  return db
    .selectFrom('databases')
    .selectAll()
    .where('server_id', '=', serverId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

/**
 * How many databases a server may have and has. Those being deleted count, so that nobody piles up what a database server that
 * is away still holds.
 */
export async function countDatabases(db: Store, serverId: string): Promise<{ limit: number; current: number }> {
  const { count } = await db
    .selectFrom('databases')
    .select(sql<number>`cast(count(*) as integer)`.as('count'))
    .where('server_id', '=', serverId)
    .executeTakeFirstOrThrow()
  const limited = await db
    .selectFrom('database_limits')
    .select('most')
    .where('server_id', '=', serverId)
    .executeTakeFirst()
  return { limit: limited?.most ?? databasesPerServer, current: count }
}

/** How many a server may have from now on; what it has stays. */
export async function setDatabaseLimit(db: Store, serverId: string, most: number): Promise<void> {
  await db
    .insertInto('database_limits')
    .values({ server_id: serverId, most })
    .onConflict((conflict) => conflict.column('server_id').doUpdateSet({ most }))
    .execute()
}

/** By its id or its real name, and under its own server alone. */
export async function findDatabase(
  db: Store,
  serverId: string,
  by: { id: string; realName: string },
): Promise<DatabaseRow | undefined> {
  return db
    .selectFrom('databases')
    .selectAll()
    .where('server_id', '=', serverId)
    .where(({ eb, or }) => or([eb('id', '=', by.id), eb('real_name', '=', by.realName)]))
    .executeTakeFirst()
}

export async function insertDatabase(db: Store, row: Insertable<DatabaseRow>): Promise<void> {
  await db.insertInto('databases').values(row).execute()
}

export type DatabaseChange = Partial<
  Pick<DatabaseRow, 'state' | 'busy_until' | 'password' | 'next_password' | 'host' | 'port'>
>

/** Changes a row that is still as it was seen: in that state, and in nobody else's hands. False where it is not. */
export async function changeDatabase(
  db: Store,
  seen: Pick<DatabaseRow, 'id' | 'state' | 'busy_until'>,
  change: DatabaseChange,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('databases')
    .set(change)
    .where('id', '=', seen.id)
    .where('state', '=', seen.state)
    .where('busy_until', '=', seen.busy_until)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Only one that is being deleted. */
export async function removeDatabase(db: Store, id: string): Promise<void> {
  await db.deleteFrom('databases').where('id', '=', id).where('state', '=', 'deleting').execute()
}

/**
 * What nobody works on although something remains to be done: those between two states, and those whose server is gone. Of
 * those on nodes only such as can be reached now.
 */
export async function unfinishedDatabases(
  db: Store,
  now: number,
  nodesHere: readonly string[],
  most: number,
): Promise<DatabaseRow[]> {
  return db
    .selectFrom('databases')
    .leftJoin('servers', (join) =>
      join.onRef('servers.id', '=', 'databases.server_id').on('servers.deleted_at', 'is', null),
    )
    .selectAll('databases')
    .where('databases.busy_until', '<=', now)
    .where(({ eb, or }) =>
      or([
        eb('databases.node_id', 'is', null),
        ...(nodesHere.length > 0 ? [eb('databases.node_id', 'in', nodesHere)] : []),
      ]),
    )
    .where(({ eb, or }) => or([eb('databases.state', '!=', 'ready'), eb('servers.id', 'is', null)]))
    .orderBy('databases.busy_until')
    .orderBy('databases.id')
    .limit(most)
    .execute()
}

/** For a panel that is alone: whoever held anything has died. */
export async function releaseDatabases(db: Store): Promise<void> {
  await db.updateTable('databases').set({ busy_until: 0 }).execute()
}

/** With its node everything on it is lost. */
export async function removeDatabasesOfNode(db: Store, nodeId: string): Promise<void> {
  await db.deleteFrom('databases').where('node_id', '=', nodeId).execute()
}

/** Where a server is, unless it is being deleted. */
export async function homeOf(
  db: Store,
  serverId: string,
): Promise<{ name: string; node_id: string; node_name: string; transfer_id: string | null } | undefined> {
  return db
    .selectFrom('servers')
    .innerJoin('nodes', 'nodes.id', 'servers.node_id')
    .select(['servers.name', 'servers.node_id', 'servers.transfer_id', 'nodes.name as node_name'])
    .where('servers.id', '=', serverId)
    .where('servers.deleted_at', 'is', null)
    .executeTakeFirst()
}

/** Another node keeps it from now on. False where it is not ready on the one that kept it. */
export async function moveDatabase(
  db: Store,
  id: string,
  from: string,
  to: { nodeId: string; host: string; port: number },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('databases')
    .set({ node_id: to.nodeId, host: to.host, port: to.port })
    .where('id', '=', id)
    .where('node_id', '=', from)
    .where('state', '=', 'ready')
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function nodeName(db: Store, id: string): Promise<string> {
  const row = await db.selectFrom('nodes').select('name').where('id', '=', id).executeTakeFirst()
  return row?.name ?? id
}

export type HostWithCount = DatabaseHostRow & { databases: number }

/** By name, each with the number of databases on it. */
export async function listHosts(db: Store): Promise<HostWithCount[]> {
  return withCounts(db).orderBy('database_hosts.name').execute()
}

export async function hostById(db: Store, id: string): Promise<HostWithCount | undefined> {
  return withCounts(db).where('database_hosts.id', '=', id).executeTakeFirst()
}

export async function insertHost(db: Store, row: Insertable<DatabaseHostRow>): Promise<void> {
  await db.insertInto('database_hosts').values(row).execute()
}

export async function updateHost(db: Store, id: string, change: Partial<DatabaseHostRow>): Promise<boolean> {
  const { numUpdatedRows } = await db.updateTable('database_hosts').set(change).where('id', '=', id).executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function removeHost(db: Store, id: string): Promise<void> {
  await db.deleteFrom('database_hosts').where('id', '=', id).execute()
}

/** Some sealed text of each table: enough to notice that it is of another key. */
export async function someSealed(db: Store): Promise<string[]> {
  const hosts = await db.selectFrom('database_hosts').select('password').limit(1).execute()
  const databases = await db.selectFrom('databases').select('password').limit(1).execute()
  return [...hosts, ...databases].map(({ password }) => password)
}

function withCounts(db: Store) {
  return db
    .selectFrom('database_hosts')
    .selectAll('database_hosts')
    .select((query) =>
      query
        .selectFrom('databases')
        .select(sql<number>`cast(count(*) as integer)`.as('count'))
        .whereRef('databases.host_id', '=', 'database_hosts.id')
        .as('databases'),
    )
    .$narrowType<{ databases: number }>()
}
