import type { PanelRow, Store } from '../db/index.ts'

/** Oldest pin first: every panel tells the same list. */
export async function panelsSince(db: Store, since: number, most: number): Promise<PanelRow[]> {
  return db.selectFrom('panels').selectAll().where('seen_at', '>=', since).orderBy('pin').limit(most).execute()
}

export async function savePanel(db: Store, row: PanelRow): Promise<void> {
  const { pin: _, ...rest } = row
  await db
    .insertInto('panels')
    .values(row)
    .onConflict((conflict) => conflict.column('pin').doUpdateSet(rest))
    .execute()
}

export async function removePanels(db: Store, before: number): Promise<void> {
  await db.deleteFrom('panels').where('seen_at', '<', before).execute()
}
