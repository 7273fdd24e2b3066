import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import pg from 'pg'
import { Secret } from '../src/lib/secret.ts'
import type { DatabaseConfig } from '../src/panel/db/index.ts'
import { findPostgres } from './postgres.ts'

/**
 * Declares one test for each engine the panel supports: an SQLite file of its own, and a database of its own on a real
 * PostgreSQL that this process starts when it is first needed. Where PostgreSQL cannot run the test is skipped and says so;
 * under CI=true it fails.
 */
export function testOnEachDatabase(
  name: string,
  body: (database: DatabaseConfig, t: TestContext) => Promise<void>,
): void {
  test(`${name} (sqlite)`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-sqlite-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    await body({ kind: 'sqlite', file: join(folder, 'panel.db') }, t)
  })
  testOnPostgres(`${name} (postgres)`, body)
}

/** Declares a test of what there is with PostgreSQL alone: one panel by itself uses an SQLite file. */
export function testOnPostgres(
  name: string,
  body: (database: Extract<DatabaseConfig, { kind: 'postgres' }>, t: TestContext) => Promise<void>,
): void {
  test(name, async (t) => {
    const url = await newPostgresDatabase()
    if ('skipped' in url) return t.skip(url.skipped)
    await body({ kind: 'postgres', url }, t)
  })
}

/** The same on an SQLite file alone: for what asks the database nothing that differs. */
export function testOnSqlite(name: string, body: (database: DatabaseConfig, t: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-sqlite-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    await body({ kind: 'sqlite', file: join(folder, 'panel.db') }, t)
  })
}

/** A database of its own on the same PostgreSQL; or why there is none here, which under CI=true is an error. */
export async function newPostgresDatabase(): Promise<Secret | { skipped: string }> {
  server ??= startPostgres()
  const running = await server.catch((error: Error) => error)
  if (!(running instanceof Error)) return running.newDatabase()
  if (process.env.CI === 'true') throw running
  return { skipped: `PostgreSQL cannot run here: ${running.message}` }
}

interface Postgres {
  newDatabase(): Promise<Secret>
  stop(): Promise<void>
}

let server: Promise<Postgres> | undefined
after(async () => {
  const running = await server?.catch(() => undefined)
  await running?.stop()
})

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
    ['-D', data, '-k', folder, '-c', 'listen_addresses=', '-c', 'fsync=off', '-c', 'shared_buffers=16MB'],
    { ...identity, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const killed = (): void => void postgres.kill('SIGQUIT')
  process.once('exit', killed)
  await accepting(postgres)
  const urlOf = (database: string): string => `postgres://${user}@${encodeURIComponent(folder)}/${database}`
  const admin = new pg.Client({ connectionString: urlOf('postgres') })
  await admin.connect()
  let databases = 0
  return {
    async newDatabase() {
      const name = `test${++databases}`
      await admin.query(`create database ${name}`)
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
