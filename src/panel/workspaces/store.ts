import { z } from 'zod'
import { type Role, roles } from '../../contract/permissions.ts'
import type { InvitationRow, Store, WorkspaceRow } from '../db/index.ts'

export interface MemberRecord {
  id: string
  email: string
  name: string
  role: Role
  joinedAt: number
}

export const insertWorkspace = (store: Store, row: WorkspaceRow): Promise<unknown> =>
  store.insertInto('workspaces').values(row).execute()

export const renameWorkspace = (store: Store, id: string, name: string): Promise<unknown> =>
  store.updateTable('workspaces').set({ name }).where('id', '=', id).execute()

export const workspaceBySlug = (store: Store, slug: string): Promise<WorkspaceRow | undefined> =>
  store.selectFrom('workspaces').selectAll().where('slug', '=', slug).executeTakeFirst()

export const savePlan = (
  store: Store,
  id: string,
  decided: Pick<WorkspaceRow, 'plan' | 'rate_limit' | 'suspended_at'>,
): Promise<unknown> => store.updateTable('workspaces').set(decided).where('id', '=', id).execute()

export async function slugTaken(store: Store, slug: string): Promise<boolean> {
  return (await store.selectFrom('workspaces').select('id').where('slug', '=', slug).executeTakeFirst()) !== undefined
}

export async function workspacesOfUser(store: Store, userId: string): Promise<(WorkspaceRow & { role: Role })[]> {
  const rows = await store
    .selectFrom('members')
    .innerJoin('workspaces', 'workspaces.id', 'members.workspace_id')
    .selectAll('workspaces')
    .select('members.role')
    .where('members.user_id', '=', userId)
    .orderBy('members.joined_at')
    .orderBy('workspaces.id')
    .execute()
  return rows.map((row) => ({ ...row, role: StoredRole.parse(row.role) }))
}

export const insertMember = (
  store: Store,
  row: { workspace_id: string; user_id: string; role: Role; joined_at: number },
): Promise<unknown> => store.insertInto('members').values(row).execute()

/** Those who joined first come first. */
export async function listMembers(store: Store, workspaceId: string): Promise<MemberRecord[]> {
  const rows = await memberQuery(store, workspaceId).orderBy('members.joined_at').orderBy('users.id').execute()
  return rows.map((row) => ({ ...row, role: StoredRole.parse(row.role) }))
}

export async function findMember(store: Store, workspaceId: string, userId: string): Promise<MemberRecord | null> {
  const row = await memberQuery(store, workspaceId).where('users.id', '=', userId).executeTakeFirst()
  return row ? { ...row, role: StoredRole.parse(row.role) } : null
}

export async function hasMemberWithEmail(store: Store, workspaceId: string, email: string): Promise<boolean> {
  return (await memberQuery(store, workspaceId).where('users.email', '=', email).executeTakeFirst()) !== undefined
}

export async function countOwners(store: Store, workspaceId: string): Promise<number> {
  const { count } = await store
    .selectFrom('members')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('workspace_id', '=', workspaceId)
    .where('role', '=', 'owner' satisfies Role)
    .executeTakeFirstOrThrow()
  return Number(count)
}

export const setRole = (store: Store, workspaceId: string, userId: string, role: Role): Promise<unknown> =>
  store
    .updateTable('members')
    .set({ role })
    .where('workspace_id', '=', workspaceId)
    .where('user_id', '=', userId)
    .execute()

export const deleteMember = (store: Store, workspaceId: string, userId: string): Promise<unknown> =>
  store.deleteFrom('members').where('workspace_id', '=', workspaceId).where('user_id', '=', userId).execute()

export const insertInvitation = (store: Store, row: InvitationRow): Promise<unknown> =>
  store.insertInto('invitations').values(row).execute()

/** Invitations to the workspace itself that can still be accepted, newest first. */
export async function listInvitations(
  store: Store,
  workspaceId: string,
  now: number,
): Promise<(InvitationRow & { role: Role })[]> {
  const rows = await store
    .selectFrom('invitations')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('server_id', 'is', null)
    .where('expires_at', '>', now)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute()
  return rows.map((row) => ({ ...row, role: StoredRole.parse(row.role) }))
}

/** False when there was none. */
export async function deleteInvitation(store: Store, workspaceId: string, id: string): Promise<boolean> {
  const { numDeletedRows } = await store
    .deleteFrom('invitations')
    .where('id', '=', id)
    .where('workspace_id', '=', workspaceId)
    .where('server_id', 'is', null)
    .executeTakeFirstOrThrow()
  return numDeletedRows === 1n
}

export const deleteInvitationsTo = (store: Store, workspaceId: string, email: string): Promise<unknown> =>
  store
    .deleteFrom('invitations')
    .where('workspace_id', '=', workspaceId)
    .where('server_id', 'is', null)
    .where('email', '=', email)
    .execute()

export const deleteInvitationsBy = (store: Store, workspaceId: string, userId: string): Promise<unknown> =>
  store.deleteFrom('invitations').where('workspace_id', '=', workspaceId).where('created_by', '=', userId).execute()

export const findInvitation = (store: Store, secretHash: string, now: number): Promise<InvitationRow | undefined> =>
  store
    .selectFrom('invitations')
    .selectAll()
    .where('secret_hash', '=', secretHash)
    .where('expires_at', '>', now)
    .executeTakeFirst()

/** The invitation, which from now on is used up; undefined when somebody was quicker. */
export const takeInvitation = (store: Store, secretHash: string, now: number): Promise<InvitationRow | undefined> =>
  store
    .deleteFrom('invitations')
    .where('secret_hash', '=', secretHash)
    .where('expires_at', '>', now)
    .returningAll()
    .executeTakeFirst()

const StoredRole = z.enum(roles)
export const parseRole = (text: string): Role => StoredRole.parse(text)

const memberQuery = (store: Store, workspaceId: string) =>
  store
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select(['users.id', 'users.email', 'users.name', 'members.role', 'members.joined_at as joinedAt'])
    .where('members.workspace_id', '=', workspaceId)
