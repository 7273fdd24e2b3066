import { z } from 'zod'
import { type Role, roles } from '../../contract/permissions.ts'
import type { DeviceSignInRow, Store } from '../db/index.ts'

export const insertSignIn = (store: Store, row: DeviceSignInRow): Promise<unknown> =>
  store.insertInto('device_sign_ins').values(row).execute()

export const updateSignIn = (
  store: Store,
  id: string,
  change: Partial<Omit<DeviceSignInRow, 'id'>>,
): Promise<unknown> => store.updateTable('device_sign_ins').set(change).where('id', '=', id).execute()

/** What has run out is of no use to anybody. */
export const deleteExpired = (store: Store, now: number): Promise<unknown> =>
  store.deleteFrom('device_sign_ins').where('expires_at', '<=', now).execute()

export async function countWaiting(store: Store): Promise<number> {
  const { count } = await store
    .selectFrom('device_sign_ins')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

export const signInOfDevice = (store: Store, deviceHash: string, now: number): Promise<DeviceSignInRow | undefined> =>
  store
    .selectFrom('device_sign_ins')
    .selectAll()
    .where('device_hash', '=', deviceHash)
    .where('expires_at', '>', now)
    .executeTakeFirst()

/** One that waits for its person. */
export const signInOfPerson = (store: Store, userHash: string, now: number): Promise<DeviceSignInRow | undefined> =>
  store
    .selectFrom('device_sign_ins')
    .selectAll()
    .where('user_hash', '=', userHash)
    .where('state', '=', 'pending')
    .where('expires_at', '>', now)
    .executeTakeFirst()

/** Moves it from one state to the next; false when somebody was quicker. */
export async function advance(
  store: Store,
  id: string,
  from: DeviceSignInRow['state'],
  change: Partial<DeviceSignInRow> & Pick<DeviceSignInRow, 'state'>,
): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable('device_sign_ins')
    .set(change)
    .where('id', '=', id)
    .where('state', '=', from)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export interface Membership {
  workspaceId: string
  slug: string
  role: Role
}

/** The workspaces of a user that are not suspended, the first one joined first. */
export async function membershipsOf(store: Store, userId: string): Promise<Membership[]> {
  const rows = await store
    .selectFrom('members')
    .innerJoin('workspaces', 'workspaces.id', 'members.workspace_id')
    .select(['workspaces.id', 'workspaces.slug', 'members.role'])
    .where('members.user_id', '=', userId)
    .where('workspaces.suspended_at', 'is', null)
    .orderBy('members.joined_at')
    .orderBy('workspaces.id')
    .execute()
  return rows.map(({ id, slug, role }) => ({ workspaceId: id, slug, role: z.enum(roles).parse(role) }))
}

export async function emailOf(store: Store, userId: string): Promise<string | null> {
  const row = await store.selectFrom('users').select('email').where('id', '=', userId).executeTakeFirst()
  return row?.email ?? null
}
