import type { ActivityRow, Store } from '../db/index.ts'

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

/** Removes all but the newest `kept` entries of a workspace. */
export async function removeOldest(db: Store, workspaceId: string, kept: number): Promise<void> {
  const oldest = await db
    .selectFrom('activity')
    .select('id')
    .where('workspace_id', '=', workspaceId)
    .orderBy('id', 'desc')
    .offset(kept - 1)
    .limit(1)
    .executeTakeFirst()
  if (!oldest) return
  await db.deleteFrom('activity').where('workspace_id', '=', workspaceId).where('id', '<', oldest.id).execute()
}
