import type { Kysely } from 'kysely'

/** Servers that sleep while nobody uses them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .alterTable('servers')
    .addColumn('wake_on_connect', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await schema
    .alterTable('servers')
    .addColumn('idle_minutes', 'integer', (column) => column.notNull().defaultTo(15))
    .execute()
}
