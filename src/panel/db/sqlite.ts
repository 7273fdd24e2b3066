import { chmod, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'

/** How long a write waits for another process that holds the file, in milliseconds: longer than any transaction of ours. */
const busyTimeoutMs = 10_000

/** Prepared statements kept: more than the panel has queries, so each is parsed by SQLite once. */
const statementsMax = 500

/** The file is private to the panel's user, and so is a folder made for it. `guard` throws where a query would wait for itself. */
export async function openSqlite(file: string, guard: () => void): Promise<Dialect> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  // SQLite gives its -wal and -shm files the mode of the database file.
  await (await open(file, 'a', 0o600)).close()
  await chmod(file, 0o600)

  const sqlite = new BetterSqlite(file)
  sqlite.pragma(`busy_timeout = ${busyTimeoutMs}`)
  sqlite.pragma('journal_mode = WAL')
  // With WAL, NORMAL survives the death of the process at any moment and never corrupts; only a power cut can take back
  // the last commits, and costs an fsync per checkpoint instead of one per commit.
  sqlite.pragma('synchronous = NORMAL')
  sqlite.pragma('foreign_keys = ON')
  return {
    createAdapter: () => new QueueingSqliteAdapter(),
    createDriver: () => new SqliteDriver(sqlite, guard),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** The driver queues by itself, so that it can refuse a query that would wait for its own transaction. */
class QueueingSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

/** One connection, used by one query or transaction at a time, first come, first served. */
class SqliteDriver implements Driver {
  readonly #sqlite: BetterSqlite.Database
  readonly #guard: () => void
  readonly #connection: SqliteConnection
  readonly #waiting: (() => void)[] = []
  #busy = false

  constructor(sqlite: BetterSqlite.Database, guard: () => void) {
    this.#sqlite = sqlite
    this.#guard = guard
    this.#connection = new SqliteConnection(sqlite)
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    this.#guard()
    if (this.#busy) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#busy = true
    return this.#connection
  }

  async releaseConnection(): Promise<void> {
    const next = this.#waiting.shift()
    // Handing over without clearing `busy`: nobody can slip in between.
    if (next) next()
    else this.#busy = false
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    // IMMEDIATE takes the write lock now: a transaction that reads first could not wait for it later.
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }
  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // SQLite has ended the transaction by itself after some errors (a full disk).
    if (this.#sqlite.inTransaction) await connection.executeQuery(CompiledQuery.raw('rollback'))
  }
  async destroy(): Promise<void> {
    this.#sqlite.close()
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #sqlite: BetterSqlite.Database
  readonly #statements = new Map<string, BetterSqlite.Statement>()

  constructor(sqlite: BetterSqlite.Database) {
    this.#sqlite = sqlite
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const statement = this.#prepare(sql)
    // The rows are what the query's type says: Kysely built the SQL from it.
    if (statement.reader) return { rows: statement.all(...parameters) as R[] }
    const { changes } = statement.run(...parameters)
    return { rows: [], numAffectedRows: BigInt(changes) }
  }

  // biome-ignore lint/correctness/useYield: nothing of ours streams rows
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('The SQLite driver does not stream')
  }

  #prepare(sql: string): BetterSqlite.Statement {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#sqlite.prepare(sql)
    if (this.#statements.size >= statementsMax) this.#statements.clear()
    this.#statements.set(sql, statement)
    return statement
  }
}
