import type { ColumnDefinitionBuilder, Kysely } from 'kysely'

/** Who plays, what went wrong, and who is told of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema.alterTable('server_stats').addColumn('players', 'integer').execute()
  await schema
    .alterTable('servers')
    .addColumn('restart_on_hang', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await schema
    .createTable('incidents')
    .addColumn('server_id', 'text', (column) => column.notNull().references('servers.id').onDelete('cascade'))
    .addColumn('id', 'text', required)
    .addColumn('kind', 'text', required)
    .addColumn('at', 'bigint', required)
    .addColumn('message', 'text', required)
    .addColumn('code', 'integer')
    .addColumn('signal', 'text')
    .addColumn('out_of_memory', 'integer', required)
    .addColumn('restarts', 'integer', required)
    .addColumn('lines', 'text', required)
    .addPrimaryKeyConstraint('incidents_pk', ['server_id', 'id'])
    .execute()
  await schema.createIndex('incidents_of_server').on('incidents').columns(['server_id', 'at']).execute()
  await schema
    .createTable('webhooks')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('workspace_id', 'text', (column) => column.notNull().references('workspaces.id').onDelete('cascade'))
    .addColumn('label', 'text')
    .addColumn('format', 'text', required)
    .addColumn('target', 'text', required)
    .addColumn('events', 'text', required)
    .addColumn('secret', 'text', required)
    .addColumn('old_secret', 'text')
    .addColumn('old_secret_until', 'bigint')
    .addColumn('created_at', 'bigint', required)
    .addColumn('created_by', 'text', required)
    .addColumn('disabled_at', 'bigint')
    .addColumn('disabled_why', 'text')
    .addColumn('failing_since', 'bigint')
    .addColumn('failures', 'integer', required)
    .addColumn('dropped', 'integer', required)
    .addColumn('busy_until', 'bigint', required)
    .addColumn('panel', 'text')
    .execute()
  await schema.createIndex('webhooks_of_workspace').on('webhooks').column('workspace_id').execute()
  await schema
    .createTable('webhook_deliveries')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('webhook_id', 'text', (column) => column.notNull().references('webhooks.id').onDelete('cascade'))
    .addColumn('event_key', 'text', required)
    .addColumn('event', 'text', required)
    .addColumn('content', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('state', 'text', required)
    .addColumn('attempts', 'integer', required)
    .addColumn('next_at', 'bigint', required)
    .addColumn('last_at', 'bigint')
    .addColumn('status', 'integer')
    .addColumn('message', 'text')
    .addColumn('took_ms', 'integer')
    .execute()
  // One delivery for each event, however many panels see it.
  await schema
    .createIndex('webhook_deliveries_event')
    .unique()
    .on('webhook_deliveries')
    .columns(['webhook_id', 'event_key'])
    .execute()
  await schema.createIndex('webhook_deliveries_due').on('webhook_deliveries').columns(['state', 'next_at']).execute()
  await schema
    .createIndex('webhook_deliveries_log')
    .on('webhook_deliveries')
    .columns(['webhook_id', 'created_at'])
    .execute()
  await schema
    .createTable('alert_states')
    .addColumn('subject', 'text', (column) => column.primaryKey())
    .addColumn('state', 'text', required)
    .addColumn('since', 'bigint', required)
    .execute()
  // For finding what has ended since the last look.
  await schema.createIndex('backups_completed').on('backups').column('completed_at').execute()
  await schema.createIndex('schedule_runs_ended').on('schedule_runs').column('ended_at').execute()
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}
