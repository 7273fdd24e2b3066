import type { Kysely } from 'kysely'

/** How a tunnel treats its visitors: one row for each feature that has something to say. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('tunnel_settings')
    .addColumn('tunnel_id', 'text', (column) => column.notNull().references('tunnels.id'))
    .addColumn('part', 'text', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addColumn('changed_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('tunnel_settings_key', ['tunnel_id', 'part'])
    .execute()
}
