import type { Insertable, UpdateResult } from 'kysely'
import type { ServerRow, Store } from '../db/index.ts'

/** A server with what its reply shows of its surroundings. */
export type ServerDetail = ServerRow & {
  node_name: string
  public_address: string | null
  maintenance_at: number | null
  workspace_slug: string
  owner_email: string
}

/** Also one that is being deleted. */
export async function serverDetail(db: Store, id: string): Promise<ServerDetail | undefined> {
  return details(db).where('servers.id', '=', id).executeTakeFirst()
}

/** Every server of the node, those that are being deleted too. */
export async function serversOfNode(
  db: Store,
  nodeId: string,
): Promise<Pick<ServerRow, 'id' | 'revision' | 'deleted_at'>[]> {
  return db.selectFrom('servers').select(['id', 'revision', 'deleted_at']).where('node_id', '=', nodeId).execute()
}

export interface Reach {
  userId: string
  /** With a key: its workspace, outside which only what was given to the user counts. */
  workspaceId: string | null
}

export interface PagePosition {
  createdAt: number
  id: string
}

/** Servers that `reach` may see, oldest first. Whether each really is visible, access decides. */
export async function listServers(
  db: Store,
  reach: Reach,
  after: PagePosition | null,
  most: number,
): Promise<ServerDetail[]> {
  const given = db.selectFrom('subusers').select('server_id').where('user_id', '=', reach.userId)
  const governed = db
    .selectFrom('members')
    .select('workspace_id')
    .where('user_id', '=', reach.userId)
    .where('role', 'in', ['owner', 'admin'])
  const query = details(db)
    .where('servers.deleted_at', 'is', null)
    .where(({ eb, or }) => {
      const own = or([eb('servers.owner_id', '=', reach.userId), eb('servers.workspace_id', 'in', governed)])
      const reached = reach.workspaceId === null ? own : own.and('servers.workspace_id', '=', reach.workspaceId)
      return or([reached, eb('servers.id', 'in', given)])
    })
  return inOrder(query, after, most).execute()
}

/** Servers of everybody, oldest first. */
export async function everyServer(db: Store, after: PagePosition | null, most: number): Promise<ServerDetail[]> {
  return inOrder(details(db).where('servers.deleted_at', 'is', null), after, most).execute()
}

export async function idTaken(db: Store, id: string): Promise<boolean> {
  return (await db.selectFrom('servers').select('id').where('id', '=', id).executeTakeFirst()) !== undefined
}

export async function insertServer(db: Store, row: Insertable<ServerRow>): Promise<void> {
  await db.insertInto('servers').values(row).execute()
}

/** Undefined where there is no such server or it is being deleted. */
export async function standingServer(db: Store, id: string): Promise<ServerRow | undefined> {
  return db.selectFrom('servers').selectAll().where('id', '=', id).where('deleted_at', 'is', null).executeTakeFirst()
}

/** What of a server may change once it exists. */
export type ServerChange = Partial<
  Pick<
    ServerRow,
    | 'name'
    | 'restart_on_crash'
    | 'restart_on_hang'
    | 'wake_on_connect'
    | 'idle_minutes'
    | 'runtime'
    | 'image'
    | 'variables'
    | 'template_hash'
    | 'memory'
    | 'disk'
    | 'cpu'
    | 'suspended_at'
    | 'allocation_limit'
  >
>

/** Makes it a newer revision of the server, which its node will want to have. */
export async function applyChange(db: Store, id: string, change: ServerChange): Promise<void> {
  await db
    .updateTable('servers')
    .set((eb) => ({ ...change, revision: eb('revision', '+', 1) }))
    .where('id', '=', id)
    .execute()
}

/** False where it is gone or somebody else has marked it before. */
export async function markDeleted(db: Store, id: string, now: number): Promise<boolean> {
  return changed(
    await db
      .updateTable('servers')
      .set({ deleted_at: now })
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .executeTakeFirst(),
  )
}

/** Its ports, subusers and invitations go with it. Only one that is being deleted. */
export async function removeServer(db: Store, id: string): Promise<boolean> {
  const result = await db
    .deleteFrom('servers')
    .where('id', '=', id)
    .where('deleted_at', 'is not', null)
    .executeTakeFirst()
  return result.numDeletedRows > 0n
}

export async function removeDeletedServersOf(db: Store, nodeId: string): Promise<void> {
  await db.deleteFrom('servers').where('node_id', '=', nodeId).where('deleted_at', 'is not', null).execute()
}

export type Reported = Pick<ServerRow, 'name' | 'suspended_at' | 'start_when_installed'>

/** Keeps what the server's own node said of it. Undefined where the node has no such server, or it is being deleted. */
export async function saveState(db: Store, nodeId: string, id: string, state: string): Promise<Reported | undefined> {
  return db
    .updateTable('servers')
    .set({ state })
    .where('id', '=', id)
    .where('node_id', '=', nodeId)
    .where('deleted_at', 'is', null)
    .returning(['name', 'suspended_at', 'start_when_installed'])
    .executeTakeFirst()
}

export async function clearStartWhenInstalled(db: Store, id: string): Promise<void> {
  await db.updateTable('servers').set({ start_when_installed: 0 }).where('id', '=', id).execute()
}

function details(db: Store) {
  return db
    .selectFrom('servers')
    .innerJoin('nodes', 'nodes.id', 'servers.node_id')
    .innerJoin('workspaces', 'workspaces.id', 'servers.workspace_id')
    .innerJoin('users', 'users.id', 'servers.owner_id')
    .selectAll('servers')
    .select([
      'nodes.name as node_name',
      'nodes.public_address',
      'nodes.maintenance_at',
      'workspaces.slug as workspace_slug',
      'users.email as owner_email',
    ])
}

function inOrder(query: ReturnType<typeof details>, after: PagePosition | null, most: number) {
  const ordered = query.orderBy('servers.created_at').orderBy('servers.id').limit(most)
  if (!after) return ordered
  return ordered.where(({ eb, or, and }) =>
    or([
      eb('servers.created_at', '>', after.createdAt),
      and([eb('servers.created_at', '=', after.createdAt), eb('servers.id', '>', after.id)]),
    ]),
  )
}

const changed = (result: UpdateResult): boolean => result.numUpdatedRows > 0n
