import type { Kysely } from 'kysely'

/** What servers have used over time. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .createTable('server_stats')
    .addColumn('server_id', 'text', (column) => column.notNull().references('servers.id').onDelete('cascade'))
    .addColumn('step', 'integer', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('samples', 'integer', (column) => column.notNull())
    .addColumn('cpu_average', 'bigint', (column) => column.notNull())
    .addColumn('cpu_peak', 'bigint', (column) => column.notNull())
    .addColumn('memory_average', 'bigint', (column) => column.notNull())
    .addColumn('memory_peak', 'bigint', (column) => column.notNull())
    .addColumn('disk', 'bigint', (column) => column.notNull())
    .addColumn('rx', 'bigint')
    .addColumn('tx', 'bigint')
    .addPrimaryKeyConstraint('server_stats_pk', ['server_id', 'step', 'at'])
    .execute()
  // For removing what is too old.
  await schema.createIndex('server_stats_age').on('server_stats').columns(['step', 'at']).execute()
}
