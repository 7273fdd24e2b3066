import type { Connection as StreamingConnection } from 'mysql2'
import type { Connection, QueryOptions, RowDataPacket } from 'mysql2/promise'
import { conflict } from '../contract/errors.ts'
import type { Circumstances, CopyItem, DatabaseSummer } from './items.ts'
import { insertBytes } from './limits.ts'
import { databaseName, identifier } from './quote.ts'

/**
 * Reads a whole database: every table with its rows, sequences, routines, views, triggers and events, as what makes them again. No code of its
 * owner runs for that: views are not looked through, generated columns not asked for. The bytes of a text are passed on as they
 * are, whatever alphabet a column is in.
 * @param connection an administrator's, used for nothing else, and never again.
 * @param summer told of all that is read.
 */
export async function* readDatabase(
  connection: Connection,
  database: string,
  summer: DatabaseSummer,
): AsyncGenerator<CopyItem, void, void> {
  const reader = new Reader(connection, database)
  await reader.begin()
  yield* reader.database()
  const tables = await reader.tables()
  for (const { name, kind } of tables) {
    if (kind === 'SYSTEM VERSIONED')
      throw conflict(
        `Table ${name} keeps a history of its rows, which cannot be moved: drop its system versioning first.`,
      )
    summer.object(kind, name)
  }
  for (const { name, kind } of tables) if (kind === 'SEQUENCE') yield* reader.sequence(name, summer)
  for (const { name, kind, engine } of tables)
    if (kind === 'BASE TABLE') {
      yield { kind: 'statement', sql: await reader.created('table', name, 1), as: null }
      // What is in a table of other tables is in these.
      if (engine !== 'MRG_MyISAM') yield* reader.rows(name, summer)
    }
  for (const { name, kind } of await reader.routines()) {
    summer.object(kind, name)
    yield await reader.routine(kind, name)
  }
  for (const { name, kind } of tables) if (kind === 'VIEW') yield await reader.view(name)
  for (const name of await reader.names('triggers', 'trigger_schema', 'trigger_name', 'action_order')) {
    summer.object('TRIGGER', name)
    yield await reader.trigger(name)
  }
  for (const name of await reader.names('events', 'event_schema', 'event_name', 'event_name')) {
    summer.object('EVENT', name)
    yield await reader.event(name)
  }
  yield { kind: 'end' }
}

interface Thing {
  name: string
  kind: string
}

class Reader {
  readonly #connection: Connection
  readonly #database: string
  readonly #quoted: string

  constructor(connection: Connection, database: string) {
    this.#connection = connection
    this.#database = database
    this.#quoted = databaseName(database)
  }

  async begin(): Promise<void> {
    await this.#rows(`use ${this.#quoted}`)
    await this.#rows(`set names utf8mb4, time_zone = '+00:00', sql_mode = '', sql_quote_show_create = 1`)
    await this.#rows('set session transaction isolation level repeatable read')
    await this.#rows('start transaction with consistent snapshot')
  }

  /** Its own alphabet, for what is made in it later. */
  async *database(): AsyncGenerator<CopyItem, void, void> {
    const [row] = await this.#rows(
      'select default_character_set_name, default_collation_name from information_schema.schemata where schema_name = ?',
      [this.#database],
    )
    if (!row) throw conflict(`There is no database ${this.#database}.`)
    const [alphabet, collation] = row.map((value) => plainWord(value))
    yield { kind: 'database', sql: `alter database ${this.#quoted} character set ${alphabet} collate ${collation}` }
  }

  async tables(): Promise<(Thing & { engine: string })[]> {
    const rows = await this.#rows(
      `select table_name, table_type, ifnull(engine, '') from information_schema.tables
        where table_schema = ? and table_type not like '%TEMPORARY%' order by table_name`,
      [this.#database],
    )
    return rows.map(([name = '', kind = '', engine = '']) => ({ name, kind, engine }))
  }

  async routines(): Promise<Thing[]> {
    const rows = await this.#rows(
      // The body of a package needs its head.
      `select routine_name, routine_type from information_schema.routines
        where routine_schema = ? order by routine_type = 'PACKAGE BODY', routine_name`,
      [this.#database],
    )
    return rows.map(([name = '', kind = '']) => ({ name, kind }))
  }

  async names(table: string, schema: string, column: string, order: string): Promise<string[]> {
    const rows = await this.#rows(
      `select ${column} from information_schema.${table} where ${schema} = ? order by ${order}, ${column}`,
      [this.#database],
    )
    return rows.map(([name = '']) => name)
  }

  /** What `show create` says in its column `at`. */
  async created(kind: string, name: string, at: number): Promise<string> {
    return (await this.#shown(kind, name))[at] ?? ''
  }

  async *sequence(name: string, summer: DatabaseSummer): AsyncGenerator<CopyItem, void, void> {
    yield { kind: 'statement', sql: await this.created('sequence', name, 1), as: null }
    const [row] = await this.#rows(`select next_not_cached_value from ${this.#quoted}.${identifier(name)}`)
    const next = plainWord(row?.[0] ?? '1')
    summer.row(name, next)
    yield { kind: 'statement', sql: `do setval(${identifier(name)}, ${next}, 0)`, as: null }
  }

  async *rows(table: string, summer: DatabaseSummer): AsyncGenerator<CopyItem, void, void> {
    const columns = await this.#columns(table)
    if (columns.length === 0) return
    const asked = columns.map(({ name, type }) =>
      // A float is shown with fewer digits than it has.
      type === 'float' ? `cast(${identifier(name)} as double)` : identifier(name),
    )
    const head = `insert into ${identifier(table)} (${columns.map(({ name }) => identifier(name)).join(',')}) values `
    let values: string[] = []
    let bytes = 0
    const insert = (): CopyItem => ({ kind: 'statement', sql: head + values.join(','), as: null })
    // Texts come as the bytes that they are.
    await this.#rows('set character_set_results = null')
    for await (const row of this.#stream(`select ${asked.join(',')} from ${this.#quoted}.${identifier(table)}`)) {
      const tuple = `(${row.map((value, at) => literal(value, columns[at]?.type ?? '')).join(',')})`
      summer.row(table, tuple)
      if (bytes > 0 && bytes + tuple.length > insertBytes) {
        yield insert()
        values = []
        bytes = 0
      }
      values.push(tuple)
      bytes += tuple.length
    }
    await this.#rows('set character_set_results = utf8mb4')
    if (values.length > 0) yield insert()
  }

  async routine(kind: string, name: string): Promise<CopyItem> {
    const [, sqlMode = '', sql = '', , collation = ''] = await this.#shown(kind, name)
    if (sql === '') throw conflict(`What ${kind.toLowerCase()} ${name} does cannot be read.`)
    return { kind: 'statement', sql, as: { sqlMode, collation, timeZone: null } }
  }

  async view(name: string): Promise<CopyItem> {
    const [, sql = '', , collation = ''] = await this.#shown('view', name)
    return { kind: 'view', name, sql, as: { sqlMode: '', collation, timeZone: null } }
  }

  async trigger(name: string): Promise<CopyItem> {
    const [, sqlMode = '', sql = '', , collation = ''] = await this.#shown('trigger', name)
    return { kind: 'statement', sql, as: { sqlMode, collation, timeZone: null } }
  }

  async event(name: string): Promise<CopyItem> {
    const [, sqlMode = '', timeZone = '', sql = '', , collation = ''] = await this.#shown('event', name)
    const as: Circumstances = { sqlMode, collation, timeZone }
    return { kind: 'statement', sql, as }
  }

  async #columns(table: string): Promise<{ name: string; type: string }[]> {
    const rows = await this.#rows(
      `select column_name, data_type from information_schema.columns
        where table_schema = ? and table_name = ? and is_generated = 'NEVER' order by ordinal_position`,
      [this.#database, table],
    )
    return rows.map(([name = '', type = '']) => ({ name, type: type.toLowerCase() }))
  }

  async #shown(kind: string, name: string): Promise<string[]> {
    const [row] = await this.#rows(`show create ${kind.toLowerCase()} ${this.#quoted}.${identifier(name)}`)
    if (!row) throw conflict(`The database changed while it was read: ${kind.toLowerCase()} ${name} is gone.`)
    return row
  }

  async #rows(sql: string, values: unknown[] = []): Promise<string[][]> {
    const [rows] = await this.#connection.query<RowDataPacket[]>({ ...raw(sql), values })
    // Rows that are lists of bytes, as `raw` asks for; a statement without rows has none.
    const lists: unknown = Array.isArray(rows) ? rows : []
    return (lists as (Buffer | null)[][]).map((row) => row.map((value) => value?.toString('utf8') ?? ''))
  }

  async *#stream(sql: string): AsyncGenerator<(Buffer | null)[], void, void> {
    // The connection that streams is behind the one of promises, whose types do not show it.
    const { connection } = this.#connection as Connection & { connection: StreamingConnection }
    const stream = connection.query(raw(sql)).stream({ highWaterMark: rowsAhead })
    for await (const row of stream) yield row
  }
}

/** Rows that are read ahead of whoever takes them. */
const rowsAhead = 100

const raw = (sql: string): QueryOptions => ({ sql, rowsAsArray: true, typeCast: (field) => field.buffer() })

/** A name of the server's own, or a number. */
function plainWord(word: string): string {
  if (!/^-?[A-Za-z0-9_]+$/.test(word)) throw new Error('a word of the database server is none')
  return word
}

/** Types of which a value is written as the server shows it; that of any other as its bytes. */
const shownTypes: ReadonlySet<string> = new Set([
  ...['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'float', 'double', 'year'],
  ...['date', 'datetime', 'timestamp', 'time', 'uuid', 'inet4', 'inet6'],
])

function literal(value: Buffer | null, type: string): string {
  if (value === null) return 'null'
  if (!shownTypes.has(type)) return `x'${value.toString('hex')}'`
  const text = value.toString('latin1')
  if (!/^[0-9A-Za-z:. +-]*$/.test(text)) throw new Error(`a value of type ${type} is none`)
  return `'${text}'`
}
