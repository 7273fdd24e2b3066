import type { Uses } from '../access/index.ts'
import type { Database, Store, TokenRow } from '../db/index.ts'

export const insertToken = (store: Store, row: TokenRow): Promise<unknown> =>
  store.insertInto('tokens').values(row).execute()

/** Keys of a workspace that still work. */
export async function countLiveTokens(store: Store, workspaceId: string, now: number): Promise<number> {
  const { count } = await store
    .selectFrom('tokens')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('workspace_id', '=', workspaceId)
    .where('revoked_at', 'is', null)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]))
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Newest first, with the e-mail address of who made it. */
export const listTokens = (store: Store, workspaceId: string): Promise<(TokenRow & { email: string })[]> =>
  store
    .selectFrom('tokens')
    .innerJoin('users', 'users.id', 'tokens.user_id')
    .selectAll('tokens')
    .select('users.email')
    .where('tokens.workspace_id', '=', workspaceId)
    .orderBy('tokens.created_at', 'desc')
    .orderBy('tokens.id', 'desc')
    .execute()

export const findLiveToken = (store: Store, workspaceId: string, id: string): Promise<TokenRow | undefined> =>
  store
    .selectFrom('tokens')
    .selectAll()
    .where('id', '=', id)
    .where('workspace_id', '=', workspaceId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()

/** False when somebody else was quicker. */
export async function markRevoked(store: Store, id: string, now: number): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable('tokens')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export async function liveTokensOfMember(store: Store, workspaceId: string, userId: string): Promise<string[]> {
  const rows = await store
    .selectFrom('tokens')
    .select('id')
    .where('workspace_id', '=', workspaceId)
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .execute()
  return rows.map(({ id }) => id)
}

/** Keys that ran out in the half-open time span. */
export async function tokensExpiredBetween(store: Store, from: number, to: number): Promise<string[]> {
  const rows = await store
    .selectFrom('tokens')
    .select('id')
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', from)
    .where('expires_at', '<=', to)
    .execute()
  return rows.map(({ id }) => id)
}

export const touchTokens = (database: Database, uses: Uses): Promise<void> =>
  database.transact(async (trx) => {
    for (const [id, at] of uses)
      await trx
        .updateTable('tokens')
        .set({ last_used_at: at })
        .where('id', '=', id)
        .where((where) => where.or([where('last_used_at', 'is', null), where('last_used_at', '<', at)]))
        .execute()
  })
