import type { Uses } from '../access/index.ts'
import type { Database, SessionRow, Store, UserRow } from '../db/index.ts'
import { sessionIdleMs, sessionLifetimeMs } from './limits.ts'

export const insertUser = (store: Store, row: UserRow): Promise<unknown> =>
  store.insertInto('users').values(row).execute()

export const findUserByEmail = (store: Store, email: string): Promise<UserRow | undefined> =>
  store.selectFrom('users').selectAll().where('email', '=', email).executeTakeFirst()

export const findUser = (store: Store, id: string): Promise<UserRow | undefined> =>
  store.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()

export async function anyUser(store: Store): Promise<boolean> {
  return (await store.selectFrom('users').select('id').limit(1).executeTakeFirst()) !== undefined
}

export const setPassword = (store: Store, userId: string, passwordHash: string): Promise<unknown> =>
  store.updateTable('users').set({ password_hash: passwordHash, has_password: 1 }).where('id', '=', userId).execute()

export const insertSession = (store: Store, row: SessionRow): Promise<unknown> =>
  store.insertInto('sessions').values(row).execute()

/** Sessions of a user that have not run out, the one used last at the front. */
export const listSessions = (store: Store, userId: string, now: number): Promise<SessionRow[]> =>
  store
    .selectFrom('sessions')
    .selectAll()
    .where('user_id', '=', userId)
    .where('expires_at', '>', now)
    .orderBy('last_used_at', 'desc')
    .orderBy('id')
    .execute()

export const findSession = (store: Store, userId: string, id: string): Promise<SessionRow | undefined> =>
  store.selectFrom('sessions').selectAll().where('user_id', '=', userId).where('id', '=', id).executeTakeFirst()

/** False when the user has no such session. */
export async function deleteSession(store: Store, userId: string, id: string): Promise<boolean> {
  const { numDeletedRows } = await store
    .deleteFrom('sessions')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow()
  return numDeletedRows === 1n
}

export async function deleteExpiredSessions(store: Store, now: number): Promise<void> {
  await store.deleteFrom('sessions').where('expires_at', '<=', now).execute()
}

/** Prolongs each used session by its idle time, up to its whole lifetime. */
export const touchSessions = (database: Database, uses: Uses): Promise<void> =>
  database.transact(async (trx) => {
    for (const [id, at] of uses) {
      const row = await trx.selectFrom('sessions').select('created_at').where('id', '=', id).executeTakeFirst()
      if (!row) continue
      await trx
        .updateTable('sessions')
        .set({ last_used_at: at, expires_at: Math.min(at + sessionIdleMs, row.created_at + sessionLifetimeMs) })
        .where('id', '=', id)
        .where('last_used_at', '<', at)
        .execute()
    }
  })

const setupPrefix = 'setup_secret:'
const setupDone = 'setup_done'

/** The hash of a set-up secret may be stored several times over: each panel on an empty database makes its own. */
export const keepSetupSecret = (store: Store, secretHash: string): Promise<unknown> =>
  store
    .insertInto('settings')
    .values({ key: setupPrefix + secretHash, value: '1' })
    .onConflict((conflict) => conflict.doNothing())
    .execute()

export async function isSetupSecret(store: Store, secretHash: string): Promise<boolean> {
  const row = await store
    .selectFrom('settings')
    .select('key')
    .where('key', '=', setupPrefix + secretHash)
    .executeTakeFirst()
  return row !== undefined
}

/** Closes the set-up for ever. The key is unique: of two at the same moment one fails. */
export async function closeSetup(store: Store): Promise<void> {
  await store.insertInto('settings').values({ key: setupDone, value: '1' }).execute()
  await store.deleteFrom('settings').where('key', 'like', `${setupPrefix}%`).execute()
}

export async function isSetupDone(store: Store): Promise<boolean> {
  const row = await store.selectFrom('settings').select('key').where('key', '=', setupDone).executeTakeFirst()
  return row !== undefined || (await anyUser(store))
}
