import type { Kysely } from 'kysely'

/** Schedules, and the results of their runs. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .createTable('schedules')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('server_id', 'text', (column) => column.notNull().references('servers.id').onDelete('cascade'))
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('cron', 'text', (column) => column.notNull())
    .addColumn('time_zone', 'text', (column) => column.notNull())
    .addColumn('enabled', 'integer', (column) => column.notNull())
    .addColumn('only_when_running', 'integer', (column) => column.notNull())
    .addColumn('missed', 'text', (column) => column.notNull())
    .addColumn('tasks', 'text', (column) => column.notNull())
    // No reference: a schedule stays when its editor is gone, and then says so at each run.
    .addColumn('editor_id', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('next_run_at', 'bigint')
    .execute()
  await schema.createIndex('schedules_of_server').on('schedules').column('server_id').execute()
  await schema.createIndex('schedules_due').on('schedules').column('next_run_at').execute()
  await schema
    .createTable('schedule_runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('schedule_id', 'text', (column) => column.notNull().references('schedules.id').onDelete('cascade'))
    .addColumn('cause', 'text', (column) => column.notNull())
    .addColumn('due_at', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('message', 'text')
    .addColumn('missed', 'integer', (column) => column.notNull())
    .addColumn('editor_id', 'text', (column) => column.notNull())
    .addColumn('tasks', 'text', (column) => column.notNull())
    .addColumn('panel', 'text')
    .addColumn('seen_at', 'bigint')
    // What makes it impossible that two panels run the same run.
    .addUniqueConstraint('schedule_runs_once', ['schedule_id', 'due_at', 'cause'])
    .execute()
  await schema.createIndex('schedule_runs_live').on('schedule_runs').columns(['state', 'seen_at']).execute()
}
