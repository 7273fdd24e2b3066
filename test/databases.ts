import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { silentLog } from '../src/lib/log.ts'
import { Secret } from '../src/lib/secret.ts'
import { type DatabaseConfig, openDatabase } from '../src/panel/db/index.ts'
import { patienceMs } from './patience.ts'
import { findPostgres } from './postgres.ts'

type Body<Config = DatabaseConfig> = (database: Config, t: TestContext) => Promise<void>
type PostgresConfig = Extract<DatabaseConfig, { kind: 'postgres' }>

/**
 * Declares one test for each engine the panel supports: an SQLite file of its own, and a database of its own on a real
 * PostgreSQL that this process starts when it is first needed; that one has the tables already. Where PostgreSQL cannot run the test is skipped
 * and says so; under CI=true it fails.
 */
export function testOnEachDatabase(name: string, body: Body): void {
  testOnSqlite(`${name} (sqlite)`, body)
  testOnPostgres(`${name} (postgres)`, body)
}

/** The same with databases as an operator makes them: empty. For what makes the tables, or brings its own. */
export function testOnEachEmptyDatabase(name: string, body: Body): void {
  testOnSqlite(`${name} (sqlite)`, body)
  onPostgres(`${name} (postgres)`, body, { empty: true })
}

/** Declares a test of what there is with PostgreSQL alone: one panel by itself uses an SQLite file. */
export function testOnPostgres(name: string, body: Body<PostgresConfig>): void {
  onPostgres(name, body, { empty: false })
}

/** The same on an SQLite file alone: for what asks the database nothing that differs. */
export function testOnSqlite(name: string, body: Body): void {
  test(name, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-sqlite-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    await body({ kind: 'sqlite', file: join(folder, 'panel.db') }, t)
  })
}

/** Declares that a suite uses PostgreSQL: one for all of this process, which ends with the last such suite. */
export function needsPostgres(): void {
  suites += 1
  after(async () => {
    suites -= 1
    if (suites > 0) return
    const running = await server?.catch(() => undefined)
    server = undefined
    await running?.stop()
  })
}

/** A database of its own on the same PostgreSQL, in a suite that uses it; or why there is none here, which under CI=true is an error. */
export async function newPostgresDatabase(
  beginning: Beginning = { empty: false },
): Promise<Secret | { skipped: string }> {
  server ??= startPostgres()
  const running = await server.catch((error: Error) => error)
  if (!(running instanceof Error)) return running.newDatabase(beginning)
  if (process.env.CI === 'true') throw running
  return { skipped: `PostgreSQL cannot run here: ${running.message}` }
}

/** Whether the tables of today are to be made yet. */
interface Beginning {
  empty: boolean
}

function onPostgres(name: string, body: Body<PostgresConfig>, beginning: Beginning): void {
  needsPostgres()
  test(name, async (t) => {
    const url = await newPostgresDatabase(beginning)
    if ('skipped' in url) return t.skip(url.skipped)
    await body({ kind: 'postgres', url }, t)
  })
}

interface Postgres {
  newDatabase(beginning: Beginning): Promise<Secret>
  stop(): Promise<void>
}

let server: Promise<Postgres> | undefined
let suites = 0

async function startPostgres(): Promise<Postgres> {
  const bin = findPostgres()
  if (bin === null) throw new Error('it is not installed: "npm test" brings it, or install postgresql')
  const folder = await mkdtemp(join(tmpdir(), 'pharos-postgres-'))
  // PostgreSQL refuses to run as root.
  const identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}
  if ('uid' in identity) await chown(folder, nobody, nobody)
  const data = join(folder, 'data')
  await promisify(execFile)(
    join(bin, 'initdb'),
    ['-D', data, '-U', user, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { ...identity, cwd: folder },
  )
  const postgres = spawn(
    join(bin, 'postgres'),
    ['-D', data, '-k', folder, ...settings.flatMap((setting) => ['-c', setting])],
    { ...identity, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const killed = (): void => void postgres.kill('SIGQUIT')
  process.once('exit', killed)
  await accepting(postgres)
  const urlOf = (database: string): string => `postgres://${user}@${encodeURIComponent(folder)}/${database}`
  const admin = new pg.Client({ connectionString: urlOf('postgres') })
  await admin.connect()
  let databases = 0
  let migrated: Promise<string> | undefined
  /** To make the tables anew takes 320 ms of CPU, to copy their files 30 (and to copy them by the log, as is the default, 90). */
  const migrate = async (): Promise<string> => {
    const name = 'migrated'
    await admin.query(`create database ${name}`)
    const database = await openDatabase({ kind: 'postgres', url: new Secret(urlOf(name)) }, silentLog)
    await database[Symbol.asyncDispose]()
    // A database that somebody is connected to cannot be copied, and connections end a moment after they were closed.
    const connected = `select count(*)::int as count from pg_stat_activity where datname = '${name}'`
    for (const end = performance.now() + patienceMs; performance.now() < end; await sleep(10))
      if ((await admin.query<{ count: number }>(connected)).rows[0]?.count === 0) return name
    throw new Error('the database to copy stayed in use')
  }
  return {
    async newDatabase({ empty }) {
      const name = `test${++databases}`
      if (empty) await admin.query(`create database ${name}`)
      else {
        migrated ??= migrate()
        await admin.query(`create database ${name} template ${await migrated} strategy file_copy`)
      }
      return new Secret(urlOf(name))
    },
    async stop() {
      await admin.end()
      const ended = new Promise((resolve) => postgres.once('exit', resolve))
      postgres.kill('SIGINT')
      await ended
      process.off('exit', killed)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Reached by its folder alone; nothing of it outlives the process, and nothing grows enough to be tidied up. */
const settings = ['listen_addresses=', 'shared_buffers=16MB', 'fsync=off', 'full_page_writes=off', 'autovacuum=off']

/** The user and group that own nothing, on every Linux. */
const nobody = 65_534
const user = 'postgres'

function accepting(postgres: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    postgres.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000)
      if (said.includes('database system is ready to accept connections')) resolve()
    })
    postgres.once('error', reject)
    postgres.once('exit', (code) => reject(new Error(`postgres ended with ${code}: ${said}`)))
  })
}
