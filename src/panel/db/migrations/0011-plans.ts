import { type Kysely, sql } from 'kysely'

/** What the tunnels of a plan's workspaces may use; which edge was given which tunnel, since it reports on no others. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .createTable('plans')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('tunnels', 'integer')
    .addColumn('connections', 'integer')
    .addColumn('bytes_per_second', 'bigint')
    .addColumn('bytes_per_month', 'bigint')
    .execute()
  await schema
    .createTable('edge_tunnels')
    .addColumn('edge_id', 'text', (column) => column.notNull())
    .addColumn('tunnel_id', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('edge_tunnels_pk', ['edge_id', 'tunnel_id'])
    .execute()
  await sql`insert into edge_tunnels (edge_id, tunnel_id)
    select distinct edge_id, tunnel_id from usage_counters`.execute(db)
}
