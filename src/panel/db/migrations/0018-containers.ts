import type { Kysely } from 'kysely'

/** Where a server runs, and the container image that was chosen for it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .alterTable('servers')
    .addColumn('runtime', 'text', (column) => column.notNull().defaultTo('sandbox'))
    .execute()
  await schema.alterTable('servers').addColumn('image', 'text').execute()
}
