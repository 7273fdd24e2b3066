import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, type TestContext, test } from 'node:test'
import { type Connection, createConnection } from 'mysql2/promise'
import { pino } from 'pino'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { openSealer } from '../../src/lib/seal.ts'
import { newDatabasePassword } from '../../src/mysql/index.ts'
import type { DatabaseConfig, DatabaseRow } from '../../src/panel/db/index.ts'
import { testOnEachDatabase, testOnPostgres } from '../databases.ts'
import { CuttingProxy, needsMariadb, TestMariadb } from '../mariadb.ts'
import { addMember, eventually, type PanelWorldOptions, startAcme, startPanelWorld } from '../world/panel.ts'
import { joinFakeNode } from '../world/panel-node.ts'
import { keyOf } from '../world/servers-world.ts'

/** One for all tests of this file, started when it is first needed. */
let shared: Promise<TestMariadb> | undefined
const mariadb = (): Promise<TestMariadb> => {
  shared ??= TestMariadb.start()
  return shared
}
after(async () => (await shared)?.[Symbol.asyncDispose]())

/** A panel with a node, and a server `Lobby` on it. */
async function startWorld(config: DatabaseConfig, options: PanelWorldOptions = {}) {
  const stack = new AsyncDisposableStack()
  const world = stack.use(await startAcme(config, options))
  await world.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 100_000 } })
  const node = stack.use(await joinFakeNode(world.acme))
  const newServer = async (name: string) =>
    keyOf((await world.acme.createServer({ body: { name, template: 'plain', start: false } })).id)
  const serverId = await newServer('Lobby')
  return {
    ...world,
    node,
    newServer,
    serverId,
    params: { serverId },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

type World = Awaited<ReturnType<typeof startWorld>>

/** Registers the MariaDB of this file as the world's database host. */
async function withHost(world: World, more: { capacity?: number } = {}) {
  const { port, user, password } = await mariadb()
  const body = { name: 'eu-1', host: '127.0.0.1', port, username: user, password, ...more }
  return { ...body, ...(await world.acme.createDatabaseHost({ body })) }
}

interface Credentials {
  host: string
  port: number
  username: string
  password: string
  database: string
}

const logIn = ({ host, port, username, password, database }: Credentials): Promise<Connection> =>
  createConnection({ host, port, user: username, password, database })

async function admitted(credentials: Credentials): Promise<void> {
  const game = await logIn(credentials)
  await game.query('create table if not exists t (a int)')
  await game.end()
}

const refused = (credentials: Credentials) => assert.rejects(logIn(credentials), { code: 'ER_ACCESS_DENIED_ERROR' })

/** A clock that runs, and can be moved ahead. */
function aheadClock(): Clock & { advance(ms: number): void } {
  let ahead = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    advance(ms) {
      ahead += ms
    },
  }
}

/** Makes the panel look after what is unfinished, as it does every few seconds. */
const nudge = (world: Pick<World, 'acme' | 'params'>) =>
  world.acme.updateServer({ params: world.params, body: { restartOnCrash: true } })

testOnEachDatabase(
  'a database on a host is made, used, rotated and deleted, as the document says',
  async (config, t) => {
    if (!needsMariadb(t)) return
    await using world = await startWorld(config)
    const { acme, params, serverId } = world
    const host = await withHost(world)
    assert.deepEqual(await acme.databases({ params }), [])
    const made = await acme.createDatabase({ params, body: { database: 'Minecraft_db' } })
    const { message, databaseId, database, remote, note } = made
    assert.deepEqual([message, database, remote, note], ['Database created', `s${serverId}_minecraft_db`, '%', null])
    assert.deepEqual([made.host, made.port], ['127.0.0.1', host.port])
    await admitted(made)
    const [listed, ...others] = await acme.databases({ params })
    assert.ok(listed && others.length === 0)
    const { createdAt, sizeBytes, ...rest } = listed
    assert.deepEqual(rest, {
      id: databaseId,
      name: 'Minecraft_db',
      host: made.host,
      port: made.port,
      database,
      username: made.username,
      remote: '%',
      state: 'ready',
    })
    assert.ok(sizeBytes !== null && sizeBytes > 0 && createdAt)

    const byName = { serverId, database: 'minecraft_DB' }
    const byId = { serverId, database: databaseId }
    assert.equal((await acme.databasePassword({ params: byName })).password, made.password)
    await assert.rejects(acme.databasePassword({ params: { serverId, database: 'missing' } }), /not found/)
    const read = await eventually(async () => {
      const { entries } = await acme.serverActivity({ params })
      const found = entries.filter(({ operation }) => operation === 'databasePassword')
      return found.length === 2 ? found : null
    }, 'who read the password is written down, and who tried')
    assert.deepEqual(
      read.map(({ permission, subject, code }) => [permission, subject, code]),
      [
        ['databases.password', 'missing', 'not_found'],
        ['databases.password', 'minecraft_DB', null],
      ],
    )
    assert.ok(!JSON.stringify(read).includes(made.password))
    const rotated = await acme.rotateDatabasePassword({ params: byName })
    assert.equal(rotated.message, 'Password rotated')
    await refused(made)
    await admitted({ ...made, password: rotated.newPassword })
    assert.deepEqual(await acme.databasePassword({ params: byId }), { password: rotated.newPassword })

    assert.deepEqual(await acme.deleteDatabase({ params: byId }), { message: 'Database deleted successfully' })
    await refused({ ...made, password: rotated.newPassword })
    assert.deepEqual(await (await mariadb()).ours(), [])
    for (const gone of [byId, byName]) await assert.rejects(acme.deleteDatabase({ params: gone }), { status: 404 })
  },
)

testOnEachDatabase('creations that race for the last places get no more than there are', async (config, t) => {
  if (!needsMariadb(t)) return
  await using world = await startWorld(config)
  const { acme, params } = world
  const race = async (serverId: string, count: number) => {
    const tries = Array.from({ length: count }, (_, n) =>
      acme.createDatabase({ params: { serverId }, body: { database: `race${n}` } }),
    )
    const results = await Promise.allSettled(tries)
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason.message)] : []))
    return { made: count - reasons.length, reasons }
  }
  const limited = await race(params.serverId, 9)
  assert.equal(limited.made, 5, limited.reasons.join('\n'))
  for (const reason of limited.reasons) assert.match(reason, /Lobby has 5 databases, and may have 5: delete one/)
  assert.equal(world.node.databases.size, 5)

  await acme.updateServerLimits({ params, body: { databases: 0 } })
  await assert.rejects(acme.createDatabase({ params, body: { database: 'more' } }), /Lobby may have no databases/)
  const { limits } = await acme.updateServerLimits({ params, body: { databases: 6 } })
  assert.equal(limits.databases, 6)
  await acme.createDatabase({ params, body: { database: 'sixth' } })

  await withHost(world, { capacity: 2 })
  const full = await race(await world.newServer('Other'), 5)
  assert.equal(full.made, 2, full.reasons.join('\n'))
  for (const reason of full.reasons) assert.match(reason, /Every database host is full/)
  assert.equal((await (await mariadb()).ours()).length, 4)
  for (const { id } of await acme.servers()) await acme.deleteServer({ params: { serverId: keyOf(id) } })
  await eventually(
    async () => (await (await mariadb()).ours()).length === 0,
    'the databases of deleted servers are gone',
  )
  await eventually(() => world.node.databases.size === 0, 'those on the node too')
})

testOnEachDatabase('several who want the same name at once: one gets it', async (config) => {
  await using world = await startWorld(config)
  const results = await Promise.allSettled(
    ['shop', 'Shop', 'SHOP', 'shop'].map((database) =>
      world.acme.createDatabase({ params: world.params, body: { database } }),
    ),
  )
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  assert.equal((await world.acme.databases({ params: world.params })).length, 1)
  assert.equal(world.node.databases.size, 1)
})

testOnEachDatabase('a creation that fails half-way leaves nothing, now or once the node is back', async (config) => {
  await using world = await startWorld(config)
  const { acme, params, node } = world
  const rows = () => world.database.kysely.selectFrom('databases').selectAll().execute()
  for (const step of ['createDatabase', 'createdDatabase']) {
    node.meddle = (operation) => {
      if (operation === step) throw new Error('the node failed')
    }
    await assert.rejects(acme.createDatabase({ params, body: { database: 'shop' } }), { status: 500 })
    assert.deepEqual([await rows(), node.databases.size], [[], 0], step)
  }
  node.meddle = async (operation) => {
    if (operation === 'createdDatabase') await node.leave()
  }
  await assert.rejects(acme.createDatabase({ params, body: { database: 'shop' } }), { status: 409 })
  assert.equal(node.databases.size, 1)
  assert.deepEqual(await acme.databases({ params }), [])
  node.meddle = () => undefined
  await node.connect()
  await eventually(() => node.databases.size === 0, 'undone')
  await eventually(async () => (await rows()).length === 0, 'forgotten')
  await acme.createDatabase({ params, body: { database: 'shop' } })
})

testOnEachDatabase('a rotation or deletion that fails half-way is finished once the node is back', async (config) => {
  await using world = await startWorld(config)
  const { acme, params, node, serverId } = world
  const { database: real, password: first } = await acme.createDatabase({ params, body: { database: 'shop' } })
  const shop = { serverId, database: 'shop' }
  for (const step of ['setDatabasePassword', 'didSetDatabasePassword']) {
    const before = node.databases.get(real)
    node.meddle = async (operation) => {
      if (operation === step) await node.leave()
    }
    await assert.rejects(acme.rotateDatabasePassword({ params: shop }), /takes effect as soon as it can be set/)
    await assert.rejects(acme.databasePassword({ params: shop }), { status: 409 })
    assert.equal((await acme.databases({ params }))[0]?.state, 'rotating')
    node.meddle = () => undefined
    await node.connect()
    await eventually(async () => (await acme.databases({ params }))[0]?.state === 'ready', 'finished')
    const { password } = await acme.databasePassword({ params: shop })
    assert.notEqual(password, before)
    assert.equal(node.databases.get(real), password, step)
  }
  await node.leave()
  await eventually(async () => (await acme.server({ params })).status === 'unknown', 'the panel sees that it is away')
  await assert.rejects(acme.rotateDatabasePassword({ params: shop }), /Node machine is away/)
  assert.equal((await acme.databases({ params }))[0]?.state, 'ready')
  assert.equal((await acme.databases({ params }))[0]?.sizeBytes, null)
  assert.match((await acme.deleteDatabase({ params: shop })).message, /initiated/)
  assert.equal((await acme.databases({ params }))[0]?.state, 'deleting')
  await assert.rejects(acme.createDatabase({ params, body: { database: 'shop' } }), { status: 409 })
  await node.connect()
  await eventually(() => node.databases.size === 0, 'dropped')
  await eventually(async () => (await acme.databases({ params })).length === 0, 'forgotten')
  assert.ok(first)
})

testOnEachDatabase('what a killed panel had begun is undone or finished by the next', async (config, t) => {
  if (!needsMariadb(t)) return
  const host = await mariadb()
  const clock = aheadClock()
  const world = await startWorld(config, { clock })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => world[Symbol.asyncDispose]())
  await withHost(world)
  const { acme, params } = world
  const names = ['begun', 'turning', 'going', 'kept']
  for (const database of names) await acme.createDatabase({ params, body: { database } })
  const kept = await acme.databasePassword({ params: { ...params, database: 'kept' } })
  // The rows as a panel leaves them that is killed in the middle; on PostgreSQL others must wait until its time is over.
  const sealer = await openSealer(join(world.folder, 'secrets.key'))
  const { kysely } = world.database
  const next = newDatabasePassword()
  const mark = (name: string, change: Partial<DatabaseRow>) =>
    kysely
      .updateTable('databases')
      .set({ ...change, busy_until: clock.now() + 90_000 })
      .where('name', '=', name)
      .execute()
  const turning = await kysely
    .selectFrom('databases')
    .selectAll()
    .where('name', '=', 'turning')
    .executeTakeFirstOrThrow()
  await mark('begun', { state: 'creating', host: null, port: null })
  await mark('turning', { state: 'rotating', next_password: sealer.seal(next, `databases/${turning.id}`) })
  await mark('going', { state: 'deleting' })
  clock.advance(10_000)
  await nudge(world)
  assert.equal((await host.ours()).length, 8, 'what somebody else works on is left alone')
  await assert.rejects(acme.deleteDatabase({ params: { ...params, database: 'turning' } }), { status: 409 })

  clock.advance(90_000)
  await nudge(world)
  await eventually(async () => (await host.ours()).length === 4, 'undone and finished')
  const left = await eventually(async () => {
    const rows = await acme.databases({ params })
    return rows.length === 2 && rows.every(({ state }) => state === 'ready') ? rows : null
  }, 'only two are left')
  assert.deepEqual(left.map(({ name }) => name).sort(), ['kept', 'turning'])
  const password = await acme.databasePassword({ params: { ...params, database: 'turning' } })
  assert.equal(password.password, next.reveal())
  assert.deepEqual(await acme.databasePassword({ params: { ...params, database: 'kept' } }), kept)
  for (const row of left) {
    const { password: secret } = await acme.databasePassword({ params: { ...params, database: row.id } })
    await admitted({ ...row, password: secret })
  }
  await acme.deleteServer({ params })
  await eventually(async () => (await host.ours()).length === 0, 'clean')
})

testOnPostgres('two panels that find the same work unfinished do it once', async (config, t) => {
  if (!needsMariadb(t)) return
  const host = await mariadb()
  await using world = await startWorld(config)
  // Panels of one database share the key of its passwords.
  await using second = await startPanelWorld(config, { folder: world.folder })
  const there = second.client(world.key)
  await withHost(world)
  const { acme, params } = world
  for (const database of ['one', 'two', 'three']) await acme.createDatabase({ params, body: { database } })
  const { kysely } = world.database
  const mark = (name: string, change: Partial<DatabaseRow>) =>
    kysely.updateTable('databases').set(change).where('name', '=', name).execute()
  await mark('one', { state: 'creating', host: null, port: null })
  await mark('two', { state: 'deleting' })
  await Promise.all([nudge(world), nudge({ acme: there, params })])
  await eventually(async () => (await host.ours()).length === 2, 'only the third is left')
  const [left, ...others] = await there.databases({ params })
  assert.ok(left && others.length === 0)
  const three = { ...params, database: 'three' }
  const rotations = await Promise.allSettled(
    [acme, there].map((panel) => panel.rotateDatabasePassword({ params: three })),
  )
  const rotated = rotations.flatMap((one) => (one.status === 'fulfilled' ? [one.value.newPassword] : []))
  const { password } = await there.databasePassword({ params: three })
  assert.ok(rotated.includes(password))
  await admitted({ ...left, password })
  await acme.deleteServer({ params })
  await eventually(async () => (await host.ours()).length === 0, 'clean')
})

describe('on SQLite', () => {
  const clock = aheadClock()
  const withWorld = (
    name: string,
    body: (world: World, t: TestContext) => Promise<void>,
    options: () => PanelWorldOptions = () => ({}),
  ) =>
    test(name, async (t) => {
      if (!needsMariadb(t)) return
      const folder = await mkdtemp(join(tmpdir(), 'pharos-db-'))
      t.after(() => rm(folder, { recursive: true, force: true }))
      await using world = await startWorld({ kind: 'sqlite', file: join(folder, 'panel.db') }, options())
      await body(world, t)
    })

  withWorld(
    'a host that dies while it is used leaves nothing behind, and loses nothing',
    async (world) => {
      const host = await mariadb()
      await withHost(world)
      const { acme, params, serverId } = world
      const made = await acme.createDatabase({ params, body: { database: 'shop' } })
      const shop = { serverId, database: 'shop' }
      await host.down()
      await assert.rejects(acme.createDatabase({ params, body: { database: 'other' } }), /eu-1 does not answer/)
      await assert.rejects(acme.rotateDatabasePassword({ params: shop }), /eu-1 does not answer.*takes effect/)
      assert.equal((await acme.databases({ params }))[0]?.sizeBytes, null)
      await host.up()
      await admitted(made)
      clock.advance(31_000)
      await nudge(world)
      await eventually(async () => (await acme.databases({ params }))[0]?.state === 'ready', 'rotated')
      await refused(made)
      const { password } = await acme.databasePassword({ params: shop })
      await admitted({ ...made, password })

      await host.down()
      assert.match((await acme.deleteDatabase({ params: shop })).message, /initiated/)
      await host.up()
      clock.advance(31_000)
      await nudge(world)
      await eventually(async () => (await host.ours()).length === 0, 'deleted')
      await eventually(async () => (await acme.databases({ params })).length === 0, 'forgotten')
    },
    () => ({ clock }),
  )

  withWorld(
    'a connection that is cut at any statement leaves row and database server agreed',
    async (world) => {
      const host = await mariadb()
      await using proxy = await CuttingProxy.open(host.port)
      const { acme, params } = world
      const { user: username, password: secret } = host
      await acme.createDatabaseHost({
        body: { name: 'cut', host: '127.0.0.1', port: proxy.port, username, password: secret },
      })
      const shop = { ...params, database: 'shop' }
      const listed = () => acme.databases({ params })
      const later = async () => {
        clock.advance(31_000)
        await nudge(world)
      }
      for (const when of ['before', 'after'] as const) {
        for (const at of ['create database', 'create user', 'grant ']) {
          proxy.cut = { at, when }
          await assert.rejects(acme.createDatabase({ params, body: { database: 'shop' } }), /does not answer/, at)
          assert.deepEqual([await host.ours(), await listed()], [[], []], `${when} ${at}`)
        }
        const made = await acme.createDatabase({ params, body: { database: 'shop' } })
        for (const at of ['alter user', 'processlist']) {
          proxy.cut = { at, when }
          await assert.rejects(acme.rotateDatabasePassword({ params: shop }), /takes effect as soon as/, at)
          await later()
          await eventually(async () => (await listed())[0]?.state === 'ready', `${when} ${at}`)
          const { password } = await acme.databasePassword({ params: shop })
          await refused(made)
          await admitted({ ...made, password })
        }
        for (const at of ['drop user', 'processlist', 'drop database']) {
          proxy.cut = { at, when }
          assert.match((await acme.deleteDatabase({ params: shop })).message, /initiated/, `${when} ${at}`)
          assert.equal(proxy.cut, null)
          await later()
          await eventually(async () => (await listed()).length === 0, `${when} ${at}`)
          assert.deepEqual(await host.ours(), [])
          if (at !== 'drop database') await acme.createDatabase({ params, body: { database: 'shop' } })
        }
      }
    },
    () => ({ clock }),
  )

  withWorld('a grant opens no neighbour whose name fits it as a pattern', async (world) => {
    await withHost(world)
    const { acme, params, serverId } = world
    const first = await acme.createDatabase({ params, body: { database: 'a_b' } })
    await acme.createDatabase({ params, body: { database: 'axb' } })
    await assert.rejects(logIn({ ...first, database: `s${serverId}_axb` }), { code: 'ER_DBACCESS_DENIED_ERROR' })
    await assert.rejects(logIn({ ...first, database: 'mysql' }), { code: 'ER_DBACCESS_DENIED_ERROR' })
    await acme.deleteServer({ params })
    await eventually(async () => (await (await mariadb()).ours()).length === 0, 'clean')
  })

  withWorld('the remote is kept to, and a hostile one or a hostile name touches nothing', async (world) => {
    const host = await mariadb()
    await withHost(world)
    const { acme, params } = world
    const far = await acme.createDatabase({ params, body: { database: 'far', remote: '203.0.113.%' } })
    await assert.rejects(logIn(far), { code: /ER_ACCESS_DENIED_ERROR|ER_HOST_NOT_PRIVILEGED/ })
    await admitted(await acme.createDatabase({ params, body: { database: 'near', remote: '127.0.0.1' } }))
    const before = await host.ours()
    const bodies: { database: string; remote?: string }[] = [
      ...['a`; drop database mysql; -- ', '../x', 'mysql.user', 'a b', '', 'x'.repeat(49), 'db_0123456789abcdef'].map(
        (database) => ({ database }),
      ),
      ...["%' identified by 'x", "'; drop user root; -- ", '\\', '', '%'.repeat(61)].map((remote) => ({
        database: 'fine',
        remote,
      })),
    ]
    for (const body of bodies)
      await assert.rejects(acme.createDatabase({ params, body }), { status: 400 }, JSON.stringify(body))
    for (const database of ["a'b", '%', 'mysql', '..%2f', 'x'.repeat(64)])
      await assert.rejects(acme.deleteDatabase({ params: { ...params, database } }), { status: 404 })
    assert.deepEqual(await host.ours(), before)
    await acme.deleteServer({ params })
    await eventually(async () => (await host.ours()).length === 0, 'clean')
  })

  withWorld('a database is found under its own server alone, and each act needs its own permission', async (world) => {
    const { acme, params } = world
    const made = await acme.createDatabase({ params, body: { database: 'shop' } })
    const other = await world.newServer('Other')
    for (const database of [made.databaseId, 'shop', made.database]) {
      const there = { serverId: other, database }
      await assert.rejects(acme.databasePassword({ params: there }), { status: 404 })
      await assert.rejects(acme.rotateDatabasePassword({ params: there }), { status: 404 })
      await assert.rejects(acme.deleteDatabase({ params: there }), { status: 404 })
    }
    const { key } = await addMember(world, 'bob@example.com')
    const bob = world.client(key)
    const shop = { ...params, database: 'shop' }
    const acts = {
      'databases.read': () => bob.databases({ params }),
      'databases.password': () => bob.databasePassword({ params: shop }),
      'databases.rotate': () => bob.rotateDatabasePassword({ params: shop }),
      'databases.create': () => bob.createDatabase({ params, body: { database: 'bobs' } }),
      'databases.delete': () => bob.deleteDatabase({ params: shop }),
    } as const
    const names = Object.keys(acts) as (keyof typeof acts)[]
    await assert.rejects(acts['databases.read'](), { status: 404 })
    const { userId } = await acme.createSubuser({ params, body: { userEmail: 'bob@example.com', permissions: [] } })
    for (const name of names) {
      await acme.updateSubuser({ params: { ...params, subuser: userId }, body: { permissions: [name] } })
      for (const one of names.filter((candidate) => candidate !== name))
        await assert.rejects(acts[one](), { status: 403 }, `${one} with ${name}`)
      await acts[name]()
    }
    assert.ok(!JSON.stringify(await acme.databases({ params })).includes(made.password))
  })

  withWorld('on a node: says which remote cannot work, and refuses a name that is there already', async (world) => {
    const { acme, params, node, serverId } = world
    const made = await acme.createDatabase({ params, body: { database: 'shop' } })
    assert.deepEqual([made.host, made.port, made.remote, made.note], ['127.0.0.1', 23_306, '127.0.0.1', null])
    const odd = await acme.createDatabase({ params, body: { database: 'odd', remote: 'example_remote' } })
    assert.match(odd.note ?? '', /no game can log in/)
    node.databases.set(`s${serverId}_stranger`, 'somebody else made it')
    await assert.rejects(acme.createDatabase({ params, body: { database: 'stranger' } }), /did not make/)
    assert.equal(node.databases.get(`s${serverId}_stranger`), 'somebody else made it')
    await node.leave()
    await assert.rejects(acme.createDatabase({ params, body: { database: 'away' } }), /Node machine is away/)
    assert.equal((await acme.databases({ params })).length, 2)
  })

  withWorld('hosts are tried out, kept with their password sealed, and removed only when empty', async (world) => {
    const { acme, params } = world
    const { port, user, password } = await mariadb()
    const good = { name: 'eu-1', host: '127.0.0.1', port, username: user, password }
    const wrong: [Partial<typeof good> & { tls?: boolean }, RegExp][] = [
      [{ password: 'wrong' }, /eu-1 refuses its administrator's name or password/],
      [{ port: 1 }, /eu-1 does not answer \(ECONNREFUSED\)/],
      [{ tls: true }, /eu-1 does not speak TLS/],
    ]
    for (const [change, reason] of wrong)
      await assert.rejects(acme.createDatabaseHost({ body: { ...good, ...change } }), (error: Error) => {
        assert.match(error.message, reason)
        assert.ok(!error.message.includes(password))
        return true
      })
    for (const host of ['', 'a b', "x'y", 'http://x', '/run/sock'])
      await assert.rejects(acme.createDatabaseHost({ body: { ...good, host } }), { status: 400 })
    const host = await acme.createDatabaseHost({ body: good })
    assert.ok(!JSON.stringify([host, await acme.databaseHosts()]).includes('password'))
    await assert.rejects(acme.createDatabaseHost({ body: { ...good, name: 'eu-2' } }), /already a database host/)
    const at = { host: host.id }
    assert.equal((await acme.testDatabaseHost({ params: at })).ok, true)
    await acme.createDatabase({ params, body: { database: 'shop' } })
    assert.equal((await acme.databaseHosts()).hosts[0]?.databases, 1)
    await assert.rejects(acme.deleteDatabaseHost({ params: at }), /still has a database/)
    await assert.rejects(acme.updateDatabaseHost({ params: at, body: { port: 1 } }), /register the new address/)
    await assert.rejects(acme.updateDatabaseHost({ params: at, body: { password: 'wrong' } }), /refuses/)
    assert.equal((await acme.updateDatabaseHost({ params: at, body: { capacity: 1 } })).capacity, 1)
    await assert.rejects(acme.createDatabase({ params, body: { database: 'more' } }), /Every database host is full/)
    await acme.deleteDatabase({ params: { ...params, database: 'shop' } })
    assert.deepEqual(await acme.deleteDatabaseHost({ params: at }), { id: host.id, removed: true })
    await assert.rejects(acme.testDatabaseHost({ params: at }), { status: 404 })
  })

  const said: string[] = []
  withWorld(
    'no password is in a log, in the database or in a file of the panel',
    async (world) => {
      const host = await mariadb()
      await withHost(world)
      const { acme, params, folder } = world
      const shop = { ...params, database: 'shop' }
      const secrets = [host.password, (await acme.createDatabase({ params, body: { database: 'shop' } })).password]
      secrets.push((await acme.rotateDatabasePassword({ params: shop })).newPassword)
      // Statements that fail are where drivers tell all: a taken account name makes one fail.
      const { username } = (await acme.databases({ params }))[0] ?? {}
      await host.query(`drop user '${username}'@'%'`)
      await assert.rejects(acme.rotateDatabasePassword({ params: shop }), /eu-1 failed \(ER_CANNOT_USER\)/)
      clock.advance(31_000)
      await acme.deleteServer({ params })
      await eventually(async () => (await host.ours()).length === 0, 'clean')
      const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((file) => file.isFile())
      for (const file of files) {
        const content = await readFile(join(file.parentPath, file.name))
        for (const secret of secrets) assert.ok(!content.includes(secret), file.name)
      }
      assert.ok(said.some((line) => line.includes('ER_CANNOT_USER')))
      for (const secret of secrets) assert.ok(!said.join('\n').includes(secret))
      assert.equal((await stat(join(folder, 'secrets.key'))).mode & 0o777, 0o600)
    },
    () => ({ clock, log: pino({ level: 'debug' }, { write: (line: string) => void said.push(line) }) }),
  )
})
