import type { Store, TwoFactorRow } from '../db/index.ts'

export const findTwoFactor = (store: Store, userId: string): Promise<TwoFactorRow | undefined> =>
  store.selectFrom('two_factor').selectAll().where('user_id', '=', userId).executeTakeFirst()

/** Keeps a secret that is not confirmed yet, in place of an earlier one. */
export async function keepUnconfirmed(store: Store, userId: string, secret: string): Promise<void> {
  await deleteTwoFactor(store, userId)
  await store.insertInto('two_factor').values({ user_id: userId, secret, enabled_at: null, last_step: 0 }).execute()
}

export const enableTwoFactor = (store: Store, userId: string, at: number): Promise<unknown> =>
  store.updateTable('two_factor').set({ enabled_at: at }).where('user_id', '=', userId).execute()

export async function deleteTwoFactor(store: Store, userId: string): Promise<void> {
  await store.deleteFrom('recovery_codes').where('user_id', '=', userId).execute()
  await store.deleteFrom('two_factor').where('user_id', '=', userId).execute()
}

/** Uses up the code of this step and of all before it; false where that has happened. */
export async function spendStep(store: Store, userId: string, step: number): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable('two_factor')
    .set({ last_step: step })
    .where('user_id', '=', userId)
    .where('last_step', '<', step)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export async function replaceRecoveryCodes(store: Store, userId: string, hashes: string[]): Promise<void> {
  await store.deleteFrom('recovery_codes').where('user_id', '=', userId).execute()
  await store
    .insertInto('recovery_codes')
    .values(hashes.map((code_hash) => ({ user_id: userId, code_hash })))
    .execute()
}

/** Uses the code up; false where there is none. */
export async function spendRecoveryCode(store: Store, userId: string, hash: string): Promise<boolean> {
  const { numDeletedRows } = await store
    .deleteFrom('recovery_codes')
    .where('user_id', '=', userId)
    .where('code_hash', '=', hash)
    .executeTakeFirstOrThrow()
  return numDeletedRows === 1n
}

export async function countRecoveryCodes(store: Store, userId: string): Promise<number> {
  const { left } = await store
    .selectFrom('recovery_codes')
    .select(({ fn }) => fn.countAll().as('left'))
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow()
  return Number(left)
}
