import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely'

/** Where servers are placed, and how they go from one node to another. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .alterTable('nodes')
    .addColumn('labels', 'text', (column) => column.notNull().defaultTo('{}'))
    .execute()
  await schema.alterTable('nodes').addColumn('maintenance_at', 'bigint').execute()
  await schema
    .alterTable('nodes')
    .addColumn('memory_factor', 'double precision', (column) => column.defaultTo(1))
    .execute()
  await schema.alterTable('nodes').addColumn('disk_factor', 'double precision').execute()
  await schema.alterTable('nodes').addColumn('cpu_factor', 'double precision').execute()
  await schema
    .alterTable('servers')
    .addColumn('placement', 'text', (column) => column.notNull().defaultTo('{}'))
    .execute()
  await schema.alterTable('servers').addColumn('transfer_id', 'text').execute()
  // No references: a node may still have to clear away what is left of a server that is gone.
  await schema
    .createTable('transfers')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('server_id', 'text', required)
    .addColumn('from_node', 'text', required)
    .addColumn('to_node', 'text', required)
    .addColumn('stage', 'text', required)
    .addColumn('start', 'integer', required)
    .addColumn('cancel', 'integer', required)
    .addColumn('attempts', 'integer', required)
    .addColumn('bytes_done', 'bigint', required)
    .addColumn('bytes_total', 'bigint', required)
    .addColumn('message', 'text')
    .addColumn('panel', 'text')
    .addColumn('leased_until', 'bigint', required)
    .addColumn('leftover', 'integer', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('ended_at', 'bigint')
    .execute()
  await schema
    .createIndex('transfers_of_server')
    .unique()
    .on('transfers')
    .column('server_id')
    .where(sql<boolean>`ended_at is null`)
    .execute()
  await schema.createIndex('transfers_by_time').on('transfers').columns(['server_id', 'created_at']).execute()
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}
