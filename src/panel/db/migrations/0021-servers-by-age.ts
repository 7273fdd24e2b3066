import type { Kysely } from 'kysely'

/** Lists of servers are by age, and a page of fifty must not sort ten thousand. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.createIndex('servers_by_age').on('servers').columns(['created_at', 'id']).execute()
}
