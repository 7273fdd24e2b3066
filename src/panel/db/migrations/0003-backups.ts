import type { Kysely } from 'kysely'

/** Backups, and how many of them a server may have. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .createTable('backups')
    .addColumn('id', 'text', (column) => column.primaryKey())
    // No reference: the row must outlive its server until the archive is gone as well.
    .addColumn('server_id', 'text', (column) => column.notNull())
    .addColumn('node_id', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('ignored', 'text', (column) => column.notNull())
    .addColumn('format', 'text', (column) => column.notNull())
    .addColumn('place', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('locked', 'integer', (column) => column.notNull())
    .addColumn('replaces', 'text')
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('files', 'bigint', (column) => column.notNull())
    .addColumn('size', 'bigint')
    .addColumn('checksum', 'text')
    .addColumn('message', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('completed_at', 'bigint')
    .addColumn('deleted_at', 'bigint')
    .execute()
  await schema.createIndex('backups_of_server').on('backups').columns(['server_id', 'created_at']).execute()
  await schema.createIndex('backups_unfinished').on('backups').columns(['state', 'node_id']).execute()
  await schema.createIndex('backups_deleted').on('backups').column('deleted_at').execute()
  await schema
    .createTable('backup_settings')
    .addColumn('server_id', 'text', (column) => column.primaryKey().references('servers.id').onDelete('cascade'))
    .addColumn('rotate', 'integer', (column) => column.notNull())
    .addColumn('backups_limit', 'integer')
    .execute()
}
