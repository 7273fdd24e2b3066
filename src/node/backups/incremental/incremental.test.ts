import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  chown,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { zstdDecompressSync } from 'node:zlib'
import { needsRestic } from '../../../../test/restic.ts'
import type { BackupReport } from '../../../contract/node-backups.ts'
import { systemClock } from '../../../lib/clock.ts'
import { randomText } from '../../../lib/ids.ts'
import { silentLog } from '../../../lib/log.ts'
import { serverFiles } from '../../runtime.ts'
import { makeSpec, openWorld, reached, type World } from '../../testing/world.ts'
import { Backups, createResticPrograms, type RestoreOrder } from '../index.ts'

const run = promisify(execFile)
const repository = { store: { kind: 'local' as const }, password: randomText(40) }
const plainly = { ...repository, format: 'restic' as const, ignored: '' }

interface IncrementalWorld extends World {
  backups: Backups
  server: string
  /** The server's own files. */
  data: string
  /** Where the node keeps the server's backups. */
  kept: string
  begin(order?: Partial<typeof plainly>): Promise<{ id: string; over: Promise<BackupReport> }>
  back(order?: Partial<typeof plainly>): Promise<BackupReport>
  restore(report: BackupReport, order?: Partial<RestoreOrder>): Promise<string | null>
  /** What a download of it holds, as `tar` lists it. */
  downloaded(report: BackupReport): Promise<Buffer>
  fill(files: Record<string, string | Buffer>): Promise<void>
  /** The same node after it was stopped. */
  again(): Promise<void>
}

async function openIncrementalWorld(t: TestContext): Promise<IncrementalWorld> {
  const world = await openWorld(t)
  const openBackups = () => Backups.open({ ...world, clock: systemClock, log: silentLog })
  const spec = await makeSpec()
  await world.servers.put(spec)
  await reached(world.servers, spec.id, 'offline')
  const data = join(world.dataDir, 'servers', spec.id, serverFiles.data)
  const begin = async (order: Partial<typeof plainly> = {}) => {
    const id = `bak_${randomText(16)}`
    const over = ended(opened.backups, id)
    await opened.backups.start(spec.id, id, { ...plainly, ...order })
    return { id, over }
  }
  const opened: IncrementalWorld = Object.assign(world, {
    ...{ backups: await openBackups(), server: spec.id, data, begin },
    kept: join(world.dataDir, 'backups', spec.id),
    async back(order: Partial<typeof plainly> = {}) {
      return (await begin(order)).over
    },
    async restore(report: BackupReport, order: Partial<RestoreOrder> = {}) {
      await opened.backups.restore(spec.id, report.id, {
        ...{ ...plainly, checksum: report.checksum ?? '', name: 'Daily', files: null, deleteOthers: false },
        ...order,
      })
      return (await reached(world.servers, spec.id, 'offline')).message
    },
    async downloaded(report: BackupReport) {
      const pass = opened.backups.admit(spec.id, report.id, { ...repository, snapshot: report.checksum ?? '' })
      const pieces: Buffer[] = []
      for await (const piece of opened.backups.dump(spec.id, report.id, pass).content) pieces.push(piece as Buffer)
      return zstdDecompressSync(Buffer.concat(pieces))
    },
    async fill(files: Record<string, string | Buffer>) {
      const { uid, gid } = await lstat(data)
      for (const [path, content] of Object.entries(files)) {
        const parts = path.split('/')
        for (let depth = 1; depth < parts.length; depth += 1) {
          const folder = join(data, ...parts.slice(0, depth))
          await mkdir(folder, { recursive: true })
          await chown(folder, uid, gid)
        }
        await writeFile(join(data, path), content)
        await chown(join(data, path), uid, gid)
      }
    },
    async again() {
      await opened.backups[Symbol.asyncDispose]()
      opened.backups = await openBackups()
    },
  })
  t.after(() => opened.backups[Symbol.asyncDispose]())
  return opened
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

/** What the report says, where it is ready. */
function ready(report: BackupReport): BackupReport & { size: number; checksum: string } {
  const { state, size, checksum, message } = report
  assert.equal(state, 'ready', message ?? '')
  assert.ok(size !== null && checksum !== null)
  return { ...report, size, checksum }
}

async function tarNames(archive: Buffer): Promise<string[]> {
  const child = run('tar', ['-tf', '-'], { maxBuffer: 1e7 })
  child.child.stdin?.end(archive)
  return (await child).stdout.trim().split('\n').sort()
}

test('incremental backups, with the real restic', async (t) => {
  if (!needsRestic(t)) return
  const world = await openIncrementalWorld(t)
  const { data, server, kept } = world
  const MiB = 1024 * 1024
  await world.fill({
    'world/level.dat': 'level',
    'world/region/a': randomBytes(16 * MiB),
    'logs/today.log': 'a line',
    'logs/keep.txt': 'kept',
    'wörld.txt': 'ü',
    '-rf': 'a name like an option',
    '$HOME `x` *?[a]': 'a name like a pattern',
  })
  const raw = Buffer.from([0x6e, 0xff, 0x0a, 0xfe])
  await writeFile(Buffer.concat([Buffer.from(`${data}/`), raw]), 'any bytes')
  await symlink('/etc/passwd', join(data, 'outside'))
  await mkdir(join(data, 'hollow'))
  execFileSync('mkfifo', [join(data, 'pipe')])
  const first = ready(await world.back())

  await t.test('the first adds what there is', async () => {
    assert.equal(first.message, null)
    assert.ok(first.size > 16 * MiB && first.size < 17 * MiB, `${first.size}`)
    assert.equal(first.bytesDone, first.bytesTotal)
  })

  await t.test('nothing of a file or its name can be read in the repository', () => {
    for (const word of ['a name like a pattern', 'level.dat', repository.password])
      assert.throws(() => execFileSync('grep', ['-raq', word, kept]), { status: 1 })
  })

  await t.test('after one in a hundred bytes has changed, the second adds little', async () => {
    const file = await open(join(data, 'world/region/a'), 'r+')
    await file.write(randomBytes(160_000), 0, 160_000, 5 * MiB)
    await file.close()
    const second = ready(await world.back())
    // Files are cut where their bytes say so, into pieces of 1 MiB in the mean and 8 at most: two in a row are hardly ever longer.
    assert.ok(second.size < 12 * MiB, `${second.size} bytes`)
    assert.equal(second.bytesTotal, first.bytesTotal)
    const third = ready(await world.back())
    assert.ok(third.size < MiB / 10, `${third.size} bytes for no change at all`)
  })

  await t.test('a restore brings back names of any bytes, links wherever they lead, and empty folders', async () => {
    await rm(data, { recursive: true }).catch(() => undefined)
    await mkdir(data, { recursive: true })
    const { uid, gid } = await lstat(join(world.dataDir, 'servers', server, serverFiles.data))
    await chown(data, uid, gid)
    assert.equal(await world.restore(first), null)
    assert.equal(await readFile(join(data, 'world/level.dat'), 'utf8'), 'level')
    assert.equal(await readFile(join(data, '$HOME `x` *?[a]'), 'utf8'), 'a name like a pattern')
    assert.ok((await readdir(data, { encoding: 'buffer' })).some((name) => name.equals(raw)))
    assert.equal(await readlink(join(data, 'outside')), '/etc/passwd')
    assert.ok((await lstat(join(data, 'hollow'))).isDirectory())
    await assert.rejects(lstat(join(data, 'pipe')), { code: 'ENOENT' })
    assert.equal((await readFile(join(data, 'world/region/a'))).length, 16 * MiB)
  })

  await t.test('some paths are restored alone, and one that is not in it changes nothing', async () => {
    await world.fill({ 'world/level.dat': 'newer', 'logs/today.log': 'newer' })
    assert.equal(await world.restore(first, { files: ['world/level.dat'] }), null)
    assert.equal(await readFile(join(data, 'world/level.dat'), 'utf8'), 'level')
    assert.equal(await readFile(join(data, 'logs/today.log'), 'utf8'), 'newer')
    assert.equal(await world.restore(first, { files: ['logs'] }), null)
    assert.equal(await readFile(join(data, 'logs/today.log'), 'utf8'), 'a line')
    assert.equal(await world.restore(first, { files: ['hollow', 'wörld.txt', 'logs/keep.txt'] }), null)
    assert.match((await world.restore(first, { files: ['world/nothing'] })) ?? '', /does not hold world\/nothing/)
    assert.match(
      (await world.restore(first, { files: ['world/nothing', 'logs'] })) ?? '',
      /does not hold world\/nothing/,
    )
    assert.equal(await readFile(join(data, 'logs/today.log'), 'utf8'), 'a line')
  })

  await t.test('a folder of it is listed, and what it does not hold is not found', async () => {
    const list = (path: string) => world.backups.files(server, { ...repository, snapshot: first.checksum, path })
    const { entries, more } = await list('world')
    assert.deepEqual(
      [entries.map(({ name, kind, size }) => [name, kind, size]), more],
      [
        [
          ['level.dat', 'file', 5],
          ['region', 'folder', 0],
        ],
        false,
      ],
    )
    assert.ok((await list('')).entries.some(({ name, kind }) => name === 'outside' && kind === 'link'))
    assert.deepEqual((await list('hollow')).entries, [])
    await assert.rejects(list('world/nothing'), { code: 'not_found' })
  })

  await t.test('patterns mean what they mean for archives', async () => {
    const partial = ready(await world.back({ ignored: '*.log\n/world/region/\n' }))
    const names = await tarNames(await world.downloaded(partial))
    assert.ok(names.includes('world/level.dat') && names.includes('logs/keep.txt') && names.includes('hollow/'))
    assert.ok(!names.some((name) => name.endsWith('.log') || name.includes('region') || name === 'pipe'))
    const nothing = await world.back({ ignored: '*' })
    assert.match(nothing.message ?? '', /leave out every file/)
  })

  await t.test('a download is the whole as a tar file, once for each pass', async () => {
    const names = await tarNames(await world.downloaded(first))
    assert.ok(names.includes('world/region/a') && names.includes('-rf'))
    const pass = world.backups.admit(server, first.id, { ...repository, snapshot: first.checksum })
    assert.throws(() => world.backups.dump(server, 'bak_0000000000000000', pass), { code: 'not_found' })
    assert.throws(() => world.backups.dump(server, first.id, pass), { code: 'not_found' })
    const missing = world.backups.admit(server, first.id, { ...repository, snapshot: '0'.repeat(64) })
    await assert.rejects(async () => {
      for await (const _ of world.backups.dump(server, first.id, missing).content);
    })
  })

  await t.test('another password opens nothing and changes nothing', async () => {
    const other = { ...repository, password: randomText(40) }
    const failed = await world.back(other)
    assert.equal(failed.state, 'failed')
    assert.match(failed.message ?? '', /does not open with the password/)
    await assert.rejects(
      world.backups.files(server, { ...other, snapshot: first.checksum, path: '' }),
      /does not open with the password/,
    )
    await world.fill({ 'world/level.dat': 'mine' })
    assert.match((await world.restore(first, other)) ?? '', /does not open with the password/)
    assert.equal(await readFile(join(data, 'world/level.dat'), 'utf8'), 'mine')
    await assert.rejects(world.backups.forget(server, first.id, other), /does not open with the password/)
  })

  await t.test('nothing outside is read while folders are swapped for links under it', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'pharos-outside-'))
    await writeFile(join(outside, 'f'), 'the secret of somebody else')
    await world.fill(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`swap/${n}/f`, `mine ${n}`])))
    let swapping = true
    const swapper = (async () => {
      for (let n = 0; swapping; n = (n + 1) % 300) {
        await rename(join(data, `swap/${n}`), join(data, 'aside'))
        await symlink(n % 2 === 0 ? outside : '/proc/self', join(data, `swap/${n}`))
        await rm(join(data, `swap/${n}`))
        await rename(join(data, 'aside'), join(data, `swap/${n}`))
      }
    })()
    const swapped = await world.back()
    swapping = false
    await swapper
    const archive = await world.downloaded(ready(swapped))
    assert.ok(!archive.includes('the secret of somebody else'))
    assert.ok(!archive.includes(repository.password))
    await rm(outside, { recursive: true })
    await rm(join(data, 'swap'), { recursive: true })
  })

  await t.test('a restic that is killed fails that backup alone, and the next one is whole', async () => {
    await world.fill({ 'world/region/b': randomBytes(12 * MiB) })
    const { over } = await world.begin()
    const stop = world.backups.events.on(() => killRestic())
    const timer = setInterval(killRestic, 5)
    const failed = await over
    clearInterval(timer)
    stop()
    assert.equal(failed.state, 'failed')
    ready(await world.back())
  })

  await t.test('a node that is stopped in the middle says so, and the next backup is whole', async () => {
    await world.fill({ 'world/region/b': randomBytes(12 * MiB) })
    const { id, over } = await world.begin()
    await world.again()
    assert.equal((await over).state, 'failed')
    assert.match((await world.backups.report(server, id)).message ?? '', /stopped before/)
    ready(await world.back())
  })

  await t.test('what is deleted while it is made leaves nothing behind', async () => {
    const { id } = await world.begin()
    await world.backups.forget(server, id, repository)
    await assert.rejects(world.backups.report(server, id), { code: 'not_found' })
    assert.ok(!(await readdir(kept)).some((name) => name.startsWith(id)))
  })

  await t.test('a check says what there is; a damaged repository is told as damaged', async () => {
    assert.throws(() => world.backups.repositoryCheck(server), { code: 'not_found' })
    const intact = await checked(world)
    assert.equal(intact.state, 'intact', intact.message ?? '')
    assert.ok((intact.backups ?? 0) >= 5 && (intact.storedBytes ?? 0) > 16 * MiB)
    // The largest holds content: of a pack of folders restic asks again and again before it believes that it is gone.
    const [path = ''] = execFileSync('find', [join(kept, 'repository/data'), '-type', 'f', '-size', '+4M'])
      .toString()
      .split('\n')
    await rename(path, `${kept}/aside`)
    const damaged = await checked(world)
    assert.equal(damaged.state, 'damaged')
    assert.match(damaged.message ?? '', /damaged/)
    await rename(`${kept}/aside`, path)
  })

  await t.test('with its last snapshot the repository goes, and a missing one is forgotten as well', async () => {
    for (const name of await readdir(kept)) {
      const id = /^(bak_[0-9a-z]{16})\.json$/.exec(name)?.[1]
      if (id) await world.backups.forget(server, id, repository)
    }
    await world.backups.forget(server, first.id, repository)
    assert.deepEqual(
      (await readdir(kept)).filter((name) => name.startsWith('repository')),
      [],
    )
    await assert.rejects(
      world.backups.files(server, { ...repository, snapshot: first.checksum, path: '' }),
      /is not where it was/,
    )
  })
})

test('where restic is missing a node that is not root names the package', async () => {
  await using programs = createResticPrograms({ debian: null, log: silentLog, isRoot: false, folders: ['/nowhere'] })
  await assert.rejects(programs.ensure(), /restic and bubblewrap.*have root run "apt-get install.*restic bubblewrap"/)
  assert.equal(await programs.version(), null)
})

test('root installs what is missing once, and says why it could not', async () => {
  let asked = 0
  const debian = {
    async ensure(names: readonly string[]) {
      asked += 1
      assert.deepEqual(names, ['restic', 'bubblewrap'])
      throw new Error('no mirror')
    },
  }
  await using programs = createResticPrograms({ debian, log: silentLog, isRoot: true, folders: ['/nowhere'] })
  const both = await Promise.allSettled([programs.ensure(), programs.ensure()])
  assert.equal(asked, 1)
  for (const one of both) assert.match(String(one.status === 'rejected' && one.reason), /could not be installed/)
})

async function checked(world: IncrementalWorld) {
  await world.backups.checkRepository(world.server, { ...repository, readData: false })
  for (;;) {
    const found = world.backups.repositoryCheck(world.server)
    if (found.state !== 'running') return found
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
}

/** Every one that this process has started, by its own id: a sandbox that is killed as it begins may leave half of itself behind. */
function killRestic(): void {
  for (const pid of descendantsOf(process.pid)) {
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'restic') process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
}

function descendantsOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return children === ''
      ? []
      : children.split(' ').flatMap((child) => [Number(child), ...descendantsOf(Number(child))])
  } catch {
    return []
  }
}
