import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chown, lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { systemClock } from '../../lib/clock.ts'
import { randomText } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { type Entry, tar } from '../extraction/testing.ts'
import { openNodeFiles } from '../files/index.ts'
import { serverFiles } from '../runtime.ts'
import { makeSpec, openWorld, reached, type World } from '../testing/world.ts'
import { Backups, type RestoreOrder } from './index.ts'
import { BackupPlace } from './place.ts'

interface RestoreWorld extends World {
  server: string
  folder: string
  data: string
  /** Restores an archive that somebody has put among the backups, with its own checksum, and resolves with the message it ended with. */
  restore(archive: Buffer, order?: Partial<RestoreOrder>): Promise<string | null>
}

/** A stopped server with the file `level.dat`. */
async function openRestoreWorld(t: TestContext, disk = 1000): Promise<RestoreWorld> {
  const world = await openWorld(t)
  const spec = await makeSpec({}, { resources: { memory: 256, disk, cpu: 1 } })
  await world.servers.put(spec)
  await reached(world.servers, spec.id, 'offline')
  const folder = join(world.dataDir, 'servers', spec.id)
  const data = join(folder, serverFiles.data)
  await writeAs(data, 'level.dat', 'mine')
  const backups = await Backups.open({ ...world, clock: systemClock, log: silentLog })
  t.after(() => backups[Symbol.asyncDispose]())
  return Object.assign(world, {
    ...{ server: spec.id, folder, data },
    async restore(archive: Buffer, order: Partial<RestoreOrder> = {}) {
      const id = `bak_${randomText(16)}`
      const checksum = createHash('sha256').update(archive).digest('hex')
      const place = new BackupPlace(join(world.dataDir, 'backups'))
      await mkdir(place.folder(spec.id), { recursive: true })
      await writeFile(place.archive(spec.id, id), archive)
      const facts = { bytesDone: 1, bytesTotal: 1, files: 1, size: archive.length, checksum, message: null }
      const report = { id, server: spec.id, state: 'ready' as const, ...facts }
      await place.write({ version: 1, report, format: 'zstd', store: 'local', endedAt: 0 })
      await backups.restore(spec.id, id, {
        ...{ store: { kind: 'local' }, format: 'zstd', ignored: '', name: 'Daily', files: null, deleteOthers: false },
        ...{ checksum, ...order },
      })
      return (await reached(world.servers, spec.id, 'offline')).message
    },
  })
}

async function writeAs(data: string, name: string, content: string): Promise<void> {
  const { uid, gid } = await lstat(data)
  await writeFile(join(data, name), content)
  await chown(join(data, name), uid, gid)
}

const packed = (...entries: Entry[]): Buffer => zstdCompressSync(tar(entries))
const file = (name: Entry['name'], content = 'theirs'): Entry => ({ name, content })

test('puts back names of any bytes, links wherever they lead, modes and times', async (t) => {
  const world = await openRestoreWorld(t)
  const name = Buffer.from([0x6e, 0xff, 0xfe])
  const archive = packed(
    file(name),
    { ...file('back\\slash'), mode: 0o4711, modified: 1_000_000_000 },
    { name: 'region/', type: '5', mode: 0o750, modified: 1_100_000_000 },
    file('region/r.mca'),
    { name: 'out', type: '2', link: '/etc/passwd' },
    { name: 'hard', type: '1', link: 'region/r.mca' },
    file('level.dat'),
  )
  assert.equal(await world.restore(archive), null)
  const { uid } = await lstat(world.data)
  assert.ok((await readdir(world.data, { encoding: 'buffer' })).some((entry) => entry.equals(name)))
  const odd = await lstat(join(world.data, 'back\\slash'))
  assert.deepEqual([odd.mode & 0o7777, odd.mtimeMs, odd.uid], [0o711, 1e12, uid])
  const region = await lstat(join(world.data, 'region'))
  assert.deepEqual([region.mode & 0o7777, region.mtimeMs, region.uid], [0o750, 1.1e12, uid])
  assert.equal(await readlink(join(world.data, 'out')), '/etc/passwd')
  assert.equal(await readFile(join(world.data, 'hard'), 'utf8'), 'theirs')
  assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'theirs')
  assert.deepEqual((await readdir(world.folder)).includes(serverFiles.restore), false)
})

test('refuses archives that somebody has altered, and leaves every file as it was', async (t) => {
  const world = await openRestoreWorld(t, 100)
  const hostile: [what: string, archive: Buffer, why: RegExp][] = [
    ['a path that climbs out', packed(file('level.dat'), file('../evil')), /leave the folder/],
    ['an absolute path', packed(file('level.dat'), file('/tmp/evil')), /leave the folder/],
    ['a device', packed(file('level.dat'), { name: 'sda', type: '4' }), /device/],
    ['a pipe', packed(file('level.dat'), { name: 'pipe', type: '6' }), /fifo/],
    [
      'a file through a link',
      packed({ name: 'd', type: '2', link: '/tmp' }, file('d/evil'), file('level.dat')),
      /in the archive twice/,
    ],
    ['a hard link to the outside', packed({ name: 'h', type: '1', link: 'etc/passwd' }), /not a file of this archive/],
    ['a name that comes twice', packed(file('level.dat'), file('level.dat')), /twice/],
    [
      'more than the server may have',
      packed({ name: 'zeros', content: Buffer.alloc(101 * 1024 * 1024) }),
      /may use 100 MiB/,
    ],
    [
      'headers without end',
      zstdCompressSync(Buffer.alloc(200_001 * 512, tar([{ name: 'd', type: '5' }]).subarray(0, 512))),
      /files that a server/,
    ],
    ['no archive', Buffer.from('not an archive at all'), /broken/],
    ['another format', gzipSync(tar([file('level.dat')])), /broken/],
    ['an end in the middle', packed({ name: 'level.dat', content: 'x', size: 100_000 }), /broken/],
  ]
  for (const [what, archive, why] of hostile) {
    const message = await world.restore(archive, { deleteOthers: true })
    assert.match(message ?? '', why, what)
    assert.match(message ?? '', /The files are as they were before/, what)
    assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'mine', what)
    assert.deepEqual((await readdir(world.data)).sort(), ['game.cjs', 'level.dat'], what)
    assert.ok(!(await readdir(world.folder)).includes(serverFiles.restore), what)
  }
})

test('refuses what needs more disk together with what is there, and takes it where the rest is deleted', async (t) => {
  const world = await openRestoreWorld(t, 16)
  await writeAs(world.data, 'old.bin', 'x'.repeat(10 * 1024 * 1024))
  const ten = { name: 'new.bin', content: Buffer.alloc(10 * 1024 * 1024, 1) }
  assert.match((await world.restore(packed(ten))) ?? '', /backup needs more with what is there.*as they were before/)
  assert.equal(await world.restore(packed({ ...ten, name: 'old.bin' })), null)
  assert.equal(await world.restore(packed(ten), { deleteOthers: true }), null)
  assert.deepEqual(await readdir(world.data), ['new.bin'])
})

test('a folder takes the place of a link or file, and a file that of a folder, without following anything', async (t) => {
  const world = await openRestoreWorld(t)
  const outside = join(world.dataDir, 'outside')
  await mkdir(outside)
  await symlink(outside, join(world.data, 'world'))
  await mkdir(join(world.data, 'config'))
  await writeFile(join(world.data, 'config/old'), 'old')
  assert.equal(await world.restore(packed(file('world/level.dat'), file('config'), file('level.dat/inner'))), null)
  assert.deepEqual(await readdir(outside), [])
  assert.equal(await readFile(join(world.data, 'world/level.dat'), 'utf8'), 'theirs')
  assert.equal(await readFile(join(world.data, 'config'), 'utf8'), 'theirs')
  assert.equal(await readFile(join(world.data, 'level.dat/inner'), 'utf8'), 'theirs')
})

test('nothing of a selection is put back when the backup does not hold all of it', async (t) => {
  const world = await openRestoreWorld(t)
  const archive = packed(file('level.dat'), file('world/a'), file('world/b'))
  const message = await world.restore(archive, { files: ['level.dat', 'worlds'] })
  assert.match(message ?? '', /does not hold worlds.*as they were before/)
  assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'mine')
  assert.equal(await world.restore(archive, { files: ['world/'] }), null)
  assert.deepEqual((await readdir(join(world.data, 'world'))).sort(), ['a', 'b'])
  assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'mine')
})

/** What a node that was killed while it restored leaves on its disk. */
async function cutOff(world: RestoreWorld, swap: object | null): Promise<void> {
  await world.servers[Symbol.asyncDispose]()
  const record = join(world.folder, serverFiles.record)
  const before = JSON.parse(await readFile(record, 'utf8'))
  await writeFile(record, JSON.stringify({ ...before, power: { phase: 'restoring', since: 1, what: 'Daily' } }))
  const fresh = join(world.folder, serverFiles.restore, 'new')
  await mkdir(join(fresh, 'world'), { recursive: true })
  await writeFile(join(fresh, 'world/level.dat'), 'theirs')
  if (swap)
    await writeFile(join(world.folder, serverFiles.restore, 'swap.json'), JSON.stringify({ version: 1, ...swap }))
  await world.reopen()
}

test('a node that was killed before the swap leaves the files as they were, and says so', async (t) => {
  const world = await openRestoreWorld(t)
  await cutOff(world, null)
  const { message } = await reached(world.servers, world.server, 'offline')
  assert.match(message ?? '', /Restoring backup Daily failed: the node was stopped.* as they were before/)
  assert.deepEqual((await readdir(world.data)).sort(), ['game.cjs', 'level.dat'])
  assert.ok(!(await readdir(world.folder)).includes(serverFiles.restore))
  await world.servers.get(world.server).power('start')
})

for (const [step, left] of [
  ['clearing', ['world']],
  ['placing', ['game.cjs', 'level.dat', 'world']],
] as const)
  test(`a node that was killed while ${step} goes on with it`, async (t) => {
    const world = await openRestoreWorld(t)
    await cutOff(world, { step, ignored: '' })
    assert.equal((await reached(world.servers, world.server, 'offline')).message, null)
    assert.deepEqual((await readdir(world.data)).sort(), left)
    assert.equal(await readFile(join(world.data, 'world/level.dat'), 'utf8'), 'theirs')
    assert.ok(!(await readdir(world.folder)).includes(serverFiles.restore))
  })

test('files cannot be changed and the server cannot start while it is restored', async (t) => {
  const world = await openRestoreWorld(t)
  await using files = openNodeFiles({ ...world, clock: systemClock, log: silentLog })
  const release = Promise.withResolvers<void>()
  await world.servers.get(world.server).restore('Daily', () => release.promise)
  await reached(world.servers, world.server, 'restoring')
  const mine = await files.of(world.server)
  const content = async function* () {
    yield Buffer.from('x')
  }
  const signal = new AbortController().signal
  for (const change of [
    () => mine.write('/new', content(), { overwrite: true, expectedBytes: 1 }),
    () => mine.createFolder('/new'),
    () => mine.rename('/level.dat', '/new'),
    () => mine.copy('/level.dat', '/new', signal),
    () => mine.delete('/level.dat'),
    () => mine.chmod('/level.dat', 0o600),
  ])
    await assert.rejects(change(), { code: 'conflict', message: /backup is being restored into server lobby/ })
  await assert.rejects(world.servers.get(world.server).power('start'), /backup Daily is being restored/)
  assert.equal((await mine.list('/', 10, undefined)).total, 2)
  release.resolve()
  await reached(world.servers, world.server, 'offline')
  await mine.createFolder('/new')
})
