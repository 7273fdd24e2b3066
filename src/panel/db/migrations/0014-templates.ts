import type { ColumnDefinitionBuilder, Kysely } from 'kysely'

/** Templates that were imported, and where they are synchronised from. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .createTable('template_sources')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('url', 'text', required)
    .addColumn('folder', 'text', required)
    .addColumn('allow_private', 'integer', required)
    .addColumn('every_hours', 'integer')
    .addColumn('next_sync_at', 'bigint')
    .addColumn('busy_until', 'bigint', required)
    .addColumn('last_sync', 'text')
    .addColumn('created_at', 'bigint', required)
    .execute()
  await schema
    .createTable('templates')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('content', 'text', required)
    .addColumn('edits', 'text', required)
    .addColumn('source_id', 'text', (column) => column.references('template_sources.id').onDelete('set null'))
    .addColumn('source_path', 'text')
    .addColumn('created_at', 'bigint', required)
    .addColumn('updated_at', 'bigint', required)
    .execute()
  await schema.createIndex('templates_of_source').on('templates').columns(['source_id', 'source_path']).execute()
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}
