import { stat } from 'node:fs/promises'
import BetterSqlite from 'better-sqlite3'
import pg from 'pg'
import type { DatabaseConfig } from './database.ts'
import { migrations } from './migrations/index.ts'

/** How far a database is, seen from this program. */
export interface DatabaseState {
  /** No panel has used it yet. */
  empty: boolean
  /** What this program would apply at its start. */
  pending: string[]
  /** What this program does not know: a newer one has written it. */
  newer: string[]
  /** How far the database's clock is ahead of this machine's, in ms; null where they are the same. */
  clockAheadMs: number | null
  /** Panels that serve from it at the moment; 0 on SQLite, where there is one at most. */
  panels: number
}

/** A database that is there answers in milliseconds; in ms. */
const connectTimeoutMs = 5_000

/** The migration that brought the table of panels. */
const panelsSince = '0020-panels'

/** A panel says every few seconds that it serves; clocks of machines may differ by some more, in ms. */
const panelSilentMs = 60_000

/** Reads how far a database is and changes nothing. Rejects where it cannot be read. */
export async function readDatabaseState(config: DatabaseConfig, now: () => number): Promise<DatabaseState> {
  const { applied, clockAheadMs, panels } =
    config.kind === 'sqlite'
      ? { applied: await appliedInSqlite(config.file), clockAheadMs: null, panels: 0 }
      : await appliedInPostgres(config.url.reveal(), now)
  const known = migrations.map(({ name }) => name)
  return {
    empty: applied.length === 0,
    pending: known.filter((name) => !applied.includes(name)),
    newer: applied.filter((name) => !known.includes(name)),
    clockAheadMs,
    panels,
  }
}

/** What a SQLite file has applied, oldest first; nothing for one that is not there or that no panel has used. */
export async function appliedInSqlite(file: string): Promise<string[]> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (!found || found.size === 0) return []
  const database = new BetterSqlite(file, { readonly: true, fileMustExist: true })
  try {
    const has = database.prepare("select 1 from sqlite_schema where type = 'table' and name = 'migrations'").get()
    return has ? (database.prepare('select name from migrations order by name').pluck().all() as string[]) : []
  } finally {
    database.close()
  }
}

async function appliedInPostgres(
  url: string,
  now: () => number,
): Promise<{ applied: string[]; clockAheadMs: number; panels: number }> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: connectTimeoutMs,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const asked = await client.query<{ used: boolean; ms: string }>(
      "select to_regclass('migrations') is not null as used, extract(epoch from clock_timestamp()) * 1000 as ms",
    )
    const [row] = asked.rows
    const names = row?.used ? await client.query<{ name: string }>('select name from migrations order by name') : null
    const applied = names?.rows.map(({ name }) => name) ?? []
    const serving = applied.includes(panelsSince)
      ? await client.query<{ count: string }>('select count(*) from panels where seen_at > $1', [now() - panelSilentMs])
      : null
    return { applied, clockAheadMs: Number(row?.ms) - now(), panels: Number(serving?.rows[0]?.count ?? 0) }
  } finally {
    await client.end()
  }
}
