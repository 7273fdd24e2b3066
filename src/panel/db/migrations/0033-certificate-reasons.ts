import type { Kysely } from 'kysely'

/** Why a domain has no certificate, for programs, and what the authority said of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('domain_certificates').addColumn('reason', 'text').execute()
  await db.schema.alterTable('domain_certificates').addColumn('detail', 'text').execute()
}
