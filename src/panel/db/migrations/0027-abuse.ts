import type { Kysely } from 'kysely'

/** What people tell of tunnels that do harm, and plans whose visitors are warned. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('abuse_reports')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('url', 'text', (column) => column.notNull())
    .addColumn('category', 'text', (column) => column.notNull())
    .addColumn('message', 'text', (column) => column.notNull())
    .addColumn('email', 'text')
    .addColumn('address', 'text', (column) => column.notNull())
    // No references: what was told stays when whom it was about is gone.
    .addColumn('tunnel_id', 'text')
    .addColumn('workspace_id', 'text')
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('note', 'text')
    .addColumn('closed_at', 'bigint')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createIndex('abuse_reports_by_state')
    .on('abuse_reports')
    .columns(['state', 'created_at', 'id'])
    .execute()
  await db.schema
    .alterTable('plans')
    .addColumn('warns_visitors', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
}
