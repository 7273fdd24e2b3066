import type { Kysely } from 'kysely'

/** The passwords of servers' repositories of incremental backups. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('backup_repositories')
    // No reference: it must outlive its server until the last of its backups is gone.
    .addColumn('server_id', 'text', (column) => column.primaryKey())
    .addColumn('password', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute()
}
