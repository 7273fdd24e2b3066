import BetterSqlite from 'better-sqlite3'
import { Kysely, SqliteDialect, sql, type Transaction } from 'kysely'
import pg from 'pg'
import { conflict } from '../../contract/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'
import type { DatabaseConfig } from './database.ts'
import { applyMigrations } from './migrate.ts'
import { migrations } from './migrations/index.ts'
import { numericTypes, openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

export type Row = Record<string, string | number | null>

/** A database as it is at one moment, whatever is written to it meanwhile. Dispose of it when it has been read. */
export interface DatabaseSnapshot extends AsyncDisposable {
  /** The migrations it has, in order: they say what its tables look like. */
  readonly migrations: readonly string[]
  readonly tables: readonly string[]
  rows(table: string): AsyncIterable<Row>
}

/** What is put into a database: what a snapshot gave, perhaps by another kind of database. */
export type DatabaseContent = Pick<DatabaseSnapshot, 'migrations' | 'tables' | 'rows'>

/** Rows read or written at a time. */
const rowsAtOnce = 500
/** SQLite takes 32,766 values in one statement, PostgreSQL twice that. */
const valuesPerStatementMax = 30_000

/** Opens a snapshot. A panel may use the database at the same time. */
export const readSnapshot = (config: DatabaseConfig): Promise<DatabaseSnapshot> =>
  config.kind === 'sqlite' ? readSqlite(config.file) : readPostgres(config.url)

async function readSqlite(file: string): Promise<DatabaseSnapshot> {
  const database = new BetterSqlite(file, { readonly: true, fileMustExist: true })
  try {
    // The first read fixes the moment for all that follow, as WAL allows it beside a writer.
    database.exec('begin')
    const names = (query: string): string[] => database.prepare(query).pluck().all() as string[]
    const known = names('select name from migrations order by name')
    const tables = names(
      "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' and name <> 'migrations' order by name",
    )
    return {
      migrations: known,
      tables,
      async *rows(table) {
        yield* database.prepare(`select * from ${quoted(table)}`).iterate() as Iterable<Row>
      },
      async [Symbol.asyncDispose]() {
        database.close()
      },
    }
  } catch (error) {
    database.close()
    throw error
  }
}

async function readPostgres(url: Secret): Promise<DatabaseSnapshot> {
  const client = new pg.Client({ connectionString: url.reveal(), types: numericTypes })
  await client.connect()
  try {
    await client.query('begin transaction isolation level repeatable read read only')
    const names = async (query: string): Promise<string[]> =>
      (await client.query<{ name: string }>(query)).rows.map(({ name }) => name)
    const known = await names('select name from migrations order by name')
    const tables = await names(
      "select table_name as name from information_schema.tables where table_schema = current_schema() and table_type = 'BASE TABLE' and table_name <> 'migrations' order by 1",
    )
    return {
      migrations: known,
      tables,
      async *rows(table) {
        await client.query(`declare rows_of_table no scroll cursor for select * from ${quoted(table)}`)
        for (;;) {
          const { rows } = await client.query<Row>(`fetch ${rowsAtOnce} from rows_of_table`)
          if (rows.length === 0) break
          yield* rows
        }
        await client.query('close rows_of_table')
      },
      [Symbol.asyncDispose]: () => client.end(),
    }
  } catch (error) {
    await client.end()
    throw error
  }
}

/** Whether a panel has used this PostgreSQL database. */
export async function isUsed(url: Secret): Promise<boolean> {
  const client = new pg.Client({ connectionString: url.reveal() })
  await client.connect()
  try {
    const { rows } = await client.query("select to_regclass('migrations') is not null as used")
    return rows[0]?.used === true
  } finally {
    await client.end()
  }
}

/**
 * Makes the database hold exactly this, in one transaction: all of it or nothing. What it held in tables of ours is gone. A panel that starts on it
 * applies what migrations are missing.
 * @throws AppError `conflict` when the content was written by a newer program
 */
export async function writeContent(config: DatabaseConfig, content: DatabaseContent, log: Log): Promise<void> {
  const newer = content.migrations.filter((name) => !migrations.some((migration) => migration.name === name))
  if (newer.length > 0)
    throw conflict(`The backup was made by a newer Pharos (it has ${newer.join(', ')}). Restore it with that version.`)
  const wanted = migrations.filter(({ name }) => content.migrations.includes(name))
  const dialect =
    config.kind === 'sqlite'
      ? await openSqlite(config.file, () => undefined)
      : openPostgres(config.url, () => undefined, log)
  const database = new Kysely<Anything>({ dialect })
  try {
    await database.transaction().execute(async (trx) => {
      if (config.kind === 'postgres') {
        // Large tables take longer than any query of a panel may.
        await sql`set local statement_timeout = 0`.execute(trx)
        await sql`set local idle_in_transaction_session_timeout = 0`.execute(trx)
        for (const name of [...(await tablesOfOurs()), ...content.tables, 'migrations'])
          await sql`drop table if exists ${sql.table(name)} cascade`.execute(trx)
      }
      await applyMigrations(trx, config.kind, wanted)
      const order = await byReference(trx, config.kind, content.tables)
      // Some migrations fill tables.
      for (const table of [...order].reverse()) await trx.deleteFrom(table).execute()
      for (const table of order) await insertAll(trx, table, content.rows(table))
    })
  } finally {
    await database.destroy()
  }
}

type Anything = Record<string, Row>

async function insertAll(trx: Transaction<Anything>, table: string, rows: AsyncIterable<Row>): Promise<void> {
  let batch: Row[] = []
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await trx.insertInto(table).values(batch).execute()
    batch = []
  }
  for await (const row of rows) {
    batch.push(row)
    if (batch.length >= rowsAtOnce || batch.length * Object.keys(row).length >= valuesPerStatementMax) await flush()
  }
  await flush()
}

/** What this program's own migrations make. */
async function tablesOfOurs(): Promise<string[]> {
  const model = new Kysely<Anything>({ dialect: new SqliteDialect({ database: new BetterSqlite(':memory:') }) })
  try {
    await model.transaction().execute((trx) => applyMigrations(trx, 'sqlite', migrations))
    return (await model.introspection.getTables()).map(({ name }) => name)
  } finally {
    await model.destroy()
  }
}

/** The tables so that each comes after those that its rows refer to. */
async function byReference(
  trx: Transaction<Anything>,
  kind: DatabaseConfig['kind'],
  tables: readonly string[],
): Promise<string[]> {
  const { rows } = await (kind === 'sqlite'
    ? sql<Reference>`select m.name as source, f."table" as target
        from sqlite_schema m, pragma_foreign_key_list(m.name) f where m.type = 'table'`
    : sql<Reference>`select conrelid::regclass::text as source, confrelid::regclass::text as target
        from pg_constraint where contype = 'f'`
  ).execute(trx)
  const ordered: string[] = []
  const seen = new Set<string>()
  const place = (table: string): void => {
    if (seen.has(table)) return
    seen.add(table)
    for (const { source, target } of rows) if (source === table && target !== table) place(target)
    ordered.push(table)
  }
  for (const table of tables) place(table)
  return ordered.filter((table) => tables.includes(table))
}

interface Reference {
  source: string
  target: string
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
