import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import type { BackupReport } from '../../contract/node-backups.ts'
import { systemClock } from '../../lib/clock.ts'
import { randomText } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { serverFiles } from '../runtime.ts'
import { makeSpec, openWorld, reached, type World, type WorldOptions } from '../testing/world.ts'
import { Backups, type RestoreOrder } from './index.ts'

const run = promisify(execFile)
const newBackupId = (): string => `bak_${randomText(16)}`
const plainly = { store: { kind: 'local' as const }, format: 'zstd' as const, ignored: '' }

interface BackupsWorld extends World {
  backups: Backups
  server: string
  /** The server's own files. */
  data: string
  /** Makes a backup and waits for its end. */
  back(order?: Partial<typeof plainly>): Promise<BackupReport>
  /** Restores and resolves with the state it led to. */
  restore(report: BackupReport, order?: Partial<RestoreOrder>): ReturnType<typeof reached>
  archive(report: BackupReport): string
}

async function openBackupsWorld(t: TestContext, options: WorldOptions = {}): Promise<BackupsWorld> {
  const world = await openWorld(t, options)
  const backups = await Backups.open({ ...world, clock: systemClock, log: silentLog })
  t.after(() => backups[Symbol.asyncDispose]())
  const spec = await makeSpec()
  await world.servers.put(spec)
  await reached(world.servers, spec.id, 'offline')
  const data = join(world.dataDir, 'servers', spec.id, serverFiles.data)
  return Object.assign(world, {
    backups,
    server: spec.id,
    data,
    async back(order: Partial<typeof plainly> = {}) {
      const id = newBackupId()
      const over = ended(backups, id)
      await backups.start(spec.id, id, { ...plainly, ...order })
      return over
    },
    async restore(report: BackupReport, order: Partial<RestoreOrder> = {}) {
      await backups.restore(spec.id, report.id, {
        ...{ ...plainly, checksum: report.checksum ?? '', name: 'Daily', files: null, deleteOthers: false },
        ...order,
      })
      return reached(world.servers, spec.id, 'offline')
    },
    archive: (report: BackupReport) => join(world.dataDir, 'backups', spec.id, `${report.id}.archive`),
  })
}

function ended(backups: Backups, id: string): Promise<BackupReport> {
  return new Promise((resolve) => {
    const stop = backups.events.on((report) => {
      if (report.id !== id || (report.state !== 'ready' && report.state !== 'failed')) return
      stop()
      resolve(report)
    })
  })
}

/** Writes as the server would: what is new belongs to whoever owns its files. */
async function fill(world: BackupsWorld, files: Record<string, string>): Promise<void> {
  const owner = await lstat(world.data)
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split('/')
    for (let depth = 1; depth < parts.length; depth += 1) {
      const folder = join(world.data, ...parts.slice(0, depth))
      await mkdir(folder, { recursive: true })
      await chown(folder, owner.uid, owner.gid)
    }
    await writeFile(join(world.data, path), content)
    await chown(join(world.data, path), owner.uid, owner.gid)
  }
}

const listed = async (archive: string): Promise<string[]> =>
  (await run('tar', ['--zstd', '-tf', archive])).stdout.trim().split('\n').sort()

test('a backup of a running server opens with plain tar and holds what was there, links as links', async (t) => {
  const world = await openBackupsWorld(t)
  await world.servers.get(world.server).power('start')
  await reached(world.servers, world.server, 'running')
  const long = `${'deep/'.repeat(40)}${'n'.repeat(120)}.txt`
  await fill(world, { 'world/level.dat': 'level', 'wörld.txt': 'ü', [long]: 'long', empty: '' })
  await symlink('/etc/passwd', join(world.data, 'outside'))
  await symlink('world', join(world.data, 'inside'))
  await writeFile(Buffer.concat([Buffer.from(`${world.data}/`), Buffer.from([0x6e, 0xff, 0xfe])]), 'latin')
  await run('mkfifo', [join(world.data, 'pipe')])
  const report = await world.back()
  assert.equal(report.state, 'ready', report.message ?? '')
  assert.equal((await lstat(world.archive(report))).size, report.size)
  const out = join(world.dataDir, 'out')
  await mkdir(out)
  await run('tar', ['--zstd', '-xf', world.archive(report), '-C', out])
  assert.equal(await readFile(join(out, 'world/level.dat'), 'utf8'), 'level')
  assert.equal(await readFile(join(out, 'wörld.txt'), 'utf8'), 'ü')
  assert.equal(await readFile(join(out, long), 'utf8'), 'long')
  assert.equal(await readlink(join(out, 'outside')), '/etc/passwd')
  assert.equal(await readlink(join(out, 'inside')), 'world')
  const names = await readdir(out, { encoding: 'buffer' })
  assert.ok(names.some((name) => name.equals(Buffer.from([0x6e, 0xff, 0xfe]))))
  assert.ok(!names.some((name) => name.toString() === 'pipe'))
  const { stdout } = await run('sha256sum', [world.archive(report)])
  assert.equal(stdout.split(' ')[0], report.checksum)
})

test('leaves out what the patterns say, and writes gzip where that is asked for', async (t) => {
  const world = await openBackupsWorld(t)
  await fill(world, { 'logs/a.log': 'x', 'logs/keep.log': 'k', 'cache/b': 'x', 'world/cache.txt': 'y', 'old.zip': 'z' })
  const report = await world.back({ format: 'gzip', ignored: '# notes\n*.log\n!keep.log\n/cache/\n*.zip' } as never)
  const { stdout } = await run('tar', ['-tzf', world.archive(report)])
  assert.deepEqual(stdout.trim().split('\n').sort(), [
    'game.cjs',
    'logs/',
    'logs/keep.log',
    'world/',
    'world/cache.txt',
  ])
})

test('a file that changes or shrinks while it is read does not fail the backup, which says so', async (t) => {
  const world = await openBackupsWorld(t)
  await fill(world, { 'region.bin': '', 'other.txt': 'calm' })
  await truncate(join(world.data, 'region.bin'), 48 * 1024 * 1024)
  const file = await open(join(world.data, 'region.bin'), 'r+')
  const id = newBackupId()
  const over = ended(world.backups, id)
  const begun = new Promise<void>((resolve) => {
    const stop = world.backups.events.on((report) => {
      if (report.id !== id) return
      stop()
      resolve()
    })
  })
  await world.backups.start(world.server, id, plainly)
  await begun
  await file.truncate(1024)
  await file.close()
  const report = await over
  assert.equal(report.state, 'ready', report.message ?? '')
  if (report.message !== null) assert.match(report.message, /1 file changed while .* region\.bin/)
  assert.deepEqual(await listed(world.archive(report)), ['game.cjs', 'other.txt', 'region.bin'])
})

test('never reads through a folder that is swapped for a link while it works', async (t) => {
  const world = await openBackupsWorld(t)
  const secret = join(world.dataDir, 'secret')
  await mkdir(secret)
  for (let n = 0; n < 20; n += 1) await writeFile(join(secret, `f${n}`), 'TOP SECRET OF THE NODE')
  await fill(world, Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`d/f${n}`, 'mine'])))
  await symlink(secret, join(world.data, 'link'))
  const stopping = new AbortController()
  const swapping = (async () => {
    while (!stopping.signal.aborted) {
      await rename(join(world.data, 'd'), join(world.data, 'aside'))
      await rename(join(world.data, 'link'), join(world.data, 'd'))
      await rename(join(world.data, 'd'), join(world.data, 'link'))
      await rename(join(world.data, 'aside'), join(world.data, 'd'))
    }
  })()
  for (let n = 0; n < 15; n += 1) {
    const report = await world.back()
    assert.equal(report.state, 'ready', report.message ?? '')
    const { stdout } = await run('tar', ['--zstd', '-xOf', world.archive(report)], { maxBuffer: 1e8 })
    assert.ok(!stdout.includes('TOP SECRET'))
    await world.backups.remove(world.server, report.id)
  }
  stopping.abort()
  await swapping
})

test('fails a backup of files that claim more than the server may use, and leaves nothing of it', async (t) => {
  const world = await openBackupsWorld(t)
  await fill(world, { sparse: '' })
  await truncate(join(world.data, 'sparse'), 2 ** 42)
  const report = await world.back()
  assert.equal(report.state, 'failed')
  assert.match(report.message ?? '', /sparse files cannot be backed up/)
  assert.deepEqual(await readdir(join(world.dataDir, 'backups', world.server)), [`${report.id}.json`])
  assert.equal((await world.back({ ignored: 'sparse' })).state, 'ready')
})

test('restores everything into a stopped server, as its own user, and deletes the rest where asked', async (t) => {
  const world = await openBackupsWorld(t)
  await fill(world, { 'world/level.dat': 'old', 'config.yml': 'a: 1', 'logs/x.log': 'kept' })
  await chmod(join(world.data, 'config.yml'), 0o640)
  await symlink('world', join(world.data, 'current'))
  const report = await world.back({ ignored: 'logs/' })
  await fill(world, { 'world/level.dat': 'new', 'world/extra.dat': 'extra', 'logs/x.log': 'newer' })
  await rm(join(world.data, 'current'))
  await symlink('/etc', join(world.data, 'current'))
  assert.equal((await world.restore(report)).message, null)
  assert.equal(await readFile(join(world.data, 'world/level.dat'), 'utf8'), 'old')
  assert.equal(await readFile(join(world.data, 'world/extra.dat'), 'utf8'), 'extra')
  assert.equal(await readlink(join(world.data, 'current')), 'world')
  const owner = await lstat(world.data)
  const restored = await lstat(join(world.data, 'config.yml'))
  assert.deepEqual([restored.uid, restored.gid, restored.mode & 0o777], [owner.uid, owner.gid, 0o640])
  assert.equal((await world.restore(report, { deleteOthers: true, ignored: 'logs/' })).message, null)
  assert.deepEqual((await readdir(world.data)).sort(), ['config.yml', 'current', 'game.cjs', 'logs', 'world'])
  assert.deepEqual(await readdir(join(world.data, 'world')), ['level.dat'])
  assert.equal(await readFile(join(world.data, 'logs/x.log'), 'utf8'), 'newer')
  await world.servers.get(world.server).power('start')
  await reached(world.servers, world.server, 'running')
})

test('restores only the files that are named, and says which one the backup does not hold', async (t) => {
  const world = await openBackupsWorld(t)
  await fill(world, { 'world/a': 'a1', 'world/b': 'b1', 'plugins/[x]*.jar': 'jar' })
  const report = await world.back()
  await fill(world, { 'world/a': 'a2', 'world/b': 'b2', 'plugins/[x]*.jar': 'changed' })
  await world.restore(report, { files: ['world/b', 'plugins/[x]*.jar'] })
  assert.equal(await readFile(join(world.data, 'world/a'), 'utf8'), 'a2')
  assert.equal(await readFile(join(world.data, 'world/b'), 'utf8'), 'b1')
  assert.equal(await readFile(join(world.data, 'plugins/[x]*.jar'), 'utf8'), 'jar')
  const state = await world.restore(report, { files: ['nothing/here'] })
  assert.match(state.message ?? '', /does not hold nothing\/here/)
})

test('refuses to restore into a running server, and to start one while its files come back', async (t) => {
  const world = await openBackupsWorld(t)
  await fill(world, { 'world/level.dat': 'x'.repeat(1000) })
  const report = await world.back()
  const server = world.servers.get(world.server)
  await server.power('start')
  await reached(world.servers, world.server, 'running')
  await assert.rejects(world.restore(report), /not stopped; stop it first/)
  await server.power('kill')
  await reached(world.servers, world.server, 'offline')
  const restoring = reached(world.servers, world.server, 'restoring')
  const over = world.restore(report)
  await restoring
  await assert.rejects(server.power('start'), /backup Daily is being restored/)
  await assert.rejects(world.backups.remove(world.server, report.id), /is being restored/)
  await over
  await server.power('start')
})

test('touches nothing where the archive is not the one that was made', async (t) => {
  const world = await openBackupsWorld(t)
  await fill(world, { 'world/level.dat': 'old' })
  const report = await world.back()
  await fill(world, { 'world/level.dat': 'new' })
  const bytes = await readFile(world.archive(report))
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  await writeFile(world.archive(report), bytes)
  const state = await world.restore(report, { deleteOthers: true })
  assert.match(state.message ?? '', /checksum differs.*The files are as they were before/)
  assert.equal(await readFile(join(world.data, 'world/level.dat'), 'utf8'), 'new')
  await world.servers.get(world.server).power('start')
  await reached(world.servers, world.server, 'running')
})

test('removing a backup that is being made cancels it, and one that is missing is success', async (t) => {
  const world = await openBackupsWorld(t)
  await fill(world, { big: '' })
  await truncate(join(world.data, 'big'), 1_500 * 1024 * 1024)
  const id = newBackupId()
  const over = ended(world.backups, id)
  await world.backups.start(world.server, id, plainly)
  await world.backups.remove(world.server, id)
  assert.equal((await over).state, 'failed')
  assert.deepEqual(await readdir(join(world.dataDir, 'backups', world.server)), [])
  await world.backups.remove(world.server, id)
  await assert.rejects(world.backups.report(world.server, id), /not found/)
})
