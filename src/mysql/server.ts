import { connect as connectSocket } from 'node:net'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { conflict } from '../contract/errors.ts'
import { newShortId, randomText } from '../lib/ids.ts'
import type { Secret } from '../lib/secret.ts'
import type { CopyItem, DatabaseSummer } from './items.ts'
import {
  accountConnectionsMax,
  connectTimeoutMs,
  lockWaitSeconds,
  packetBytesMax,
  statementTimeoutMs,
} from './limits.ts'
import { newDatabasePassword } from './password.ts'
import { account, databaseName, grantedDatabase, password } from './quote.ts'
import { readDatabase } from './reading.ts'
import { codeOf, wordsFor } from './words.ts'
import { DatabaseWriter } from './writing.ts'

/** How to get at a server as its administrator. */
export interface ServerAccess {
  /** For people: `Database host eu-1`. */
  label: string
  at: { host: string; port: number; tls: boolean } | { socketPath: string }
  user: string
  password: Secret
}

/** A database and the account that has it, by their names on the server. */
export interface GameDatabase {
  database: string
  user: string
  /** The host pattern from which the account may connect. */
  remote: string
}

/**
 * A MariaDB or MySQL server, through its administrator. Each call is one short connection, and calls about one database
 * take turns, whichever process they come from: what a process that was killed had begun is over when the next one begins.
 * Failures are `conflict` with words for people, never with a password in them.
 */
export interface DatabaseServer {
  has(database: string): Promise<boolean>
  /** Makes both. Throws `conflict` and changes nothing where there is such a database; any other failure may leave a part, which `drop` removes. */
  create(what: GameDatabase, password: Secret): Promise<void>
  /** The old password stops working at once: connections that were made with it end. */
  setPassword(what: GameDatabase, password: Secret): Promise<void>
  /** Removes both, and ends the account's connections. What is gone already is success. */
  drop(what: GameDatabase): Promise<void>
  /** Bytes of data and indexes of each that there is. */
  sizes(databases: readonly string[]): Promise<Map<string, number>>
  /** The names of all databases. */
  names(): Promise<string[]>
  /**
   * Everything that makes a database again elsewhere, told to the summer as well. For MariaDB alone. Whoever takes it keeps a
   * connection open until the end.
   */
  read(database: string, summer: DatabaseSummer): AsyncGenerator<CopyItem, void, void>
  /** How many connections there are now of accounts whose names begin so. */
  connections(prefix: string): Promise<number>
  /** Removes every database and every account whose names begin so. */
  dropAll(prefix: string): Promise<void>
  /** Takes statements as long as `writeDatabase` may send from now on. */
  admitLong(): Promise<void>
  /** Does everything once with names of its own, to find out whether it may. */
  check(): Promise<{ version: string }>
}

export function openDatabaseServer(access: ServerAccess): DatabaseServer {
  const using = async <T>(work: (connection: Session) => Promise<T>): Promise<T> => {
    try {
      const connection = await connect(access)
      try {
        const result = await work(new Session(connection))
        await connection.end()
        return result
      } finally {
        connection.destroy()
      }
    } catch (error) {
      throw wordsFor(access.label, error)
    }
  }
  const locked = <T>(database: string, work: (session: Session) => Promise<T>): Promise<T> =>
    using(async (session) => {
      const [row] = await session.rows('select get_lock(?, ?) as got', [`pharos ${database}`, lockWaitSeconds])
      if (Number(row?.['got']) !== 1)
        throw conflict(`${access.label} is still busy with ${database}. Try again in a moment.`)
      return work(session)
    })

  const server: DatabaseServer = {
    has: (database) => using((session) => session.has(database)),
    create: (what, secret) => locked(what.database, (session) => session.create(what, secret)),
    setPassword: (what, secret) =>
      locked(what.database, async (session) => {
        await session.run(`alter user ${account(what)} identified by ${password(secret.reveal())}`)
        await session.endConnectionsOf(what.user)
      }),
    drop: (what) =>
      locked(what.database, async (session) => {
        await session.run(`drop user if exists ${account(what)}`)
        // An open transaction of the account would hold up dropping the database.
        await session.endConnectionsOf(what.user)
        await session.run(`drop database if exists ${databaseName(what.database)}`)
      }),
    sizes: (databases) =>
      databases.length === 0 ? Promise.resolve(new Map()) : using((session) => session.sizes(databases)),
    names: () =>
      using(async (session) => {
        const rows = await session.rows('select schema_name as name from information_schema.schemata')
        return rows.map(({ name }) => String(name))
      }),
    async *read(database, summer) {
      try {
        const connection = await connect(access)
        try {
          yield* readDatabase(connection, database, summer)
        } finally {
          connection.destroy()
        }
      } catch (error) {
        throw wordsFor(access.label, error)
      }
    },
    connections: (prefix) =>
      using(async (session) => {
        const [row] = await session.rows(
          'select count(*) as open from information_schema.processlist where user like ?',
          [beginning(prefix)],
        )
        return Number(row?.['open'] ?? 0)
      }),
    async dropAll(prefix) {
      const named = await using(async (session) => {
        const accounts = await session.rows('select user as name, host from mysql.user where user like ?', [
          beginning(prefix),
        ])
        for (const { name, host } of accounts) {
          await session.run(`drop user if exists ${account({ user: String(name), remote: String(host) })}`)
          await session.endConnectionsOf(String(name))
        }
        return session.rows('select schema_name as name from information_schema.schemata where schema_name like ?', [
          beginning(prefix),
        ])
      })
      for (const { name } of named)
        await locked(String(name), (session) => session.run(`drop database if exists ${databaseName(String(name))}`))
    },
    admitLong: () => using((session) => session.run(`set global max_allowed_packet = ${packetBytesMax}`)),
    async check() {
      const [row] = await using((session) => session.rows('select version() as version'))
      const key = `s${newShortId()}`
      const probe = { database: `${key}_probe`, user: `${key}_${randomText(12)}`, remote: '%' }
      try {
        await server.create(probe, newDatabasePassword())
        await server.setPassword(probe, newDatabasePassword())
      } finally {
        await server.drop(probe)
      }
      return { version: String(row?.['version']) }
    },
  }
  return server
}

/** Makes a database again from what was read of it: as its account, from this machine, so that nothing in it can do more than that. */
export async function writeDatabase(
  { label, port, what, secret }: { label: string; port: number; what: GameDatabase; secret: Secret },
  items: AsyncIterable<CopyItem>,
  signal: AbortSignal,
): Promise<void> {
  const at = { host: '127.0.0.1', port, tls: false }
  try {
    await using writer = new DatabaseWriter(async () => {
      signal.throwIfAborted()
      const connection = await connect({ label, at, user: what.user, password: secret })
      await connection.query(`use ${databaseName(what.database)}`)
      return connection
    })
    for await (const item of items) {
      signal.throwIfAborted()
      await writer.take(item)
    }
    writer.end()
  } catch (error) {
    signal.throwIfAborted()
    throw wordsFor(label, error)
  }
}

/** As a pattern. */
const beginning = (prefix: string): string => `${prefix.replaceAll('_', '\\_')}%`

/** Everything on its own tables, and nothing that reaches beyond them. */
const privileges = [
  ...['select', 'insert', 'update', 'delete', 'create', 'drop', 'references', 'index', 'alter'],
  ...['create temporary tables', 'lock tables', 'execute', 'create view', 'show view', 'create routine'],
  ...['alter routine', 'event', 'trigger'],
].join(', ')

/** One connection, and the statements that we need. */
class Session {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async run(sql: string): Promise<void> {
    await this.#connection.query({ sql, timeout: statementTimeoutMs })
  }

  async rows(sql: string, values: unknown[] = []): Promise<RowDataPacket[]> {
    const [rows] = await this.#connection.query<RowDataPacket[]>({ sql, values, timeout: statementTimeoutMs })
    return rows
  }

  async has(database: string): Promise<boolean> {
    const sql = 'select 1 from information_schema.schemata where schema_name = ?'
    return (await this.rows(sql, [database])).length > 0
  }

  async create(what: GameDatabase, secret: Secret): Promise<void> {
    await this.run(`create database ${databaseName(what.database)} character set utf8mb4`)
    await this.run(
      `create user ${account(what)} identified by ${password(secret.reveal())} with max_user_connections ${accountConnectionsMax}`,
    )
    await this.run(`grant ${privileges} on ${grantedDatabase(what.database)}.* to ${account(what)}`)
  }

  async endConnectionsOf(user: string): Promise<void> {
    const open = await this.rows('select id from information_schema.processlist where user = ?', [user])
    for (const { id } of open)
      await this.run(`kill ${Number(id)}`).catch((error: unknown) => {
        // It ended by itself meanwhile.
        if (codeOf(error) !== 'ER_NO_SUCH_THREAD') throw error
      })
  }

  async sizes(databases: readonly string[]): Promise<Map<string, number>> {
    const there = await this.rows(
      'select schema_name as name from information_schema.schemata where schema_name in (?)',
      [databases],
    )
    const used = await this.rows(
      'select table_schema as name, sum(data_length + index_length) as bytes from information_schema.tables where table_schema in (?) group by table_schema',
      [databases],
    )
    const sizes = new Map(there.map(({ name }) => [String(name), 0]))
    for (const { name, bytes } of used) if (sizes.has(String(name))) sizes.set(String(name), Number(bytes ?? 0))
    return sizes
  }
}

async function connect({ at, user, password: secret }: ServerAccess): Promise<Connection> {
  // Loaded where it is needed: most panels and nodes have no databases.
  const { createConnection } = await import('mysql2/promise')
  const common = { user, password: secret.reveal(), connectTimeout: connectTimeoutMs, multipleStatements: false }
  if ('socketPath' in at) return createConnection({ ...common, stream: () => connectSocket(at.socketPath) })
  const { host, port, tls } = at
  return createConnection({
    ...common,
    host,
    port,
    ...(tls ? { ssl: { rejectUnauthorized: true, verifyIdentity: true } } : {}),
  })
}
