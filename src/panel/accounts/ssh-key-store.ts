import type { SshKeyRow, Store } from '../db/index.ts'

export const listSshKeys = (store: Store, userId: string): Promise<SshKeyRow[]> =>
  store.selectFrom('ssh_keys').selectAll().where('user_id', '=', userId).orderBy('created_at').orderBy('id').execute()

export const findSshKey = (
  store: Store,
  userId: string,
  by: { column: 'id' | 'fingerprint'; value: string },
): Promise<SshKeyRow | undefined> =>
  store
    .selectFrom('ssh_keys')
    .selectAll()
    .where('user_id', '=', userId)
    .where(by.column, '=', by.value)
    .executeTakeFirst()

export const insertSshKey = (store: Store, row: SshKeyRow): Promise<unknown> =>
  store.insertInto('ssh_keys').values(row).execute()

/** False when the user has no such key. */
export async function deleteSshKey(store: Store, userId: string, id: string): Promise<boolean> {
  const { numDeletedRows } = await store
    .deleteFrom('ssh_keys')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow()
  return numDeletedRows === 1n
}

export const touchSshKey = (store: Store, id: string, at: number): Promise<unknown> =>
  store.updateTable('ssh_keys').set({ last_used_at: at }).where('id', '=', id).execute()
