import type { Kysely } from 'kysely'

/** Backups that are kept on a node go where their server goes. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('backups').addColumn('copy_node', 'text').execute()
  await db.schema.alterTable('backups').addColumn('copy_place', 'text').execute()
}
