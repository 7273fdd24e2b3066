import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { type Connection, createConnection } from 'mysql2/promise'
import { needsMariadb } from '../../../test/mariadb.ts'
import { patienceMs } from '../../../test/patience.ts'
import { reservePorts } from '../../../test/ports.ts'
import { AppError } from '../../contract/errors.ts'
import { randomText } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'
import { type CopyItem, DatabaseSummer, type GameDatabase, newDatabasePassword } from '../../mysql/index.ts'
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

/** Everything that a game may have made in its database. */
const richDatabase = [
  'create sequence tickets start with 5 cache 10',
  'do nextval(tickets)',
  `create table players (id int auto_increment primary key, name varchar(50) not null, rank enum('a','ö') default 'a',
    flags set('x','y'), born date, seen timestamp null, at datetime(6), waited time, since year, balance decimal(20,5),
    speed float, distance double, bits bit(9), mark uuid, home inet6, facts json, raw blob, shape point,
    ticket int default nextval(tickets), loud varchar(60) as (upper(name)) virtual, quiet varchar(60) as (lower(name)) stored) default charset=utf8mb4`,
  `create table friends (a int not null, b int, foreign key (b) references players (id) on delete cascade)`,
  'create table old (word varchar(20), key (word)) engine=MyISAM default charset=latin1',
  'create table `odd ``;\n-- name` (`a b` int)',
  'create table log (line varchar(200)) default charset=utf8mb4',
  'create view a_view as select name from players where id > 0',
  'create view z_view as select * from a_view',
  'create or replace view a_view as select name, balance from players',
  'create view b_view as select name from z_view',
  "create procedure greet(in who varchar(50)) begin declare said varchar(200) default concat('; ;; \\\\! ', who); insert into log values (said); end",
  'create function twice(n int) returns int deterministic return n * 2',
  "create trigger noted after insert on players for each row insert into log values (concat('new ', new.name))",
  'create event nightly on schedule every 1 day disable do delete from log',
]

async function fill(game: Connection): Promise<void> {
  for (const sql of richDatabase) await game.query(sql)
  await game.query(
    `insert into players (id, name, rank, flags, born, seen, at, waited, since, balance, speed, distance, bits, mark, home, facts, raw, shape)
      values (1, ?, 'ö', 'x,y', '2020-02-29', '2021-03-28 01:30:00', '2022-01-02 03:04:05.678901', '-12:34:56', 1999, -12.34567,
        0.1, 1.7976931348623157e308, b'101010101', uuid(), '2001:db8::1', '{"k": "v\\\\n"}', ?, point(1.5, -2))`,
    ["O'Br\\ien\n\0 😀 `;", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  )
  await game.query("set sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
  await game.query("insert into players (id, name) values (0, 'zero'), (900, '')")
  await game.query('delete from players where id = 900')
  await game.query('insert into friends values (0, 1), (1, null)')
  await game.query("insert into old values ('Müßig'), (null), ('')")
  await game.query('insert into `odd ``;\n-- name` values (1), (null)')
  await game.query("insert into log select concat('line ', seq) from seq_1_to_20000")
}

const sumOf = async (databases: Databases, database: string) => {
  const summer = new DatabaseSummer()
  const items: CopyItem[] = []
  for await (const item of databases.read(database, summer)) items.push(item)
  return { sum: summer.end(), items }
}

test('a database is made again elsewhere with everything that is in it, with the rights of its account alone', async (t) => {
  if (!needsMariadb(t)) return
  const [source, target] = [await openWorld(t), await openWorld(t)]
  const password = newDatabasePassword()
  const shop = named('shop')
  const from = await source.databases.create(shop, password)
  const game = await logIn(from.port, shop, password)
  await game.query(`alter database ${shop.database} character set latin1 collate latin1_german2_ci`)
  await fill(game)
  assert.equal(await source.databases.connections('1a7ce997'), 1)
  await game.end()
  const { sum, items } = await sumOf(source.databases, shop.database)
  // Two players, two friends, three words, two odd rows, one sequence, and the log with what the trigger wrote.
  assert.equal(sum.rows, 2 + 2 + 3 + 2 + 1 + 20_003)
  assert.ok(items.length > 20)

  // From where nobody can log in to it. MariaDB runs for as long as there is one.
  const distant = named('distant', '203.0.113.9')
  await target.databases.create(distant, password)
  const to = await target.databases.create(shop, password)
  const { signal } = new AbortController()
  const write = (given: readonly unknown[]) =>
    target.databases.write(shop, password, Readable.from(given) as AsyncIterable<CopyItem>, signal)
  for (const [given, refusal] of [
    [items.slice(0, -1), /Only a part/],
    [[...items.slice(-1), ...items.slice(0, 1)], /after its end/],
    [[{ kind: 'statement', sql: 'create database other', as: null }], /may not do this|DENIED/],
    [
      [
        {
          kind: 'statement',
          sql: `create definer=root@localhost procedure p() sql security definer select 1`,
          as: null,
        },
      ],
      /may not do this|failed/,
    ],
    [
      [{ kind: 'view', name: 'v', sql: 'create view v as select * from nothing', as: null }, { kind: 'end' }],
      /View v cannot be made/,
    ],
  ] as const) {
    await assert.rejects(write(given), refusal)
    await target.databases.drop(shop)
    await target.databases.create(shop, password)
  }
  await write(items)
  assert.deepEqual((await sumOf(target.databases, shop.database)).sum, sum)

  const there = await logIn(to.port, shop, password)
  const one = async (sql: string) => Object.values(((await there.query(sql))[0] as Record<string, unknown>[])[0] ?? {})
  assert.deepEqual(await one('select word from old where word like "M%"'), ['Müßig'])
  assert.deepEqual(await one('select hex(word) from old where word like "M%"'), ['4DFCDF6967'])
  assert.deepEqual(await one('select name, loud from b_view join players using (name) where id = 0'), ['zero', 'ZERO'])
  assert.deepEqual(await one('select cast(speed as double), bits + 0, home, st_x(shape) from players where id = 1'), [
    0.10000000149011612,
    341,
    '2001:db8::1',
    1.5,
  ])
  await there.query("insert into players (name) values ('next')")
  assert.deepEqual(await one('select max(id) from players'), [901])
  await there.query("call greet('you')")
  assert.deepEqual(
    await one('select count(*), twice(21) from log where line in ("new next", "; ;; \\\\! you")'),
    [2, 42],
  )
  assert.deepEqual(
    await one('select default_collation_name from information_schema.schemata where schema_name = database()'),
    ['latin1_german2_ci'],
  )
  await assert.rejects(there.query('insert into friends values (1, 77)'), { code: 'ER_NO_REFERENCED_ROW_2' })
  await there.end()
  assert.notDeepEqual((await sumOf(target.databases, shop.database)).sum, sum)

  const history = named('history')
  await target.databases.create(history, password)
  const keeper = await logIn(to.port, history, password)
  await keeper.query('create table t (a int) with system versioning')
  await keeper.end()
  await assert.rejects(sumOf(target.databases, history.database), /t keeps a history/)
  const { items: nothing } = await sumOf(target.databases, distant.database)
  await target.databases.write(distant, password, Readable.from(nothing) as AsyncIterable<CopyItem>, signal)

  await target.databases.dropAllOf('0'.repeat(8))
  assert.equal(await target.databases.has(distant.database), true)
  await target.databases.dropAllOf('1a7ce997')
  assert.deepEqual(await pidsOf(`--port=${to.port}`), [])
  await source.databases.dropAllOf('1a7ce997')
  await source.databases.dropAllOf('1a7ce997')
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
