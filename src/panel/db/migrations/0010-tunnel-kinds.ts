import { type Kysely, sql } from 'kysely'

/** More kinds of tunnels, several ports for one, and who has which port of the edges, also for a while after giving it up. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .alterTable('tunnels')
    .addColumn('port_count', 'integer', (column) => column.notNull().defaultTo(1))
    .execute()
  await schema.alterTable('tunnels').addColumn('entrance', 'text').execute()
  await sql`update tunnels set kind = 'allocation' where allocation_id is not null`.execute(db)
  await schema
    .createTable('edge_ports')
    .addColumn('port', 'integer', (column) => column.primaryKey())
    .addColumn('tunnel_id', 'text', (column) => column.notNull())
    .addColumn('workspace_id', 'text', (column) => column.notNull())
    .addColumn('given_up_at', 'bigint')
    .execute()
  await schema.createIndex('edge_ports_of_tunnel').on('edge_ports').column('tunnel_id').execute()
  await sql`insert into edge_ports (port, tunnel_id, workspace_id)
    select edge_port, id, workspace_id from tunnels where edge_port is not null`.execute(db)
}
