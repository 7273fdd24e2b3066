import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { openSocket } from '../../src/client/index.ts'
import { publicSockets } from '../../src/contract/api/index.ts'
import { ApiError } from '../../src/contract/exchange.ts'
import { tlsDialler } from '../../src/link/index.ts'
import { testOnEachDatabase } from '../databases.ts'
import { startBackupsWorld } from '../world/backups-world.ts'
import { FakeNode } from '../world/fake-node.ts'
import { addMember, eventually, startPanelWorld } from '../world/panel.ts'

const run = promisify(execFile)

/** For what does not depend on the database. */
const testOnSqlite = (name: string, body: Parameters<typeof testOnEachDatabase>[1]): void =>
  void test(name, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-sqlite-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    await body({ kind: 'sqlite', file: join(folder, 'panel.db') }, t)
  })

const refused = (status: number, words: RegExp) => (error: unknown) =>
  error instanceof ApiError && error.status === status && words.test(error.message)

/** A folder with a template `plain` whose program goes on until it is killed. */
async function waitingTemplate(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-templates-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'plain'))
  const template = {
    id: 'plain',
    name: 'Plain',
    summary: 'A program that waits',
    protocols: ['tcp'],
    resources: { memory: 256, disk: 256, cpu: 1 },
    start: { command: ['sleep', '1000'] },
    stop: { by: 'command', command: 'stop' },
  }
  // YAML contains JSON.
  await writeFile(join(folder, 'plain/template.yaml'), JSON.stringify(template))
  return folder
}

testOnEachDatabase(
  'a backup lives: made, listed, downloaded in parts, opened with tar, locked, deleted',
  async (config, t) => {
    const world = await startBackupsWorld(config)
    t.after(() => world[Symbol.asyncDispose]())
    const { acme, serverId } = world
    await mkdir(join(world.data, 'world'))
    await writeFile(join(world.data, 'world/level.dat'), 'level '.repeat(5000))
    await writeFile(join(world.data, 'latest.log'), 'noise')
    const made = await acme.createBackup({ params: { serverId }, body: { ignored: '*.log' } })
    assert.equal(made.message, 'Backup created')
    const params = { serverId, backup: made.backupId }
    const backup = await eventually(async () => {
      const found = await acme.backup({ params })
      return found.state === 'ready' ? found : null
    }, 'the backup is ready')
    assert.deepEqual(
      [backup.backupId, backup.name, backup.progress.percent, backup.files, backup.locked],
      [made.backupId, 'API Backup', 100, 1, false],
    )
    assert.match(backup.createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    const [listed] = await acme.backups({ params: { serverId } })
    assert.deepEqual([listed?.id, listed?.name, listed?.size], [made.backupId, 'API Backup', backup.size])

    const { downloadUrl } = await acme.downloadBackup({ params })
    const url = downloadUrl.replace(/^http:\/\/[^/]+/, new URL(world.api).origin)
    const whole = Buffer.from(await (await fetch(url)).arrayBuffer())
    assert.equal(createHash('sha256').update(whole).digest('hex'), backup.checksum)
    const part = await fetch(url, { headers: { range: 'bytes=100-' } })
    assert.equal(part.status, 206)
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), whole.subarray(100))
    assert.match(part.headers.get('content-disposition') ?? '', /API Backup\.tar\.zst/)
    await writeFile(join(world.folder, 'out.tar.zst'), whole)
    const { stdout } = await run('tar', ['-tf', join(world.folder, 'out.tar.zst')])
    assert.deepEqual(stdout.trim().split('\n'), ['world/', 'world/level.dat'])

    const look = (path?: string) => world.filesIn(made.backupId, path)
    assert.deepEqual(
      (await look()).map(({ name, kind }) => [name, kind]),
      [['world', 'folder']],
    )
    const [level, ...rest] = await look('world')
    assert.deepEqual([level?.name, level?.kind, level?.size, rest], ['level.dat', 'file', 30_000, []])
    await assert.rejects(look('latest.log'), refused(404, /latest\.log in backup API Backup/))
    await assert.rejects(look('../..'), refused(400, /path/))
    assert.ok((await readdir(world.archives)).includes(`${made.backupId}.names`))

    await acme.lockBackup({ params })
    await assert.rejects(acme.deleteBackup({ params }), refused(409, /is locked: unlock it/))
    await acme.unlockBackup({ params })
    assert.deepEqual(await acme.deleteBackup({ params }), { message: 'Backup deleted successfully' })
    assert.deepEqual(await readdir(world.archives), [])
    await assert.rejects(acme.backup({ params }), refused(404, /not found/))
    assert.notEqual((await fetch(url)).status, 200)
  },
)

testOnEachDatabase(
  'of callers who race for the last slot one wins, and rotation makes room once the new one is ready',
  async (config, t) => {
    const world = await startBackupsWorld(config, { config: { backups: { limit: 2 } } })
    t.after(() => world[Symbol.asyncDispose]())
    const { acme, serverId } = world
    const create = (name: string) => acme.createBackup({ params: { serverId }, body: { name } })
    const first = await world.back({ name: 'first' })
    const results = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => create(`racer ${n}`)))
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const result of results)
      if (result.status === 'rejected')
        assert.ok(refused(409, /may have 2 backups.*rotation/)(result.reason), String(result.reason))
    assert.deepEqual(await acme.backupSettings({ params: { serverId } }), { limit: 2, current: 2, rotate: false })
    await eventually(
      async () => (await acme.backups({ params: { serverId } })).every(({ state }) => state === 'ready'),
      'all are ready',
    )
    await acme.updateBackupSettings({ params: { serverId }, body: { rotate: true } })
    await acme.lockBackup({ params: { serverId, backup: first.backupId } })
    const third = await world.back({ name: 'third' })
    const names = await eventually(async () => {
      const there = await acme.backups({ params: { serverId } })
      return there.length === 2 ? there.map(({ name }) => name) : null
    }, 'the oldest unlocked one is gone')
    assert.deepEqual(names, ['third', 'first'])
    await acme.lockBackup({ params: { serverId, backup: third.backupId } })
    await assert.rejects(create('fourth'), refused(409, /locked or being made/))
    await eventually(async () => (await readdir(world.archives)).length === 4, 'two archives and their records')
  },
)

testOnEachDatabase(
  'a restore says what it will do, does it, and is refused while the server runs',
  async (config, t) => {
    const templatesDir = await waitingTemplate(t)
    const world = await startBackupsWorld(config, { config: { templatesDir } })
    t.after(() => world[Symbol.asyncDispose]())
    const { acme, serverId } = world
    const owner = await lstat(world.data)
    await writeFile(join(world.data, 'level.dat'), 'old')
    const { backupId } = await world.back({ name: 'Daily' })
    const params = { serverId, backup: backupId }
    await writeFile(join(world.data, 'level.dat'), 'new')
    await writeFile(join(world.data, 'extra'), 'extra')
    const { message } = await acme.restoreBackup({ params, body: { deleteOthers: true, dryRun: true } })
    assert.match(
      message,
      /All 1 files of backup Daily .* put back into Lobby\. Everything else in the server is deleted first/,
    )
    assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'new')
    await assert.rejects(
      acme.restoreBackup({ params, body: { files: ['../../etc/passwd'] } }),
      refused(400, /path inside the server/),
    )
    await assert.rejects(
      acme.restoreBackup({ params, body: { files: ['level.dat'], deleteOthers: true } }),
      refused(400, /leave out/),
    )
    await acme.power({ params: { serverId }, body: { action: 'start' } })
    await eventually(async () => (await world.status()) === 'running', 'it runs')
    await assert.rejects(acme.restoreBackup({ params }), refused(409, /while it is running: stop it first/))
    assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'new')
    assert.equal(await world.status(), 'running')
    await acme.power({ params: { serverId }, body: { action: 'kill' } })
    await eventually(async () => (await world.status()) === 'offline', 'it is stopped')
    await acme.restoreBackup({ params, body: { deleteOthers: true } })
    await eventually(async () => (await world.status()) === 'offline', 'the restore has ended')
    assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'old')
    assert.deepEqual(await readdir(world.data), ['level.dat'])
    assert.equal((await lstat(join(world.data, 'level.dat'))).uid, owner.uid)
    assert.equal((await acme.server({ params: { serverId } })).message, null)
  },
)

testOnEachDatabase(
  'a backup is found under its own server alone, and its link serves nothing else',
  async (config, t) => {
    const world = await startBackupsWorld(config)
    t.after(() => world[Symbol.asyncDispose]())
    const { acme, serverId } = world
    await writeFile(join(world.data, 'secret'), 'secret')
    const mine = await world.back()
    const other = await world.back()
    const second = await acme.createServer({ body: { name: 'Second', template: 'plain', start: false } })
    const foreign = { serverId: second.id.slice(8), backup: mine.backupId }
    await assert.rejects(acme.backup({ params: foreign }), refused(404, /not found/))
    await assert.rejects(acme.deleteBackup({ params: foreign }), refused(404, /not found/))
    await assert.rejects(acme.backupFiles({ params: foreign, query: {} }), refused(404, /not found/))
    await assert.rejects(acme.restoreBackup({ params: foreign }), refused(404, /not found/))
    const bob = await addMember(world, 'bob@example.com')
    const { userId } = await acme.createSubuser({
      params: { serverId },
      body: { userEmail: 'bob@example.com', permissions: ['backups.read', 'backups.download'] },
    })
    const { downloadUrl } = await world.client(bob.key).downloadBackup({ params: { serverId, backup: mine.backupId } })
    const url = downloadUrl.replace(/^http:\/\/[^/]+/, new URL(world.api).origin)
    const statusOf = async (address: string) => (await fetch(address)).status
    assert.equal(await statusOf(url), 200)
    assert.equal(await statusOf(url.replace(mine.backupId, other.backupId)), 403)
    assert.equal(await statusOf(url.replace(serverId, foreign.serverId)), 403)
    assert.equal(await statusOf(url.slice(0, -2)), 401)
    assert.equal(await statusOf(url.replace(/\?.*/, '')), 401)
    assert.equal(await statusOf(url.replace('/content', '/download')), 401)
    await acme.deleteSubuser({ params: { serverId, subuser: userId } })
    assert.notEqual(await statusOf(url), 200)
  },
)

testOnEachDatabase('progress is told live, to those alone who may read backups', async (config, t) => {
  const world = await startBackupsWorld(config)
  t.after(() => world[Symbol.asyncDispose]())
  const { acme, serverId } = world
  const bob = await addMember(world, 'bob@example.com')
  await acme.createSubuser({
    params: { serverId },
    body: { userEmail: 'bob@example.com', permissions: ['console.read'] },
  })
  const watch = async (token: string) => {
    const socket = await openSocket(publicSockets.serverEvents, { params: { serverId } }, { baseUrl: world.api, token })
    const seen: string[] = []
    const done = (async () => {
      for await (const event of socket) {
        seen.push(event.type === 'backup' ? `backup ${event.state} ${event.percent}` : event.type)
        if (event.type === 'backup' && event.state === 'ready') return
      }
    })()
    return { socket, seen, done }
  }
  const ada = await watch(world.key)
  const shut = await watch(bob.key)
  await eventually(() => ada.seen.includes('status') && shut.seen.includes('status'), 'both sockets are live')
  await world.back()
  await ada.done
  assert.deepEqual(ada.seen.at(-1), 'backup ready 100')
  await acme.updateServer({ params: { serverId }, body: { name: 'Renamed' } })
  assert.ok(!shut.seen.some((event) => event.startsWith('backup')))
  shut.socket.close()
})

testOnEachDatabase('deleting a server deletes its backups', async (config, t) => {
  const world = await startBackupsWorld(config)
  t.after(() => world[Symbol.asyncDispose]())
  const { acme, serverId } = world
  const { backupId } = await world.back({ locked: true })
  assert.ok((await readdir(world.archives)).includes(`${backupId}.archive`))
  await acme.deleteServer({ params: { serverId } })
  await eventually(async () => (await readdir(world.archives)).length === 0, 'the archive is gone')
  await eventually(
    async () => (await world.database.kysely.selectFrom('backups').selectAll().execute()).length === 0,
    'its row is gone',
  )
})

testOnEachDatabase('a node can only speak of its own backups', async (config, t) => {
  const world = await startBackupsWorld(config)
  t.after(() => world[Symbol.asyncDispose]())
  const { acme, serverId } = world
  const { backupId, checksum } = await world.back()
  await writeFile(join(world.data, 'big'), '')
  await truncate(join(world.data, 'big'), 3_900 * 1024 * 1024)
  const slow = await acme.createBackup({ params: { serverId }, body: { format: 'gzip' } })
  const stranger = await world.panel.registerLocalNode('stranger')
  const fake = new FakeNode({
    dialler: tlsDialler({ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin }),
    credential: stranger.credential.reveal(),
  })
  t.after(() => fake[Symbol.asyncDispose]())
  await fake.connect()
  const lie = {
    server: serverId,
    bytesDone: 1,
    bytesTotal: 1,
    files: 1,
    size: 1,
    checksum: 'f'.repeat(64),
    message: 'x',
  }
  fake.tell({ type: 'backup', report: { ...lie, id: slow.backupId, state: 'ready' } })
  fake.tell({ type: 'backup', report: { ...lie, id: backupId, state: 'failed' } })
  // Its events are read one after the other: this one is the last.
  const bogus = {
    id: '00000000',
    revision: 1,
    phase: 'offline' as const,
    since: 1,
    message: null,
    lastExit: null,
    usage: null,
  }
  fake.tell({ type: 'state', state: bogus })
  const after = await acme.backup({ params: { serverId, backup: backupId } })
  assert.deepEqual([after.state, after.checksum], ['ready', checksum])
  assert.notEqual((await acme.backup({ params: { serverId, backup: slow.backupId } })).state, 'ready')
  await acme.deleteBackup({ params: { serverId, backup: slow.backupId } })
})

testOnSqlite(
  'a node that is killed while it makes a backup leaves a failed one with the reason, and nothing else',
  async (config, t) => {
    const world = await startBackupsWorld(config, { linked: false })
    t.after(() => world[Symbol.asyncDispose]())
    const { acme, serverId, child } = world
    await writeFile(join(world.data, 'big'), '')
    await truncate(join(world.data, 'big'), 3_900 * 1024 * 1024)
    const { backupId } = await acme.createBackup({ params: { serverId }, body: { format: 'gzip' } })
    const params = { serverId, backup: backupId }
    await eventually(async () => (await acme.backup({ params })).progress.bytesDone > 0, 'it is under way')
    assert.equal((await acme.backup({ params })).state, 'running')
    child?.kill('SIGKILL')
    await eventually(async () => (await world.status()) === 'unknown', 'the node is away')
    assert.deepEqual(await readdir(world.archives), [`${backupId}.partial`])
    await assert.rejects(acme.createBackup({ params: { serverId } }), refused(409, /away/))
    await world.startApart()
    const failed = await eventually(async () => {
      const backup = await acme.backup({ params })
      return backup.state === 'failed' ? backup : null
    }, 'the panel knows that it failed')
    assert.match(failed.message ?? '', /stopped before the backup was complete/)
    await eventually(async () => (await readdir(world.archives)).length === 0, 'nothing of it is left')
    assert.equal((await acme.backupSettings({ params: { serverId } })).current, 0)
    await assert.rejects(acme.downloadBackup({ params }), refused(409, /failed: there is nothing in it/))
  },
)

testOnSqlite(
  'a restore that is cut off says so, leaves the files as they were, and can be run again',
  async (config, t) => {
    const world = await startBackupsWorld(config, { linked: false })
    t.after(() => world[Symbol.asyncDispose]())
    const { acme, serverId, child } = world
    await writeFile(join(world.data, 'level.dat'), '')
    await truncate(join(world.data, 'level.dat'), 400 * 1024 * 1024)
    const { backupId } = await world.back({ name: 'Daily' })
    const params = { serverId, backup: backupId }
    await writeFile(join(world.data, 'later'), 'made after the backup')
    await acme.restoreBackup({ params })
    assert.equal(await world.status(), 'restoring')
    await assert.rejects(
      acme.power({ params: { serverId }, body: { action: 'start' } }),
      refused(409, /being restored/),
    )
    await assert.rejects(acme.restoreBackup({ params }), refused(409, /being restored/))
    await assert.rejects(acme.deleteBackup({ params }), refused(409, /being restored/))
    child?.kill('SIGKILL')
    await eventually(async () => (await world.status()) === 'unknown', 'the node is away')
    await world.startApart()
    await eventually(async () => (await world.status()) === 'offline', 'the node is back')
    const { message } = await acme.server({ params: { serverId } })
    assert.match(
      message ?? '',
      /Restoring backup Daily failed: the node was stopped .* The files are as they were before/,
    )
    assert.equal(await readFile(join(world.data, 'later'), 'utf8'), 'made after the backup')
    await acme.restoreBackup({ params })
    await eventually(async () => (await world.status()) === 'offline', 'the restore has ended')
    assert.equal((await acme.server({ params: { serverId } })).message, null)
    assert.equal((await lstat(join(world.data, 'level.dat'))).size, 400 * 1024 * 1024)
  },
)

testOnSqlite('a panel that goes away in the middle finds the backup ready when it is back', async (config, t) => {
  const world = await startBackupsWorld(config, { linked: false })
  t.after(() => world[Symbol.asyncDispose]())
  const { acme, serverId } = world
  await writeFile(join(world.data, 'big'), '')
  await truncate(join(world.data, 'big'), 400 * 1024 * 1024)
  const { backupId } = await acme.createBackup({ params: { serverId }, body: {} })
  await world.panel[Symbol.asyncDispose]()
  const kept = (): Promise<string[]> => readdir(world.archives).catch(() => [])
  await eventually(async () => (await kept()).includes(`${backupId}.json`), 'the node has made it')
  const again = await startPanelWorld(config, { folder: world.folder, config: { port: world.panel.port } })
  t.after(() => again[Symbol.asyncDispose]())
  const params = { serverId, backup: backupId }
  await eventually(
    async () => (await again.client(world.key).backup({ params })).state === 'ready',
    'the panel has asked the node',
  )
})
