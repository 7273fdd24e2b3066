import { z } from 'zod'
import { type ServerPermission, serverPermissions } from '../../contract/permissions.ts'
import type { InvitationRow, Store, UserRow } from '../db/index.ts'

/** Somebody who was given a server, or is invited to it. */
export interface SubuserRecord {
  id: string
  email: string
  permissions: ServerPermission[]
  pending: boolean
}

export async function subusersOf(db: Store, serverId: string, now: number): Promise<SubuserRecord[]> {
  const present = await joined(db, serverId).orderBy('subusers.created_at').orderBy('users.id').execute()
  const invited = await invitations(db, serverId, now).orderBy('created_at').orderBy('id').execute()
  return [...present.map((row) => recordOf(row, false)), ...invited.map((row) => recordOf(row, true))]
}

/** By the user's id, or the invitation's while they have not joined. */
export async function subuserOf(
  db: Store,
  serverId: string,
  id: string,
  now: number,
): Promise<SubuserRecord | undefined> {
  const present = await joined(db, serverId).where('users.id', '=', id).executeTakeFirst()
  if (present) return recordOf(present, false)
  const invited = await invitations(db, serverId, now).where('id', '=', id).executeTakeFirst()
  return invited ? recordOf(invited, true) : undefined
}

export async function userByEmail(db: Store, email: string): Promise<Pick<UserRow, 'id'> | undefined> {
  return db.selectFrom('users').select('id').where('email', '=', email).executeTakeFirst()
}

/** Null where the server is being deleted. */
export async function serverOwner(db: Store, serverId: string): Promise<string | null> {
  const row = await db
    .selectFrom('servers')
    .select('owner_id')
    .where('id', '=', serverId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row?.owner_id ?? null
}

export async function insertSubuser(
  db: Store,
  row: { serverId: string; userId: string; permissions: readonly ServerPermission[]; now: number },
): Promise<void> {
  await db
    .insertInto('subusers')
    .values({
      server_id: row.serverId,
      user_id: row.userId,
      permissions: JSON.stringify(row.permissions),
      created_at: row.now,
    })
    .execute()
}

export async function insertServerInvitation(db: Store, row: InvitationRow & { server_id: string }): Promise<void> {
  await db.insertInto('invitations').values(row).execute()
}

export async function removeInvitationsTo(db: Store, serverId: string, email: string): Promise<void> {
  await db.deleteFrom('invitations').where('server_id', '=', serverId).where('email', '=', email).execute()
}

/** What somebody has invited others to with rights that they no longer hold. */
export async function removeInvitationsBy(db: Store, serverId: string, userId: string): Promise<void> {
  await db.deleteFrom('invitations').where('server_id', '=', serverId).where('created_by', '=', userId).execute()
}

export async function setPermissions(
  db: Store,
  serverId: string,
  subuser: SubuserRecord,
  permissions: readonly ServerPermission[],
): Promise<void> {
  const change = { permissions: JSON.stringify(permissions) }
  if (subuser.pending)
    await db
      .updateTable('invitations')
      .set(change)
      .where('id', '=', subuser.id)
      .where('server_id', '=', serverId)
      .execute()
  else
    await db
      .updateTable('subusers')
      .set(change)
      .where('user_id', '=', subuser.id)
      .where('server_id', '=', serverId)
      .execute()
}

export async function removeSubuser(db: Store, serverId: string, subuser: SubuserRecord): Promise<void> {
  if (subuser.pending)
    await db.deleteFrom('invitations').where('id', '=', subuser.id).where('server_id', '=', serverId).execute()
  else await db.deleteFrom('subusers').where('user_id', '=', subuser.id).where('server_id', '=', serverId).execute()
}

export const parsePermissions = (text: string): ServerPermission[] => StoredPermissions.parse(JSON.parse(text))

// A permission that a later version of the panel knew, and this one does not, grants nothing here.
const StoredPermissions = z
  .array(z.string())
  .transform((names) => serverPermissions.filter((permission) => names.includes(permission)))

const joined = (db: Store, serverId: string) =>
  db
    .selectFrom('subusers')
    .innerJoin('users', 'users.id', 'subusers.user_id')
    .select(['users.id', 'users.email', 'subusers.permissions'])
    .where('subusers.server_id', '=', serverId)

const invitations = (db: Store, serverId: string, now: number) =>
  db
    .selectFrom('invitations')
    .select(['id', 'email', 'permissions'])
    .where('server_id', '=', serverId)
    .where('expires_at', '>', now)

const recordOf = (row: { id: string; email: string; permissions: string | null }, pending: boolean): SubuserRecord => ({
  id: row.id,
  email: row.email,
  permissions: row.permissions === null ? [] : parsePermissions(row.permissions),
  pending,
})
