import type { ColumnDefinitionBuilder, Kysely } from 'kysely'

/** Edges of others that speak the published edge contract, what they report, and sign-ins from terminals that wait. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .createTable('foreign_edges')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('created_at', 'bigint', required)
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('credential_hash', 'text', (column) => column.notNull().unique())
    .addColumn('base', 'text', required)
    .addColumn('shape', 'text', required)
    .addColumn('address', 'text')
    .addColumn('workspaces', 'text')
    .addColumn('last_seen_at', 'bigint')
    .addColumn('accepted', 'bigint', (column) => column.notNull().defaultTo(0))
    .addColumn('dropped', 'bigint', (column) => column.notNull().defaultTo(0))
    .addColumn('last_dropped', 'text')
    .addColumn('counts_requests_since', 'bigint')
    .execute()
  await schema
    .createTable('foreign_edge_scopes')
    .addColumn('edge_id', 'text', required)
    .addColumn('workspace_id', 'text', references('workspaces.id'))
    .addColumn('since', 'bigint', required)
    .addPrimaryKeyConstraint('foreign_edge_scopes_pk', ['edge_id', 'workspace_id'])
    .execute()
  // No reference to the edge: what was counted under these names stays true when it is gone.
  await schema
    .createTable('foreign_hosts')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('edge_id', 'text', required)
    .addColumn('workspace_id', 'text', references('workspaces.id'))
    .addColumn('host', 'text', required)
    .addColumn('first_seen_at', 'bigint', required)
    .addUniqueConstraint('foreign_hosts_host', ['edge_id', 'workspace_id', 'host'])
    .execute()
  await schema
    .createTable('foreign_events')
    .addColumn('edge_id', 'text', required)
    .addColumn('event_id', 'text', required)
    .addColumn('at', 'bigint', required)
    .addPrimaryKeyConstraint('foreign_events_pk', ['edge_id', 'event_id'])
    .execute()
  await schema.createIndex('foreign_events_age').on('foreign_events').column('at').execute()
  await schema
    .createTable('foreign_periods')
    .addColumn('edge_id', 'text', required)
    .addColumn('workspace_id', 'text', references('workspaces.id'))
    .addColumn('period_start', 'bigint', required)
    .addColumn('bytes', 'bigint', required)
    .addPrimaryKeyConstraint('foreign_periods_pk', ['edge_id', 'workspace_id', 'period_start'])
    .execute()
  await schema
    .createTable('device_sign_ins')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('created_at', 'bigint', required)
    .addColumn('device_hash', 'text', (column) => column.notNull().unique())
    .addColumn('user_hash', 'text', (column) => column.notNull().unique())
    .addColumn('client', 'text')
    .addColumn('address', 'text', required)
    .addColumn('expires_at', 'bigint', required)
    .addColumn('interval_ms', 'bigint', required)
    .addColumn('polled_at', 'bigint')
    .addColumn('state', 'text', required)
    .addColumn('user_id', 'text')
    .addColumn('workspace_id', 'text')
    .addColumn('made_with', 'text')
    .addColumn('key_expires_at', 'bigint')
    .execute()
  await schema.createIndex('device_sign_ins_expiry').on('device_sign_ins').column('expires_at').execute()
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}

function references(target: string): (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder {
  return (column) => column.notNull().references(target)
}
