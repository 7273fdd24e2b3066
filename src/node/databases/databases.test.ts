import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createConnection } from 'mysql2/promise'
import { needsMariadb } from '../../../test/mariadb.ts'
import { patienceMs } from '../../../test/patience.ts'
import { reservePorts } from '../../../test/ports.ts'
import { AppError } from '../../contract/errors.ts'
import { randomText } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'
import { type GameDatabase, newDatabasePassword } from '../../mysql/index.ts'
import { createDebianPackages, type DebianPackages } from '../install/debian.ts'
import { listProcesses, sendSignal } from '../runtime/proc.ts'
import { openTestRuntime } from '../testing/world.ts'
import { type Databases, openDatabases } from './databases.ts'

/** The databases of a node in a folder of its own, on a real MariaDB. */
async function openWorld(t: TestContext, { depth = 0, runtime: kind = 'sandbox' as 'sandbox' | 'process' } = {}) {
  const base = await mkdtemp(join(tmpdir(), 'pharos-mariadb-'))
  const dataDir = join(base, ...Array.from({ length: depth }, () => 'a-folder-with-a-rather-long-name'))
  await mkdir(dataDir, { recursive: true })
  // Without a sandbox the user of MariaDB must reach its folder.
  await chmod(base, 0o711)
  const runtime = await openTestRuntime(dataDir, { runtime: kind })
  const folder = join(dataDir, 'servers', 'mariadb')
  // Its own: one that is given up must not go to the MariaDB of another test.
  const ports = await reservePorts(3)
  const open = (): Promise<Databases> =>
    openDatabases({
      dataDir,
      runtime,
      debian: createDebianPackages(),
      log: silentLog,
      ports,
      startWaitMs: patienceMs,
    })
  const world = {
    dataDir,
    folder,
    ports,
    databases: await open(),
    async reopen() {
      await world.databases[Symbol.asyncDispose]()
      world.databases = await open()
    },
    /** Kills MariaDB as a crash does. */
    async kill() {
      const { port } = await world.record()
      const pid = (await pidsOf(`--port=${port}`))[0]
      assert.ok(pid)
      sendSignal(pid, 'SIGKILL')
    },
    record: async (): Promise<{ port: number; wanted: boolean; password: string }> =>
      JSON.parse(await readFile(join(dataDir, 'mariadb.json'), 'utf8')),
  }
  t.after(async () => {
    await world.databases[Symbol.asyncDispose]()
    await runtime.sweep(folder)
    await runtime[Symbol.asyncDispose]()
    await rm(base, { recursive: true, force: true })
  })
  return world
}

async function pidsOf(argument: string): Promise<number[]> {
  const found: number[] = []
  for (const { pid } of await listProcesses()) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    if (words[0] === 'mariadbd' && words.includes(argument)) found.push(pid)
  }
  return found
}

const server = 's1a7ce997'
const named = (name: string, remote = '127.0.0.1'): GameDatabase => ({
  database: `${server}_${name}`,
  user: `${server}_${randomText(12)}`,
  remote,
})

/** Logs in as a game does. */
const logIn = (port: number, { database, user }: GameDatabase, password: Secret) =>
  createConnection({ host: '127.0.0.1', port, user, password: password.reveal(), database })

async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  const until = performance.now() + patienceMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (performance.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

test('a game logs in with what it was given, gets its own database and no other, and everything goes with the last one', async (t) => {
  if (!needsMariadb(t)) return
  const { databases, record, folder } = await openWorld(t)
  assert.equal(await databases.has(`${server}_shop`), false)
  await databases.drop(named('never_there'))
  const password = newDatabasePassword()
  const shop = named('a_b', 'localhost')
  const { host, port } = await databases.create(shop, password)
  assert.equal(host, '127.0.0.1')
  assert.equal(await databases.has(shop.database), true)
  // The underscore of the first name would match this one, were it a pattern.
  const neighbour = named('axb')
  await databases.create(neighbour, newDatabasePassword())

  const game = await logIn(port, shop, password)
  await game.query('create table players (name varchar(50), score int)')
  await game.query("insert into players values ('ada', 7)")
  await game.query('create view best as select * from players')
  const [rows] = await game.query('select * from best')
  assert.deepEqual(rows, [{ name: 'ada', score: 7 }])
  const refused = [
    `use ${neighbour.database}`,
    `create table ${neighbour.database}.t (a int)`,
    'create database other',
    `create database ${server}_other`,
    'use mysql',
    "create user x identified by 'y'",
    `grant select on ${shop.database}.* to '${neighbour.user}'@'127.0.0.1'`,
    "select load_file('/etc/passwd')",
    "select 1 into outfile '/tmp/out'",
    'shutdown',
  ]
  for (const sql of refused) {
    const outcome = await game.query(sql).then(
      ([result]) => JSON.stringify(result),
      (error: { code: string }) => error.code,
    )
    assert.match(outcome, /DENIED|ER_CANT_CREATE_USER|:null/, `${sql}: ${outcome}`)
  }
  const [seen] = await game.query('show databases')
  assert.deepEqual((seen as { Database: string }[]).map((row) => row.Database).sort(), [
    'information_schema',
    shop.database,
  ])
  const sizes = await databases.sizes([shop.database, neighbour.database, `${server}_missing`])
  assert.deepEqual([...sizes.keys()].sort(), [shop.database, neighbour.database])
  assert.ok((sizes.get(shop.database) ?? 0) > 0)

  const lost = new Promise((resolve) => game.once('error', resolve))
  await databases.drop(shop)
  await lost
  await databases.drop(shop)
  await assert.rejects(logIn(port, shop, password), { code: 'ER_ACCESS_DENIED_ERROR' })
  assert.ok((await pidsOf(`--port=${port}`)).length > 0)
  await databases.drop(neighbour)
  assert.deepEqual(await pidsOf(`--port=${port}`), [])
  assert.equal((await record()).wanted, false)
  assert.equal((await databases.sizes([shop.database])).size, 0)

  const again = await databases.create(shop, password)
  assert.equal(again.port, port)
  await (await logIn(port, shop, password)).end()
  assert.equal((await stat(join(folder, '..', '..', 'mariadb.json'))).mode & 0o777, 0o600)
  await databases.drop(shop)
})

test('nobody gets in as its administrator, not even while it starts for the first time', async (t) => {
  if (!needsMariadb(t)) return
  const { databases, record, dataDir } = await openWorld(t)
  let trying = true
  const admitted: string[] = []
  const knock = async (): Promise<void> => {
    while (trying) {
      const port = (await record().catch(() => null))?.port
      if (port) {
        for (const user of ['root', '', 'mariadb.sys', 'mysql'])
          await createConnection({ host: '127.0.0.1', port, user, password: '', connectTimeout: 500 }).then(
            async (connection) => {
              admitted.push(user)
              await connection.end()
            },
            () => undefined,
          )
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  const knocking = knock()
  const { port } = await databases.create(named('shop'), newDatabasePassword())
  trying = false
  await knocking
  assert.deepEqual(admitted, [])
  const { password } = await record()
  await assert.rejects(createConnection({ host: '127.0.0.1', port, user: 'root', password }))
  assert.ok(!(await readFile(join(dataDir, 'servers', 'mariadb', 'console.log'), 'utf8')).includes(password))
  for (const pid of await pidsOf(`--port=${port}`))
    assert.ok(!(await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(password))
})

for (const runtime of ['sandbox', 'process'] as const) {
  test(`databases outlive the node, a crash of MariaDB, and a restart of the machine (${runtime})`, async (t) => {
    if (!needsMariadb(t)) return
    // Deep enough that the path of the socket has more than the 107 bytes that a socket can be named by.
    const world = await openWorld(t, { depth: 3, runtime })
    const password = newDatabasePassword()
    const shop = named('shop')
    const { port } = await world.databases.create(shop, password)
    const game = await logIn(port, shop, password)
    await game.query('create table t (a int)')
    await game.query('insert into t values (42)')

    await world.reopen()
    await game.query('insert into t values (43)')
    assert.equal(await world.databases.has(shop.database), true)

    const lost = new Promise((resolve) => game.once('error', resolve))
    await world.kill()
    await lost
    const back = await eventually(() => logIn(port, shop, password))
    assert.deepEqual((await back.query('select a from t order by a'))[0], [{ a: 42 }, { a: 43 }])
    await back.end()

    // It ends while the node is away, as with a restart of the machine.
    await world.databases[Symbol.asyncDispose]()
    await world.kill()
    await world.reopen()
    await (await eventually(() => logIn(port, shop, password))).end()
    await world.databases.drop(shop)
  })
}

test('a node killed at any moment of its first database is no obstacle to the next', async (t) => {
  if (!needsMariadb(t)) return
  const world = await openWorld(t)
  const { dataDir, folder, ports, record } = world
  const exists = (path: string) => stat(path).then(() => undefined)
  const moments: (() => Promise<void>)[] = [
    () => exists(join(folder, 'data', 'db')),
    async () => assert.match(await readFile(join(dataDir, 'mariadb.json'), 'utf8'), /"initialised":true/),
    async () => assert.ok((await pidsOf(`--port=${(await record()).port}`)).length > 0),
  ]
  const child = join(import.meta.dirname, '..', 'testing', 'child-mariadb.ts')
  for (const come of moments) {
    const running = spawn(process.execPath, [child, dataDir, `${server}_first`, JSON.stringify(ports)], {
      stdio: 'ignore',
    })
    const ended = once(running, 'exit')
    await eventually(come)
    running.kill('SIGKILL')
    await ended
  }
  await world.reopen()
  const next = world.databases
  // As the panel does with what it does not know to be made.
  await next.drop({ ...named('first'), user: `${server}_abcdefghijkl` })
  const password = newDatabasePassword()
  const first = named('first')
  const { port } = await next.create(first, password)
  await (await logIn(port, first, password)).end()
  assert.equal((await pidsOf(`--port=${port}`)).length, 1)
})

test('says which package to install where it may not, and how far it is where it may', async (t) => {
  const base = await mkdtemp(join(tmpdir(), 'pharos-mariadb-'))
  t.after(() => rm(base, { recursive: true, force: true }))
  const runtime = await openTestRuntime(base, {})
  t.after(() => runtime[Symbol.asyncDispose]())
  const failing: DebianPackages = {
    ensure: async (names) => {
      throw new AppError('conflict', `apt could not install ${names.join(', ')}`)
    },
  }
  const open = (isRoot: boolean) =>
    openDatabases({ dataDir: base, runtime, debian: failing, log: silentLog, isRoot, programFolders: [base] })
  const create = (databases: Databases) => databases.create(named('shop'), newDatabasePassword())
  {
    await using databases = await open(false)
    await assert.rejects(create(databases), {
      code: 'conflict',
      message: /have root run "apt-get install --no-install-recommends mariadb-server-core mariadb-client-core"/,
    })
    await databases.drop(named('shop'))
  }
  await using databases = await open(true)
  await assert.rejects(create(databases), {
    code: 'conflict',
    message: /could not be installed on this node: run "apt/,
  })
})

test('on a running MariaDB', async (t) => {
  if (!needsMariadb(t)) return
  const { databases } = await openWorld(t)

  await t.test('a new password replaces the old one at once, also for connections that are open', async () => {
    const [before, after] = [newDatabasePassword(), newDatabasePassword()]
    const shop = named('shop')
    const { port } = await databases.create(shop, before)
    const game = await logIn(port, shop, before)
    const lost = new Promise((resolve) => game.once('error', resolve))
    await databases.setPassword(shop, after)
    await lost
    await assert.rejects(game.query('select 1'))
    await assert.rejects(logIn(port, shop, before), { code: 'ER_ACCESS_DENIED_ERROR' })
    await (await logIn(port, shop, after)).end()
  })

  await t.test('the remote of an account is obeyed', async () => {
    const password = newDatabasePassword()
    const far = named('far', '203.0.113.%')
    const { port } = await databases.create(far, password)
    await assert.rejects(logIn(port, far, password), { code: /ER_ACCESS_DENIED_ERROR|ER_HOST_NOT_PRIVILEGED/ })
    for (const [name, remote] of [
      ['any', '%'],
      ['part', '127.%'],
      ['net', '127.0.0.0/255.0.0.0'],
    ] as const) {
      const near = named(name, remote)
      await databases.create(near, password)
      await (await logIn(port, near, password)).end()
    }
  })

  await t.test('broken handshakes from one game do not lock out the others', async () => {
    const password = newDatabasePassword()
    const shop = named('knocked')
    const { port } = await databases.create(shop, password)
    for (let knock = 0; knock < 200; knock += 1)
      await new Promise<void>((resolve) => {
        const socket = connect({ host: '127.0.0.1', port })
        socket.once('data', () => socket.end('no handshake'))
        socket.once('close', () => resolve())
        socket.once('error', () => resolve())
      })
    await (await logIn(port, shop, password)).end()
  })

  await t.test('names that are not of our making never become SQL', async () => {
    const password = newDatabasePassword()
    const good = named('kept')
    await databases.create(good, password)
    const hostile: Partial<GameDatabase>[] = [
      { database: 'mysql' },
      { database: `${server}_a\`; drop database mysql; -- ` },
      { database: `${server}_${'x'.repeat(60)}` },
      { user: 'root' },
      { user: `${server}_abc'@'%` },
      { remote: "%' identified by 'x" },
      { remote: '%\\' },
      { remote: '' },
    ]
    for (const part of hostile) {
      const what = { ...named('other'), ...part }
      await assert.rejects(databases.create(what, password))
      await assert.rejects(databases.drop(what))
    }
    assert.equal(await databases.has(good.database), true)
    assert.equal(await databases.has('mysql'), true)
  })
})
