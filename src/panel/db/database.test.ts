import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { sql } from 'kysely'
import { testOnEachDatabase, testOnEachEmptyDatabase, testOnPostgres } from '../../../test/databases.ts'
import { silentLog } from '../../lib/log.ts'
import { type Change, isUniqueViolation, openChanges, openDatabase } from './index.ts'

testOnEachEmptyDatabase('migrates a fresh database, also when two panels start at the same moment', async (config) => {
  const [one, two] = await Promise.all([openDatabase(config, silentLog), openDatabase(config, silentLog)])
  assert.deepEqual(await two.kysely.selectFrom('users').selectAll().execute(), [])
  await one[Symbol.asyncDispose]()
  await two[Symbol.asyncDispose]()
})

testOnEachDatabase('refuses a database that a newer version has written', async (config) => {
  {
    await using database = await openDatabase(config, silentLog)
    await sql`insert into migrations (name, applied_at) values ('9999-future', 1)`.execute(database.kysely)
  }
  await assert.rejects(openDatabase(config, silentLog), /newer Pharos.*9999-future/)
})

testOnEachDatabase('undoes a transaction that fails', async (config) => {
  await using database = await openDatabase(config, silentLog)
  await assert.rejects(
    database.transact(async (trx) => {
      await trx.insertInto('settings').values({ key: 'a', value: '1' }).execute()
      throw new Error('no')
    }),
    /no/,
  )
  assert.deepEqual(await database.kysely.selectFrom('settings').selectAll().execute(), [])
})

testOnEachDatabase('lets transactions that read before they write never lose an update', async (config) => {
  await using database = await openDatabase(config, silentLog)
  await database.kysely.insertInto('settings').values({ key: 'count', value: '0' }).execute()
  await Promise.all(
    Array.from({ length: 8 }, () =>
      database.transact(async (trx) => {
        const { value } = await trx.selectFrom('settings').select('value').executeTakeFirstOrThrow()
        await trx
          .updateTable('settings')
          .set({ value: String(Number(value) + 1) })
          .execute()
      }),
    ),
  )
  assert.equal((await database.kysely.selectFrom('settings').select('value').executeTakeFirstOrThrow()).value, '8')
})

testOnEachDatabase('refuses a query outside of the transaction that would wait for itself', async (config) => {
  await using database = await openDatabase(config, silentLog)
  await assert.rejects(
    database.transact(() => database.kysely.selectFrom('users').selectAll().execute()),
    /must use its trx/,
  )
  await assert.rejects(
    database.transact(() => database.transact(async () => undefined)),
    /must use its trx/,
  )
  assert.deepEqual(await database.kysely.selectFrom('users').selectAll().execute(), [])
})

testOnEachDatabase('refuses a row that refers to nothing, and tells a duplicate from other faults', async (config) => {
  await using database = await openDatabase(config, silentLog)
  const { kysely } = database
  await assert.rejects(
    kysely.insertInto('members').values({ workspace_id: 'w', user_id: 'u', role: 'owner', joined_at: 1 }).execute(),
    (error) => !isUniqueViolation(error),
  )
  await kysely.insertInto('settings').values({ key: 'a', value: '1' }).execute()
  await assert.rejects(kysely.insertInto('settings').values({ key: 'a', value: '2' }).execute(), isUniqueViolation)
})

testOnEachDatabase('gives 64-bit numbers back as numbers', async (config) => {
  await using database = await openDatabase(config, silentLog)
  const large = Number.MAX_SAFE_INTEGER
  const row = { edge_id: 'e', epoch: '1', workspace_id: 'w', day: large, peak: 1 }
  await database.kysely
    .insertInto('workspaces')
    .values({ id: 'w', slug: 'w1', name: 'W', plan: 'standard', rate_limit: null, suspended_at: null, created_at: 1 })
    .execute()
  await database.kysely.insertInto('usage_peaks').values(row).execute()
  assert.deepEqual(await database.kysely.selectFrom('usage_peaks').selectAll().execute(), [row])
})

testOnEachDatabase('carries changes to every panel, to the one that made them once', async (config) => {
  await using database = await openDatabase(config, silentLog)
  await using here = await openChanges(database, config, silentLog)
  await using there = await openChanges(database, config, silentLog)
  const heardHere: Change[] = []
  here.on((change) => heardHere.push(change))
  const arrived = new Promise<Change>((resolve) => there.on(resolve))
  await here.publish({ of: 'token', id: 'tok_1' })
  assert.deepEqual(heardHere, [{ of: 'token', id: 'tok_1' }])
  if (config.kind === 'sqlite') return // one panel alone uses an SQLite file
  assert.deepEqual(await arrived, { of: 'token', id: 'tok_1' })
  const back = new Promise<void>((resolve) => here.on(() => resolve()))
  await there.publish({ of: 'subuser', serverId: 's', userId: 'u' })
  await back
  assert.equal(heardHere.length, 2)
})

testOnPostgres('says that news may be missing when the connection for them breaks, and heals', async (config) => {
  await using database = await openDatabase(config, silentLog)
  await using changes = await openChanges(database, config, silentLog)
  assert.equal(changes.complete, true)
  const healed = new Promise<void>((resolve) => changes.gap.on(resolve))
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pharos-panel-changes'`.execute(
    database.kysely,
  )
  await healed
  assert.equal(changes.complete, true)
})

test('keeps an SQLite file from other users of the machine', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-mode-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'new', 'panel.db')
  await using database = await openDatabase({ kind: 'sqlite', file }, silentLog)
  await database.kysely.insertInto('settings').values({ key: 'a', value: '1' }).execute()
  for (const path of [file, `${file}-wal`, `${file}-shm`]) assert.equal((await stat(path)).mode & 0o777, 0o600, path)
  assert.equal((await stat(dirname(file))).mode & 0o777, 0o700)
})
