import type { ExpressionBuilder } from 'kysely'
import type { ActivityRow, Store, Tables } from '../db/index.ts'

export async function insertEntries(db: Store, rows: ActivityRow[]): Promise<void> {
  // An entry that a broken connection hid may have been written after all.
  await db
    .insertInto('activity')
    .values(rows)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

export interface EntriesOf {
  column: 'server_id' | 'workspace_id' | 'user_id'
  id: string
  /** Only those of this workspace. */
  workspaceId?: string
}

/** Newest first, those older than `before` where it is given. */
export async function entriesOf(db: Store, of: EntriesOf, before: string | null, most: number): Promise<ActivityRow[]> {
  let query = db.selectFrom('activity').selectAll().where(of.column, '=', of.id).orderBy('id', 'desc').limit(most)
  if (of.workspaceId !== undefined) query = query.where('workspace_id', '=', of.workspaceId)
  if (before !== null) query = query.where('id', '<', before)
  return query.execute()
}

/** Removes every entry whose id is below. */
export async function removeBelow(db: Store, id: string): Promise<void> {
  await db.deleteFrom('activity').where('id', '<', id).execute()
}

export async function workspacesWithMoreThan(db: Store, kept: number): Promise<string[]> {
  const rows = await db
    .selectFrom('activity')
    .select('workspace_id')
    .where('workspace_id', 'is not', null)
    .groupBy('workspace_id')
    .having((eb) => eb(eb.fn.countAll(), '>', kept))
    .execute()
  return rows.flatMap(({ workspace_id }) => workspace_id ?? [])
}

/** Users with more than that many entries that belong to no workspace. */
export async function usersWithMoreThan(db: Store, kept: number): Promise<string[]> {
  const rows = await db
    .selectFrom('activity')
    .select('user_id')
    .where('workspace_id', 'is', null)
    .where('user_id', 'is not', null)
    .groupBy('user_id')
    .having((eb) => eb(eb.fn.countAll(), '>', kept))
    .execute()
  return rows.flatMap(({ user_id }) => user_id ?? [])
}

/** Removes all but the newest `kept` entries of a workspace, or of a user outside of any. */
export async function removeOldest(
  db: Store,
  of: { workspaceId: string } | { userId: string },
  kept: number,
): Promise<void> {
  const theirs = (eb: ExpressionBuilder<Tables, 'activity'>) =>
    'workspaceId' in of
      ? eb('workspace_id', '=', of.workspaceId)
      : eb.and([eb('user_id', '=', of.userId), eb('workspace_id', 'is', null)])
  const oldest = await db
    .selectFrom('activity')
    .select('id')
    .where(theirs)
    .orderBy('id', 'desc')
    .offset(kept - 1)
    .limit(1)
    .executeTakeFirst()
  if (!oldest) return
  await db.deleteFrom('activity').where(theirs).where('id', '<', oldest.id).execute()
}
