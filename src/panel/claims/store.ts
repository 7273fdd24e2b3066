import type { SelectQueryBuilder, Updateable } from 'kysely'
import type { DomainRow, Store, Tables, WebhookRow } from '../db/index.ts'

/** Tables whose rows one panel has for itself for a while: `busy_until` says until when, ms since 1970, and `panel` which. */
export interface Claimable {
  domains: DomainRow
  webhooks: WebhookRow
}

/** Whose a row is while somebody works on it. */
export interface Own {
  id: string
  panel: string
}

export interface Claim {
  panel: string
  now: number
  until: number
}

/** Leaves of the rows that nobody has those that something is due for. */
export type Due<T extends keyof Claimable> = (
  rows: SelectQueryBuilder<Tables, T, { id: string }>,
) => SelectQueryBuilder<Tables, T, { id: string }>

/**
 * Takes rows that something is due for. On PostgreSQL panels that claim at the same moment skip each other's; an SQLite file has one
 * writer.
 */
export async function claimDue<T extends keyof Claimable>(
  store: Store,
  table: T,
  due: Due<T>,
  { panel, now, until, most, dialect }: Claim & { most: number; dialect: 'sqlite' | 'postgres' },
): Promise<Claimable[T][]> {
  const free = store.selectFrom(alike(table)).select('id').where('busy_until', '<', now)
  const rows = (due(free as unknown as Parameters<Due<T>>[0]) as unknown as typeof free).limit(most)
  const taken = await store
    .updateTable(alike(table))
    .set({ busy_until: until, panel })
    .where('id', 'in', dialect === 'postgres' ? rows.forUpdate(alike(table)).skipLocked() : rows)
    .where('busy_until', '<', now)
    .returningAll()
    .execute()
  return taken as unknown as Claimable[T][]
}

/** Takes one row, whatever is due; undefined while somebody else has it. */
export async function claimOne<T extends keyof Claimable>(
  store: Store,
  table: T,
  id: string,
  { panel, now, until }: Claim,
): Promise<Claimable[T] | undefined> {
  const taken = await store
    .updateTable(alike(table))
    .set({ busy_until: until, panel })
    .where('id', '=', id)
    .where('busy_until', '<', now)
    .returningAll()
    .executeTakeFirst()
  return taken as unknown as Claimable[T] | undefined
}

/** Changes a row that is still this panel's; false where it is not. */
export async function setOwn<T extends keyof Claimable>(
  store: Store,
  table: T,
  { id, panel }: Own,
  change: Updateable<Claimable[T]>,
): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable(alike(table))
    .set(change as Updateable<WebhookRow>)
    .where('id', '=', id)
    .where('panel', '=', panel)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** What another life of this database's only panel has left taken. */
export const releaseAll = (store: Store, table: keyof Claimable): Promise<unknown> =>
  store.updateTable(alike(table)).set({ busy_until: 0, panel: null }).where('busy_until', '>', 0).execute()

/** The compiler follows one table at a time; what is asked of them here they all have. */
const alike = (table: keyof Claimable): 'webhooks' => table as 'webhooks'
