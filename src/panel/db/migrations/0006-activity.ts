import type { Kysely } from 'kysely'

/** The activity log. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  // No references: what was done stays true when the server, the person or the key is gone.
  await schema
    .createTable('activity')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('permission', 'text')
    .addColumn('subject', 'text')
    .addColumn('server_id', 'text')
    .addColumn('workspace_id', 'text')
    .addColumn('user_id', 'text')
    .addColumn('email', 'text')
    .addColumn('via', 'text')
    .addColumn('via_id', 'text')
    .addColumn('address', 'text')
    .addColumn('user_agent', 'text')
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('code', 'text')
    .execute()
  await schema.createIndex('activity_of_server').on('activity').columns(['server_id', 'id']).execute()
  await schema.createIndex('activity_of_user').on('activity').columns(['user_id', 'id']).execute()
  await schema.createIndex('activity_of_workspace').on('activity').columns(['workspace_id', 'id']).execute()
}
