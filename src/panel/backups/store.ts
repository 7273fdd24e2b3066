import { type Insertable, sql, type UpdateResult } from 'kysely'
import type { BackupRow, Store } from '../db/index.ts'

/** Newest first. */
export async function backupsOf(db: Store, serverId: string): Promise<BackupRow[]> {
  return present(db).where('server_id', '=', serverId).orderBy('created_at', 'desc').orderBy('id', 'desc').execute()
}

export async function backupOf(db: Store, serverId: string, id: string): Promise<BackupRow | undefined> {
  return present(db).where('server_id', '=', serverId).where('id', '=', id).executeTakeFirst()
}

/** The same of a node that claims it: undefined where it is not on that node. */
export async function backupOfNode(
  db: Store,
  nodeId: string,
  serverId: string,
  id: string,
): Promise<BackupRow | undefined> {
  return present(db)
    .where('server_id', '=', serverId)
    .where('id', '=', id)
    .where('node_id', '=', nodeId)
    .executeTakeFirst()
}

export async function unfinishedOf(db: Store, nodeId: string): Promise<BackupRow[]> {
  return present(db).where('node_id', '=', nodeId).where('state', 'in', unfinished).execute()
}

export async function insertBackup(db: Store, row: Insertable<BackupRow>): Promise<void> {
  await db.insertInto('backups').values(row).execute()
}

/** Its node has begun. False where that is known, or it has ended. */
export async function markRunning(db: Store, id: string): Promise<boolean> {
  return changed(
    await db
      .updateTable('backups')
      .set({ state: 'running' })
      .where('id', '=', id)
      .where('state', '=', 'pending')
      .where('deleted_at', 'is', null)
      .executeTakeFirst(),
  )
}

export type Outcome = Pick<BackupRow, 'state' | 'bytes' | 'files' | 'size' | 'checksum' | 'message' | 'completed_at'>

/** How it ended. False where that is known already. */
export async function finish(db: Store, id: string, outcome: Outcome): Promise<boolean> {
  return changed(
    await db
      .updateTable('backups')
      .set(outcome)
      .where('id', '=', id)
      .where('state', 'in', unfinished)
      .where('deleted_at', 'is', null)
      .executeTakeFirst(),
  )
}

export async function setLocked(db: Store, id: string, locked: boolean): Promise<void> {
  await db
    .updateTable('backups')
    .set({ locked: locked ? 1 : 0 })
    .where('id', '=', id)
    .execute()
}

/** Gives backups up: from now on nobody sees them, and a sweep removes what there is of them. Locked ones stay unless `force`. */
export async function markDeleted(
  db: Store,
  ids: readonly string[],
  now: number,
  { force = false }: { force?: boolean } = {},
): Promise<boolean> {
  if (ids.length === 0) return false
  let query = db.updateTable('backups').set({ deleted_at: now }).where('id', 'in', ids).where('deleted_at', 'is', null)
  if (!force) query = query.where('locked', '=', 0)
  return changed(await query.executeTakeFirst())
}

/** Those whose server is gone or going are given up. */
export async function markOrphans(db: Store, now: number): Promise<void> {
  await db
    .updateTable('backups')
    .set({ deleted_at: now })
    .where('deleted_at', 'is', null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('servers')
            .select('servers.id')
            .whereRef('servers.id', '=', 'backups.server_id')
            .where('servers.deleted_at', 'is', null),
        ),
      ),
    )
    .execute()
}

export type Given = BackupRow & { node_known: number }

/** Those that are given up and not removed yet, and whether their node still exists. */
export async function givenUp(db: Store, most: number): Promise<Given[]> {
  return db
    .selectFrom('backups')
    .selectAll('backups')
    .select((query) =>
      query
        .selectFrom('nodes')
        .select(sql<number>`cast(count(*) as integer)`.as('count'))
        .whereRef('nodes.id', '=', 'backups.node_id')
        .as('node_known'),
    )
    .$narrowType<{ node_known: number }>()
    .where('backups.deleted_at', 'is not', null)
    .orderBy('backups.deleted_at')
    .limit(most)
    .execute()
}

/** One that is kept on another node than its server's, or of which another node may have a copy. */
export type Astray = BackupRow & { home: string }

/** A whole archive. */
export type Plain = Pick<BackupRow, 'id' | 'server_id' | 'bytes' | 'files'> & {
  format: 'zstd' | 'gzip'
  checksum: string
  size: number
}

/** Oldest first, of nodes that can be reached; none of servers that are on their way, and nothing that is in a store. */
export async function astray(db: Store, nodesHere: readonly string[], most: number): Promise<Astray[]> {
  // What cannot be done now must not stand before what can.
  const here = nodesHere.length > 0 ? nodesHere : ['none']
  return db
    .selectFrom('backups')
    .innerJoin('servers', 'servers.id', 'backups.server_id')
    .selectAll('backups')
    .select('servers.node_id as home')
    .where('backups.deleted_at', 'is', null)
    .where('backups.place', 'like', localPlaces)
    .where('backups.state', '=', 'ready')
    .where('servers.deleted_at', 'is', null)
    .where('servers.transfer_id', 'is', null)
    .where(({ eb, or, and }) =>
      or([
        eb('backups.copy_node', 'is not', null),
        and([
          eb('backups.node_id', '!=', eb.ref('servers.node_id')),
          eb('backups.node_id', 'in', here),
          eb('servers.node_id', 'in', here),
        ]),
      ]),
    )
    .orderBy('backups.created_at')
    .orderBy('backups.id')
    .limit(most)
    .execute()
}

/** All that are in one repository of a node, those included that are given up and not removed yet. */
export async function inRepository(
  db: Store,
  { server_id, node_id, place }: Pick<BackupRow, 'server_id' | 'node_id' | 'place'>,
): Promise<BackupRow[]> {
  return db
    .selectFrom('backups')
    .selectAll()
    .where('server_id', '=', server_id)
    .where('node_id', '=', node_id)
    .where('place', '=', place)
    .where('format', '=', 'restic')
    .where('state', '=', 'ready')
    .execute()
}

/** The names of servers that are elsewhere and of which the node keeps backups. */
export async function keptForOthers(db: Store, nodeId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('backups')
    .innerJoin('servers', 'servers.id', 'backups.server_id')
    .select('servers.name')
    .distinct()
    .where('backups.node_id', '=', nodeId)
    .where('backups.place', 'like', localPlaces)
    .where('backups.state', '=', 'ready')
    .where('backups.deleted_at', 'is', null)
    .where('servers.deleted_at', 'is', null)
    .where('servers.node_id', '!=', nodeId)
    .orderBy('servers.name')
    .execute()
  return rows.map(({ name }) => name)
}

/** Which other node may have a copy from now on, and where. False where that has changed since it was looked at, or it is given up. */
export async function setCopy(
  db: Store,
  row: Pick<BackupRow, 'id' | 'node_id' | 'copy_node'>,
  copy: { nodeId: string; place: string } | null,
): Promise<boolean> {
  return changed(
    await db
      .updateTable('backups')
      .set({ copy_node: copy?.nodeId ?? null, copy_place: copy?.place ?? null })
      .where('id', '=', row.id)
      .where('node_id', '=', row.node_id)
      .where('copy_node', row.copy_node === null ? 'is' : '=', row.copy_node)
      .where('deleted_at', 'is', null)
      .executeTakeFirst(),
  )
}

/** The copy is the one that counts now, and what counted is the copy. False where it is given up meanwhile, or no such copy is known. */
export async function settle(
  db: Store,
  row: Pick<BackupRow, 'id' | 'node_id' | 'place'>,
  copy: { nodeId: string; place: string },
): Promise<boolean> {
  return changed(
    await db
      .updateTable('backups')
      .set({ node_id: copy.nodeId, place: copy.place, copy_node: row.node_id, copy_place: row.place })
      .where('id', '=', row.id)
      .where('node_id', '=', row.node_id)
      .where('copy_node', '=', copy.nodeId)
      .where('copy_place', '=', copy.place)
      .where('deleted_at', 'is', null)
      .executeTakeFirst(),
  )
}

export async function removeBackup(db: Store, id: string): Promise<void> {
  await db.deleteFrom('backups').where('id', '=', id).where('deleted_at', 'is not', null).execute()
}

/** The repository of a server's incremental backups. */
export async function repositoryOf(db: Store, serverId: string): Promise<{ password: string } | undefined> {
  return db.selectFrom('backup_repositories').select('password').where('server_id', '=', serverId).executeTakeFirst()
}

/** Nothing happens where there is one. */
export async function insertRepository(
  db: Store,
  row: { server_id: string; password: string; created_at: number },
): Promise<void> {
  await db
    .insertInto('backup_repositories')
    .values(row)
    .onConflict((conflict) => conflict.column('server_id').doNothing())
    .execute()
}

/** Forgets the passwords of servers that are gone and of which no backup needs them any more. */
export async function removeRepositories(db: Store): Promise<void> {
  await db
    .deleteFrom('backup_repositories')
    .where(({ and, not, exists, selectFrom }) =>
      and([
        not(
          exists(
            selectFrom('servers').select('servers.id').whereRef('servers.id', '=', 'backup_repositories.server_id'),
          ),
        ),
        not(
          exists(
            selectFrom('backups')
              .select('backups.id')
              .whereRef('backups.server_id', '=', 'backup_repositories.server_id'),
          ),
        ),
      ]),
    )
    .execute()
}

export interface BackupSettings {
  rotate: boolean
  /** Null for the installation's own. */
  limit: number | null
}

export async function settingsOf(db: Store, serverId: string): Promise<BackupSettings> {
  const row = await db.selectFrom('backup_settings').selectAll().where('server_id', '=', serverId).executeTakeFirst()
  return { rotate: row?.rotate === 1, limit: row?.backups_limit ?? null }
}

export async function setRotate(db: Store, serverId: string, rotate: boolean): Promise<void> {
  const value = rotate ? 1 : 0
  await db
    .insertInto('backup_settings')
    .values({ server_id: serverId, rotate: value, backups_limit: null })
    .onConflict((conflict) => conflict.column('server_id').doUpdateSet({ rotate: value }))
    .execute()
}

/** Gives a server another limit; backups beyond it stay. */
export async function setBackupLimit(db: Store, serverId: string, limit: number): Promise<void> {
  await db
    .insertInto('backup_settings')
    .values({ server_id: serverId, rotate: 0, backups_limit: limit })
    .onConflict((conflict) => conflict.column('server_id').doUpdateSet({ backups_limit: limit }))
    .execute()
}

/** As `Places` writes it. */
export const localPlace = JSON.stringify({ kind: 'local' })

/** What begins the place of anything that is on a node. */
const localPlaces = `${localPlace.slice(0, -1)}%`

const unfinished: BackupRow['state'][] = ['pending', 'running']
const present = (db: Store) => db.selectFrom('backups').selectAll().where('deleted_at', 'is', null)
const changed = (result: UpdateResult): boolean => result.numUpdatedRows > 0n
