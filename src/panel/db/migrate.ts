import { type Kysely, sql, type Transaction } from 'kysely'

export interface Migration {
  /** `0001-foundation`: their order, and the name by which a database knows that it has this one. */
  name: string
  up(db: Kysely<unknown>): Promise<void>
}

/** Any number that nothing else in the database uses: two panels that start together take turns on it. */
const advisoryLock = 7_243_101

/**
 * Applies what is missing, all of it in one transaction, once, also when several panels start together. Throws when the
 * database has a migration that this program does not know: an older program must not write to it.
 */
export async function migrate<T>(
  database: Kysely<T>,
  dialect: 'sqlite' | 'postgres',
  migrations: readonly Migration[],
): Promise<void> {
  await database.transaction().execute((trx) => applyMigrations(trx, dialect, migrations))
}

/** The same inside a transaction of the caller's. */
export async function applyMigrations<T>(
  trx: Transaction<T>,
  dialect: 'sqlite' | 'postgres',
  migrations: readonly Migration[],
): Promise<void> {
  // SQLite's write lock is already held by the transaction itself.
  if (dialect === 'postgres') await sql`select pg_advisory_xact_lock(${sql.lit(advisoryLock)})`.execute(trx)
  await sql`create table if not exists migrations (name text primary key, applied_at bigint not null)`.execute(trx)
  const { rows } = await sql<{ name: string }>`select name from migrations`.execute(trx)
  const applied = new Set(rows.map((row) => row.name))
  const unknown = [...applied].filter((name) => !migrations.some((migration) => migration.name === name))
  if (unknown.length > 0)
    throw new Error(
      `The database was written by a newer Pharos (it has ${unknown.sort().join(', ')}). Start that version again, or restore a backup made before the upgrade.`,
    )
  for (const migration of migrations) {
    if (applied.has(migration.name)) continue
    // A migration names tables of its time, not those of today's types.
    await migration.up(trx as unknown as Kysely<unknown>)
    await sql`insert into migrations (name, applied_at) values (${migration.name}, ${Date.now()})`.execute(trx)
  }
}
