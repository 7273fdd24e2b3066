import type { PasskeyRow, Store } from '../db/index.ts'

export const listPasskeys = (store: Store, userId: string): Promise<PasskeyRow[]> =>
  store.selectFrom('passkeys').selectAll().where('user_id', '=', userId).orderBy('created_at').orderBy('id').execute()

export const findPasskeyByCredential = (store: Store, credentialId: string): Promise<PasskeyRow | undefined> =>
  store.selectFrom('passkeys').selectAll().where('credential_id', '=', credentialId).executeTakeFirst()

export const insertPasskey = (store: Store, row: PasskeyRow): Promise<unknown> =>
  store.insertInto('passkeys').values(row).execute()

/** The passkey under its new name; undefined where the user has no such one. */
export const renamePasskey = (
  store: Store,
  userId: string,
  id: string,
  name: string,
): Promise<PasskeyRow | undefined> =>
  store
    .updateTable('passkeys')
    .set({ name })
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returningAll()
    .executeTakeFirst()

/** False when the user has no such passkey. */
export async function deletePasskey(store: Store, userId: string, id: string): Promise<boolean> {
  const { numDeletedRows } = await store
    .deleteFrom('passkeys')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow()
  return numDeletedRows === 1n
}

/** Notes a use; false where the passkey is gone, or was used meanwhile. */
export async function touchPasskey(
  store: Store,
  { id, counter }: PasskeyRow,
  use: { counter: number; synced: number; at: number },
): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable('passkeys')
    .set({ counter: use.counter, synced: use.synced, last_used_at: use.at })
    .where('id', '=', id)
    .where('counter', '=', counter)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}
