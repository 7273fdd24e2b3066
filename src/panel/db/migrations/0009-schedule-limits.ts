import type { Kysely } from 'kysely'

/** How many schedules a server may have, where somebody decided so. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('schedule_limits')
    .addColumn('server_id', 'text', (column) => column.primaryKey().references('servers.id').onDelete('cascade'))
    .addColumn('most', 'integer', (column) => column.notNull())
    .execute()
}
