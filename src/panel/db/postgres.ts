import { type Dialect, PostgresDialect, type PostgresPool } from 'kysely'
import pg from 'pg'
import type { Log } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'

/** Connections of one panel: enough to keep a small PostgreSQL busy, few enough that ten panels fit its default of 100. */
const connectionsMax = 8
/** No query of ours needs longer; a stuck one must not hold its locks, in milliseconds. */
const statementTimeoutMs = 15_000
/** A transaction whose panel has gone silent gives its locks back, in milliseconds. */
const idleTransactionTimeoutMs = 30_000
/** How long a request waits for a connection before it fails, in milliseconds. */
const connectTimeoutMs = 10_000

/** `guard` throws where a query would wait for its own transaction. */
export function openPostgres(url: Secret, guard: () => void, log: Log): Dialect {
  const pool = new pg.Pool({
    connectionString: url.reveal(),
    application_name: 'pharos-panel',
    max: connectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: idleTransactionTimeoutMs,
    types: numericTypes,
  })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', (error) => log.warn({ error: error.message }, 'a database connection was lost'))
  // The same for one that is in use, which the pool does not listen to: its query fails, or the next one.
  pool.on('connect', (client) =>
    client.on('error', (error) => log.debug({ error: error.message }, 'a query lost its connection')),
  )
  // pg's pool is written with overloads that the narrower interface of Kysely does not list.
  const kyselyPool = pool as unknown as PostgresPool
  return new PostgresDialect({
    pool: {
      connect: () => {
        guard()
        return kyselyPool.connect()
      },
      end: () => kyselyPool.end(),
      options: kyselyPool.options,
    },
  })
}

/** 64-bit integers arrive as numbers here, not as text: times, sizes and sums of ours stay below 2^53. */
export const numericTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === int8Oid ? Number : pg.types.getTypeParser(oid, format as 'text')) as pg.CustomTypesConfig['getTypeParser'],
}
const int8Oid = 20
