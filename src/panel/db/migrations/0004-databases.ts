import type { ColumnDefinitionBuilder, Kysely } from 'kysely'

/** Databases of servers, and the hosts they are on. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .createTable('database_hosts')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('created_at', 'bigint', required)
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('host', 'text', required)
    .addColumn('port', 'integer', required)
    .addColumn('username', 'text', required)
    .addColumn('password', 'text', required)
    .addColumn('tls', 'integer', required)
    .addColumn('capacity', 'integer')
    .addUniqueConstraint('database_hosts_address', ['host', 'port'])
    .execute()
  // No reference to servers: a row outlives its server until its database is really gone.
  await schema
    .createTable('databases')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('created_at', 'bigint', required)
    .addColumn('server_id', 'text', required)
    .addColumn('host_id', 'text', (column) => column.references('database_hosts.id'))
    .addColumn('node_id', 'text', (column) => column.references('nodes.id'))
    .addColumn('name', 'text', required)
    .addColumn('real_name', 'text', (column) => column.notNull().unique())
    .addColumn('username', 'text', (column) => column.notNull().unique())
    .addColumn('remote', 'text', required)
    .addColumn('password', 'text', required)
    .addColumn('next_password', 'text')
    .addColumn('host', 'text')
    .addColumn('port', 'integer')
    .addColumn('state', 'text', required)
    .addColumn('busy_until', 'bigint', required)
    .execute()
  await schema
    .createTable('database_limits')
    .addColumn('server_id', 'text', (column) => column.primaryKey().references('servers.id').onDelete('cascade'))
    .addColumn('most', 'integer', required)
    .execute()
  await schema.createIndex('databases_of_server').on('databases').column('server_id').execute()
  await schema.createIndex('databases_of_host').on('databases').column('host_id').execute()
  await schema.createIndex('databases_of_node').on('databases').column('node_id').execute()
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}
