import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { access, chmod, lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { runCli } from '../../src/cli/cli.ts'
import { type TransferStage, transferStages } from '../../src/contract/transfer-stages.ts'
import { testOnPostgres } from '../databases.ts'
import { startAnyEngine } from '../engines.ts'
import { needsMariadb } from '../mariadb.ts'
import { needsRestic } from '../restic.ts'
import { type FleetNode, startFleet } from '../world/fleet.ts'
import { until } from '../world/servers-world.ts'

/** Four processes share the machine with this one: asking less often leaves them more of it. */
const eventually = <T>(look: () => T | Promise<T>, what: string) => until(what, look, { everyMs: 50 })

type Fleet = Awaited<ReturnType<typeof startFleet>>

let containers: Awaited<ReturnType<typeof startAnyEngine>>
let fleet: Fleet
before(async () => {
  containers = await startAnyEngine()
  fleet = await startFleet('engine' in containers ? { engine: containers.engine.socket } : {})
})
after(async () => {
  await fleet?.[Symbol.asyncDispose]()
  if (containers && 'engine' in containers) await containers.engine[Symbol.asyncDispose]()
})

const filesOf = (node: FleetNode, serverId: string): string => join(node.dataDir, 'servers', serverId, 'data')
const has = (node: FleetNode, serverId: string): Promise<boolean> =>
  access(join(node.dataDir, 'servers', serverId)).then(
    () => true,
    () => false,
  )

type NewServer = Parameters<Fleet['api']['createServer']>[0]['body']

async function makeServer(name: string, node: FleetNode, start: boolean, more: Partial<NewServer> = {}) {
  const made = await fleet.api.createServer({ body: { name, template: 'game', node: node.id, start, ...more } })
  const serverId = made.id.slice('servers/'.length)
  await eventually(async () => (await statusOf(serverId)) === (start ? 'running' : 'offline'), `${name} is ready`)
  return serverId
}

const show = (serverId: string) => fleet.api.server({ params: { serverId } })
const statusOf = async (serverId: string) => (await show(serverId)).status
const transferOf = async (serverId: string) => (await fleet.api.serverTransfer({ params: { serverId } })).transfer

/** Resolves once the transfer is in this stage, or further. */
const reaches = (serverId: string, stage: TransferStage) =>
  eventually(async () => {
    const now = await transferOf(serverId)
    return now && transferStages.indexOf(now.stage) >= transferStages.indexOf(stage) ? now : null
  }, `the transfer is ${stage}`)

type NewDatabase = Awaited<ReturnType<Fleet['api']['createDatabase']>>

/** Logs in as a game does, wherever the database is now. */
async function logIn(serverId: string, { database, username: user, password }: NewDatabase): Promise<Connection> {
  const there = (await fleet.api.databases({ params: { serverId } })).find((one) => one.database === database)
  return createConnection({ host: there?.host ?? '', port: there?.port ?? 0, user, password, database })
}

/** One with a table and a row in it. */
async function makeDatabase(serverId: string, word: string): Promise<NewDatabase> {
  const made = await fleet.api.createDatabase({ params: { serverId }, body: { database: 'shop' } })
  const game = await logIn(serverId, made)
  await game.query('create table words (word varchar(50))')
  await game.query('insert into words values (?)', [word])
  await game.end()
  return made
}

async function wordsIn(serverId: string, made: NewDatabase): Promise<string[]> {
  const game = await logIn(serverId, made)
  const [rows] = await game.query<RowDataPacket[]>('select word from words')
  await game.end()
  return rows.map(({ word }) => String(word))
}

const mariadbRuns = async ({ dataDir }: FleetNode): Promise<boolean> =>
  readFile(join(dataDir, 'mariadb.json'), 'utf8').then(
    (text) => JSON.parse(text).wanted === true,
    () => false,
  )

/** What a visitor of the edge reads. Empty while nobody is there. */
async function visit(address: string | null): Promise<string> {
  const [host, port] = (address ?? '').split(':')
  const socket = connect({ host: host ?? '', port: Number(port) })
  return text(socket).catch(() => '')
}

const ended = (serverId: string) =>
  eventually(async () => {
    const transfer = await transferOf(serverId)
    return transfer?.endedAt ? transfer : null
  }, 'the transfer has ended')

describe('a server that moves to another node', () => {
  test('takes its files, its console and its address along, runs there, and leaves nothing behind', async () => {
    const { api, one, two } = fleet
    const serverId = await makeServer('Mover', one, true)
    const params = { serverId }
    const data = filesOf(one, serverId)
    const { uid } = await lstat(data)
    await mkdir(join(data, 'world', 'deep'), { recursive: true })
    const content = randomBytes(300_000)
    await writeFile(join(data, 'world', 'level.dat'), content, { mode: 0o640 })
    await writeFile(join(data, 'name.txt'), 'Mover')
    await writeFile(Buffer.concat([Buffer.from(`${data}/`), Buffer.from([0xff, 0x41])]), 'no UTF-8')
    await symlink('level.dat', join(data, 'world', 'link'))
    await chmod(join(data, 'world', 'deep'), 0o711)
    const { address, allocations } = await show(serverId)
    await eventually(async () => (await visit(address)) === 'hello from Mover', 'visitors reach it')
    await api.consoleCommand({ params, body: { command: 'before' } })
    await eventually(
      async () => (await api.consoleLog({ params })).logs.includes('heard before'),
      'it has heard the command',
    )

    const begun = await api.transferServer({ params, body: {} })
    assert.deepEqual([begun.stage, begun.from.name, begun.to.name], ['waiting', 'one', 'two'])
    await assert.rejects(api.transferServer({ params, body: {} }), /is being moved already/)
    const { stage, percent, message } = await ended(serverId)
    assert.deepEqual([stage, percent, message], ['done', 100, null])
    await eventually(async () => (await statusOf(serverId)) === 'running', 'it runs there')
    const moved = await show(serverId)
    assert.deepEqual([moved.node.name, moved.address, moved.allocations.length], ['two', address, allocations.length])
    await eventually(async () => (await visit(address)) === 'hello from Mover', 'visitors reach it at the same address')

    const there = filesOf(two, serverId)
    assert.deepEqual(await readFile(join(there, 'world', 'level.dat')), content)
    assert.equal((await lstat(join(there, 'world', 'level.dat'))).mode & 0o777, 0o640)
    assert.equal(await readlink(join(there, 'world', 'link')), 'level.dat')
    assert.equal((await readFile(Buffer.concat([Buffer.from(`${there}/`), Buffer.from([0xff, 0x41])]))).length, 8)
    if (uid !== process.getuid?.()) assert.notEqual((await lstat(join(there, 'world'))).uid, process.getuid?.())
    const { logs } = await api.consoleLog({ params, query: { size: '1000' } })
    assert.ok(logs.indexOf('heard before') < logs.lastIndexOf('up'), logs.join('\n'))
    await eventually(async () => !(await has(one, serverId)), 'the source has nothing of it')
    assert.equal((await api.nodes()).nodes.find(({ name }) => name === 'two')?.servers, 1)
  })

  test('takes its databases along, whoever else uses them is told to stop, and a panel that is killed on the way is no loss', async (t) => {
    if (!needsMariadb(t)) return
    const { api, one, two } = fleet
    const serverId = await makeServer('Shopkeeper', one, false)
    const params = { serverId }
    const shop = await makeDatabase(serverId, 'before')
    const other = await logIn(serverId, shop)
    await api.transferServer({ params, body: { node: two.id } })
    for (const stage of ['copying', 'databases'] as const) {
      await reaches(serverId, stage)
      await fleet.killPanel()
      await fleet.startPanel()
      await eventually(fleet.online, 'both nodes are back')
    }
    await eventually(
      async () => /Something else on node one is using/.test((await transferOf(serverId))?.message ?? ''),
      'it is told that somebody uses a database',
    )
    await assert.rejects(api.createDatabase({ params, body: { database: 'more' } }), /moved to another node/)
    await assert.rejects(
      api.rotateDatabasePassword({ params: { ...params, database: shop.databaseId } }),
      /moved to another node/,
    )
    await assert.rejects(
      api.deleteDatabase({ params: { ...params, database: shop.databaseId } }),
      /moved to another node/,
    )
    await other.query("insert into words values ('late')")
    await other.end()
    const { stage, message } = await ended(serverId)
    assert.deepEqual([stage, message], ['done', null])
    assert.deepEqual(await wordsIn(serverId, shop), ['before', 'late'])
    await eventually(async () => !(await has(one, serverId)), 'the source has nothing of it')
    assert.deepEqual([await mariadbRuns(one), await mariadbRuns(two)], [false, true])
    const { password } = await api.databasePassword({ params: { ...params, database: shop.databaseId } })
    assert.equal(password, shop.password)

    // And back, but not to the end: it is cancelled while its database is copied.
    await api.transferServer({ params, body: { node: one.id } })
    await reaches(serverId, 'databases')
    // On a quick machine it may be too late for that.
    await api.cancelTransfer({ params }).catch(() => undefined)
    const way = (await ended(serverId)).stage
    const [left, kept] = way === 'cancelled' ? [one, two] : [two, one]
    await eventually(async () => !(await has(left, serverId)), 'the other one has nothing of it')
    await eventually(async () => !(await mariadbRuns(left)), 'and no database either')
    assert.equal((await show(serverId)).node.id, kept.id)
    assert.deepEqual(await wordsIn(serverId, shop), ['before', 'late'])
    await api.deleteDatabase({ params: { ...params, database: shop.databaseId } })
    await api.deleteServer({ params })
  })

  test('is followed by its backups, archives and incremental ones, which are restored where it is now', async (t) => {
    const { api, one, two } = fleet
    const serverId = await makeServer('Saver', one, false)
    const params = { serverId }
    const note = (node: FleetNode): string => join(filesOf(node, serverId), 'note.txt')
    const backsUp = async (format: 'zstd' | 'restic', content: string): Promise<string> => {
      await writeFile(note((await show(serverId)).node.id === one.id ? one : two), content)
      const { backupId } = await api.createBackup({ params, body: { name: content, format } })
      await eventually(
        async () => (await api.backup({ params: { ...params, backup: backupId } })).state === 'ready',
        `the backup ${content} is ready`,
      )
      return backupId
    }
    const kept = (node: FleetNode): Promise<string[]> =>
      readdir(join(node.dataDir, 'backups', serverId)).catch(() => [])
    const plain = await backsUp('zstd', 'plain')
    const incremental = needsRestic(t)
    const snapshots = incremental ? [await backsUp('restic', 'first')] : []
    // Nothing can arrive there for now.
    const way = join(two.dataDir, 'backups', serverId)
    await mkdir(join(two.dataDir, 'backups'), { recursive: true })
    await writeFile(way, 'in the way')
    await api.transferServer({ params, body: { node: two.id } })
    assert.equal((await ended(serverId)).stage, 'done')
    const restore = (backup: string) => api.restoreBackup({ params: { ...params, backup }, body: {} })
    await eventually(async () => (await statusOf(serverId)) === 'offline', 'it is there')
    await assert.rejects(restore(plain), /plain still follows Saver from node one/)
    await rm(way)
    await api.updateServer({ params, body: { name: 'Saver 2' } })
    await eventually(async () => (await kept(two)).includes(`${plain}.json`), 'the archive has followed')
    if (incremental)
      await eventually(
        async () => (await kept(two)).some((name) => /^repository-repo_[0-9a-z]+$/.test(name)),
        'the incremental ones have followed',
      )
    await eventually(
      async () => !(await kept(one)).some((name) => name.endsWith('.archive') || name.startsWith('repository')),
      'the source keeps none of them',
    )
    for (const [at, backup] of [plain, ...snapshots].entries()) {
      await restore(backup)
      await eventually(async () => (await statusOf(serverId)) === 'offline', 'it is restored')
      assert.equal(await readFile(note(two), 'utf8'), ['plain', 'first'][at])
    }
    if (incremental) {
      await backsUp('restic', 'second')
      assert.ok((await kept(two)).includes('repository'), 'its first one there begins a repository of its own')
    }
    await api.deleteServer({ params })
  })

  test('cannot go where it is, where nobody is, or into maintenance, and nothing changes', async () => {
    const { api, one, two } = fleet
    const serverId = await makeServer('Stayer', one, false)
    const params = { serverId }
    await assert.rejects(api.transferServer({ params, body: { node: one.id } }), /is on node one already/)
    await assert.rejects(api.transferServer({ params, body: { node: 'node_none' } }), /not found/)
    await api.updateNode({ params: { node: two.id }, body: { maintenance: true } })
    try {
      await assert.rejects(api.transferServer({ params, body: {} }), /two: in maintenance/)
      await assert.rejects(api.transferServer({ params, body: { node: two.id } }), /in maintenance/)
    } finally {
      await api.updateNode({ params: { node: two.id }, body: { maintenance: false } })
    }
    await assert.rejects(api.cancelTransfer({ params }), /is not being moved/)
    assert.equal((await transferOf(serverId)) ?? null, null)
    await api.power({ params, body: { action: 'start' } })
    await eventually(async () => (await statusOf(serverId)) === 'running', 'it starts')
  })

  test('waits for a node that is away, refuses power and changes of files meanwhile, and can be cancelled', async () => {
    const { api, one, two } = fleet
    const serverId = await makeServer('Waiter', one, true)
    const params = { serverId }
    await two.kill()
    await eventually(async () => !(await fleet.online()), 'the target is away')
    await assert.rejects(api.transferServer({ params, body: { node: two.id } }), /two.*away/)
    await two.start()
    await eventually(fleet.online, 'the target is back')
    // It stands still, so that whatever is asked of it never ends.
    two.child.kill('SIGSTOP')
    await api.transferServer({ params, body: { node: two.id } })
    await eventually(async () => (await transferOf(serverId))?.stage === 'copying', 'it is copying')
    assert.equal(await statusOf(serverId), 'transferring')
    await assert.rejects(api.power({ params, body: { action: 'start' } }), /moved to another node/)
    await assert.rejects(api.writeFile({ params, body: { file: '/a', content: 'b' } }), /moved to another node/)
    await assert.rejects(api.createBackup({ params, body: {} }), /moved to another node/)
    await assert.rejects(api.deleteServer({ params }), /moved to another node/)
    assert.equal((await api.fileContents({ params, query: { file: '/name.txt' } })).content, 'nobody')
    await api.cancelTransfer({ params })
    assert.equal((await ended(serverId)).stage, 'cancelled')
    await eventually(async () => (await statusOf(serverId)) === 'running', 'it runs again where it was')
    assert.equal((await show(serverId)).node.name, 'one')
    two.child.kill('SIGCONT')
    await eventually(fleet.online, 'the target is back')
    await eventually(async () => !(await has(two, serverId)), 'the target has nothing of it')
  })

  test('goes from container to container, and between a container and the sandbox, with its files', async (t) => {
    if ('skipped' in containers) return t.skip(containers.skipped)
    const { api, one, two } = fleet
    const { image } = containers
    const serverId = await makeServer('Contained', one, true, { runtime: 'docker', image })
    const params = { serverId }
    const level = (node: FleetNode): string => join(filesOf(node, serverId), 'level.dat')
    const moved = async (to: FleetNode): Promise<void> => {
      await api.transferServer({ params, body: { node: to.id } })
      assert.equal((await ended(serverId)).stage, 'done')
      await eventually(async () => (await statusOf(serverId)) === 'running', 'it runs there')
      assert.equal((await show(serverId)).node.id, to.id)
    }
    const turned = async (runtime: 'docker' | 'sandbox'): Promise<void> => {
      await api.updateServer({ params, body: { runtime, ...(runtime === 'docker' && { image }) } })
      await api.power({ params, body: { action: 'restart' } })
      await eventually(async () => (await show(serverId)).runtime === runtime, `it is in a ${runtime}`)
    }
    await writeFile(level(one), 'first')
    await moved(two)
    assert.equal(await readFile(level(two), 'utf8'), 'first')
    await turned('sandbox')
    await moved(one)
    await turned('docker')
    await eventually(async () => (await statusOf(serverId)) === 'running', 'it runs in a container again')
    await moved(two)
    assert.equal(await readFile(level(two), 'utf8'), 'first')
    assert.equal((await show(serverId)).runtime, 'docker')
    await api.deleteServer({ params })
  })
})

testOnPostgres(
  'a server arrives whole with the panel on PostgreSQL, although both nodes are killed on the way',
  async ({ url }) => {
    const usual = fleet
    fleet = await startFleet({ postgres: url })
    try {
      const { api, one, two } = fleet
      const serverId = await makeServer('Survivor', one, true)
      const params = { serverId }
      const content = randomBytes(8 * 1024 * 1024)
      await writeFile(join(filesOf(one, serverId), 'large.bin'), content)
      await writeFile(join(filesOf(one, serverId), 'name.txt'), 'somewhere else')
      await api.transferServer({ params, body: { node: two.id } })
      await reaches(serverId, 'copying')
      await Promise.all([one, two].map((node) => node.kill()))
      await Promise.all([one, two].map((node) => node.start()))
      assert.equal((await ended(serverId)).stage, 'done')
      await eventually(async () => (await statusOf(serverId)) === 'running', 'it runs there')
      const { node, address } = await show(serverId)
      assert.equal(node.name, 'two')
      assert.deepEqual(await readFile(join(filesOf(two, serverId), 'large.bin')), content)
      await eventually(async () => (await visit(address)) === 'hello from somewhere else', 'visitors reach it')
      await eventually(async () => !(await has(one, serverId)), 'the source has nothing of it')
    } finally {
      await fleet[Symbol.asyncDispose]()
      fleet = usual
    }
  },
)

test('a node whose process is killed has unknown servers, and true states again once it is back', async () => {
  const { api, one } = fleet
  const serverId = await makeServer('Lonely', one, true)
  await one.kill()
  await eventually(async () => (await statusOf(serverId)) === 'unknown', 'nobody knows')
  await assert.rejects(api.power({ params: { serverId }, body: { action: 'stop' } }), /Node one is away/)
  await one.start()
  await eventually(async () => (await statusOf(serverId)) === 'running', 'it still runs')
})

/** The command line, as a person at a terminal uses it. */
async function pharos(...line: string[]): Promise<{ code: number; data: string; talk: string }> {
  const ran = { code: 0, data: '', talk: '' }
  const unused = async (): Promise<void> => assert.fail('a command of the API starts no role')
  ran.code = await runCli(line, {
    env: { HOME: fleet.folder, PHAROS_URL: fleet.url, PHAROS_API_KEY: fleet.key },
    cwd: fleet.folder,
    root: join(import.meta.dirname, '..', '..'),
    streams: {
      data: (words) => {
        ran.data += words
      },
      talk: (words) => {
        ran.talk += words
      },
      live: true,
    },
    stdin: Readable.from([]),
    signal: new AbortController().signal,
    roles: { up: unused, panel: unused, node: unused, joinNode: unused, edge: unused },
  })
  return ran
}

test('the command line moves a server and drains a node, with progress, and says what stays and why', async () => {
  const { api, one, two } = fleet
  const serverId = await makeServer('Typed', one, false)
  const moved = await pharos('servers', 'transfer', 'Typed', '--to', 'two')
  assert.equal(moved.code, 0, moved.talk)
  assert.match(moved.talk, /Typed moves from one to two/)
  assert.match(moved.data, /^Typed: on two now/)
  assert.equal((await show(serverId)).node.id, two.id)
  const idle = await pharos('servers', 'transfer', 'Typed', '--cancel')
  assert.deepEqual([idle.code, /Typed is not being moved/.test(idle.talk)], [1, true])

  await api.updateNode({ params: { node: one.id }, body: { labels: { room: 'for-one' } } })
  await api.createServer({
    body: { name: 'Bound', template: 'game', start: false, placement: { labels: { room: 'for-one' } } },
  })
  await makeServer('Free', one, false)
  const drained = await pharos('nodes', 'drain', 'one')
  assert.equal(drained.code, 1)
  assert.match(drained.talk, /Bound stays: .*two: not labelled room=for-one/)
  assert.match(drained.data, /Free +two +done/)
  const { servers, maintenance } = await api.node({ params: { node: one.id } })
  assert.deepEqual([servers, maintenance], [1, true])
})
