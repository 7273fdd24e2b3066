import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { Kysely, sql } from 'kysely'
import { testOnEachEmptyDatabase } from '../../../test/databases.ts'
import { silentLog } from '../../lib/log.ts'
import { copyBefore } from './before-upgrade.ts'
import { type DatabaseConfig, openDatabase } from './index.ts'
import { migrate } from './migrate.ts'
import { migrations } from './migrations/index.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

/** The first state of the database that anybody but its makers has run. */
const firstReleased = '0012-second-factors'
const upTo = (last: string) => migrations.filter(({ name }) => name <= last)

/** As a program has it that migrates nothing by itself. */
async function opened(config: DatabaseConfig): Promise<Kysely<unknown>> {
  const none = (): void => undefined
  const dialect =
    config.kind === 'sqlite' ? await openSqlite(config.file, none) : openPostgres(config.url, none, silentLog)
  return new Kysely<unknown>({ dialect })
}

/** A database as an older program made it, with `fill` done to it by that program. */
async function olderDatabase(
  config: DatabaseConfig,
  last: string,
  fill: (kysely: Kysely<unknown>) => Promise<void> = async () => undefined,
): Promise<void> {
  const kysely = await opened(config)
  try {
    await migrate(kysely, config.kind, upTo(last))
    await fill(kysely)
  } finally {
    await kysely.destroy()
  }
}

/** Rows in the columns of that time, with text that escapes badly. */
async function fillFirst(kysely: Kysely<unknown>): Promise<void> {
  const rows = [
    sql`insert into users (id, email, name, password_hash, instance_admin, created_at) values ('usr_1', 'ada@example.com', ${"Ada 'of' \\Byron\u2028"}, 'h', 1, 1)`,
    sql`insert into workspaces (id, slug, name, plan, created_at) values ('wsp_1', 'acme', 'Acme', 'standard', 1)`,
    sql`insert into members (workspace_id, user_id, role, joined_at) values ('wsp_1', 'usr_1', 'owner', 1)`,
    sql`insert into tokens (id, workspace_id, user_id, secret_hash, created_at) values ('tok_1', 'wsp_1', 'usr_1', 's', 1)`,
    sql`insert into nodes (id, name, port_first, port_last, created_at) values ('nod_1', 'local', 25566, 25665, 1)`,
    sql`insert into template_copies (hash, content) values ('t', '{}')`,
    sql`insert into servers (id, workspace_id, owner_id, node_id, name, template, template_hash, memory, disk, cpu, variables, restart_on_crash, start_when_installed, revision, created_at)
      values ('srv_1', 'wsp_1', 'usr_1', 'nod_1', 'Survival', 'minecraft', 't', 1024, 2048, 1.5, '{}', 1, 1, 7, 1)`,
    sql`insert into allocations (id, node_id, server_id, port, primary_port, created_at) values ('all_1', 'nod_1', 'srv_1', 25566, 1, 1)`,
    sql`insert into usage_counters (edge_id, epoch, tunnel_id, workspace_id, day, bytes_in, bytes_out, connections, requests, last_seen)
      values ('e', '1', 't', 'wsp_1', 20000, ${Number.MAX_SAFE_INTEGER}, 1, 1, 1, 1)`,
  ]
  for (const row of rows) await row.execute(kysely)
}

testOnEachEmptyDatabase('a database of the first release moves forward with everything in it', async (config) => {
  await olderDatabase(config, firstReleased, fillFirst)
  await using database = await openDatabase(config, silentLog)
  const { kysely } = database
  const user = await kysely.selectFrom('users').selectAll().executeTakeFirstOrThrow()
  assert.deepEqual([user.email, user.name, user.instance_admin], ['ada@example.com', "Ada 'of' \\Byron\u2028", 1])
  const server = await kysely.selectFrom('servers').selectAll().executeTakeFirstOrThrow()
  assert.deepEqual([server.name, server.cpu, server.revision, server.transfer_id], ['Survival', 1.5, 7, null])
  const node = await kysely.selectFrom('nodes').selectAll().executeTakeFirstOrThrow()
  assert.deepEqual([node.name, node.maintenance_at, node.disk_factor], ['local', null, null])
  assert.equal(
    (await kysely.selectFrom('usage_counters').selectAll().executeTakeFirstOrThrow()).bytes_in,
    Number.MAX_SAFE_INTEGER,
  )
  const { rows } = await sql<{ name: string }>`select name from migrations order by name`.execute(kysely)
  assert.deepEqual(
    rows.map(({ name }) => name),
    migrations.map(({ name }) => name),
  )
})

testOnEachEmptyDatabase('every state in between moves forward, one step and all at once', async (config) => {
  for (const { name } of migrations.filter(({ name }) => name >= firstReleased))
    await olderDatabase(config, name, name === firstReleased ? fillFirst : undefined)
  await using database = await openDatabase(config, silentLog)
  assert.equal((await database.kysely.selectFrom('servers').selectAll().execute()).length, 1)
})

testOnEachEmptyDatabase(
  'a panel of the version before goes on writing while a newer one has moved the database forward',
  async (config) => {
    await (await openDatabase(config, silentLog))[Symbol.asyncDispose]()
    const older = await opened(config)
    try {
      await fillFirst(older)
    } finally {
      await older.destroy()
    }
    await using database = await openDatabase(config, silentLog)
    const server = await database.kysely.selectFrom('servers').selectAll().executeTakeFirstOrThrow()
    assert.deepEqual([server.name, server.restart_on_hang, server.runtime], ['Survival', 0, 'sandbox'])
  },
)

testOnEachEmptyDatabase(
  'an upgrade that fails leaves the database as it was, and the next one succeeds',
  async (config) => {
    await olderDatabase(config, firstReleased, fillFirst)
    const kysely = await opened(config)
    const broken = { name: '9999-broken', up: async () => assert.fail('broken on purpose') }
    try {
      await assert.rejects(migrate(kysely, config.kind, [...migrations, broken]), /broken on purpose/)
      const { rows } = await sql<{ name: string }>`select name from migrations order by name`.execute(kysely)
      assert.equal(rows.at(-1)?.name, firstReleased)
      await assert.rejects(sql`select transfer_id from servers`.execute(kysely))
    } finally {
      await kysely.destroy()
    }
    await using database = await openDatabase(config, silentLog)
    assert.equal((await database.kysely.selectFrom('servers').selectAll().execute()).length, 1)
  },
)

/** PostgreSQL is backed up by whoever runs it. */
const testOnSqlite = (name: string, body: (config: { kind: 'sqlite'; file: string }) => Promise<void>): void =>
  void test(name, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-upgrade-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    await body({ kind: 'sqlite', file: join(folder, 'panel.db') })
  })

const copiesOf = async (file: string): Promise<string[]> =>
  (await readdir(dirname(file))).filter((name) => name.includes('before-upgrade')).sort()

testOnSqlite(
  'keeps a copy of an SQLite file before it moves forward, from which an older one goes on',
  async (config) => {
    await olderDatabase(config, firstReleased, fillFirst)
    await (await openDatabase(config, silentLog))[Symbol.asyncDispose]()
    const copy = copyBefore(config.file, firstReleased)
    assert.deepEqual(await copiesOf(config.file), [basename(copy)])
    assert.equal((await stat(copy)).mode & 0o777, 0o600)
    // The program of that time starts on it: it knows every migration that the copy has.
    await olderDatabase({ kind: 'sqlite', file: copy }, firstReleased, async (kysely) => {
      assert.equal((await sql`select name from servers`.execute(kysely)).rows.length, 1)
      await assert.rejects(sql`select transfer_id from servers`.execute(kysely))
    })
  },
)

testOnSqlite('copies nothing when there is nothing to lose, and keeps no more than three copies', async (config) => {
  const { file } = config
  await (await openDatabase(config, silentLog))[Symbol.asyncDispose]()
  await (await openDatabase(config, silentLog))[Symbol.asyncDispose]()
  assert.deepEqual(await copiesOf(file), [])
  await rm(file)
  await rm(`${file}-wal`, { force: true })
  for (const old of ['0003-a', '0004-b', '0005-c', '0006-d']) await writeFile(copyBefore(file, old), '')
  await olderDatabase(config, firstReleased)
  await (await openDatabase(config, silentLog))[Symbol.asyncDispose]()
  assert.deepEqual(
    await copiesOf(file),
    ['0005-c', '0006-d', firstReleased].map((last) => basename(copyBefore(file, last))),
  )
})

testOnSqlite('refuses to move a database forward that it cannot copy', async (config) => {
  await olderDatabase(config, firstReleased, fillFirst)
  // Where the copy would go is a folder with something in it.
  await mkdir(`${copyBefore(config.file, firstReleased)}/full`, { recursive: true })
  await assert.rejects(
    openDatabase(config, silentLog),
    /could not be copied .* before its upgrade.*Nothing was changed/,
  )
  await olderDatabase(config, firstReleased)
})

test('the migrations are in order, so that the newest of a database names its state', () => {
  const names = migrations.map(({ name }) => name)
  assert.deepEqual(names, names.toSorted())
})
