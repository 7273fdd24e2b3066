import type { Kysely } from 'kysely'

/** Which data folder of `pharos up` a node and an edge belong to, and where the log says more or less than usual for a while. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  for (const table of ['nodes', 'edges']) {
    await schema.alterTable(table).addColumn('machine', 'text').execute()
    await schema.createIndex(`${table}_of_machine`).on(table).column('machine').unique().execute()
  }
  await schema
    .createTable('log_levels')
    .addColumn('part', 'text', (column) => column.primaryKey())
    .addColumn('level', 'text', (column) => column.notNull())
    .addColumn('until', 'bigint', (column) => column.notNull())
    .execute()
}
