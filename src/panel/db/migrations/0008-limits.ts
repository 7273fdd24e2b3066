import { type Kysely, sql } from 'kysely'

/** How many ports a server may have; that it never has two primary ones. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .alterTable('servers')
    .addColumn('allocation_limit', 'integer', (column) => column.notNull().defaultTo(allocationLimitOfOlder))
    .execute()
  await schema
    .createIndex('allocations_primary')
    .unique()
    .on('allocations')
    .column('server_id')
    .where(sql<boolean>`primary_port = 1`)
    .execute()
}

/** What servers get that were made before there was a limit: as many as a new one got when it came. */
const allocationLimitOfOlder = 5
