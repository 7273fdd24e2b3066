import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import yazl from 'yazl'
import { backUp, type RestoreRequest, restore } from '../src/instance/index.ts'
import { lockFolder } from '../src/lib/folder-lock.ts'
import { silentLog } from '../src/lib/log.ts'
import { unfinishedRestoreFile } from '../src/lib/unfinished-restore.ts'
import { type DatabaseConfig, openDatabase } from '../src/panel/db/index.ts'
import { holdDataFolder } from '../src/roles/data-folder.ts'
import { testOnEachEmptyDatabase } from './databases.ts'

const now = Date.UTC(2026, 10, 22, 5, 30)

async function folderOf(closer: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-instance-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function put(folder: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text, { mode: 0o600 })
  }
}

/** A data folder with a database of one person and one plan. */
async function instance(closer: AsyncDisposableStack, config?: DatabaseConfig): Promise<string> {
  const dataDir = await folderOf(closer)
  await put(dataDir, {
    'panel/secrets.key': 'the key of secrets',
    'panel/link/key.pem': 'the key of links',
    'edge/usage.counters': 'what was counted',
    'node/edges.json': '[]',
    'node/servers/abc/files/world.dat': 'large',
    'panel/half.tmp': 'half-written',
    'up.lock': 'nobody',
    'pharos.yaml': 'port: 4700\n',
  })
  await using database = await openDatabase(config ?? sqliteOf(dataDir), silentLog)
  await database.kysely
    .insertInto('template_copies')
    .values([
      { hash: 'one', content: '{"name":"line\u2028separator\\n"}' },
      { hash: 'two', content: '{}' },
    ])
    .execute()
  return dataDir
}

const sqliteOf = (dataDir: string): DatabaseConfig => ({ kind: 'sqlite', file: join(dataDir, 'panel/pharos.db') })
const urlOf = (config: DatabaseConfig) => (config.kind === 'postgres' ? config.url : undefined)
const copiesIn = async (config: DatabaseConfig): Promise<unknown> => {
  await using database = await openDatabase(config, silentLog)
  return await database.kysely.selectFrom('template_copies').selectAll().orderBy('hash').execute()
}

const backUpOf = (dataDir: string, file: string, config?: DatabaseConfig) =>
  backUp({ dataDir, file, databaseUrl: config && urlOf(config), pharos: '1.2.3', now, say: () => undefined })
const restoreInto = (dataDir: string, file: string, more: Partial<RestoreRequest> = {}) =>
  restore({ dataDir, file, databaseUrl: undefined, replace: false, now, log: silentLog, say: () => undefined, ...more })

testOnEachEmptyDatabase(
  'an instance comes back as it was, with its database, and without what belongs to one machine',
  async (config) => {
    await using closer = new AsyncDisposableStack()
    const postgres = config.kind === 'postgres' ? config : undefined
    const dataDir = await instance(closer, postgres)
    const file = join(await folderOf(closer), 'backup.zip')
    assert.equal((await backUpOf(dataDir, file, postgres)).database, config.kind)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const before = await copiesIn(postgres ?? sqliteOf(dataDir))
    const target = await folderOf(closer)
    const done = await restoreInto(target, file, { databaseUrl: urlOf(config), replace: postgres !== undefined })
    assert.deepEqual([done.createdAt, done.pharos, done.kept], [now, '1.2.3', null])
    assert.equal(await readFile(join(target, 'panel/link/key.pem'), 'utf8'), 'the key of links')
    assert.equal(await readFile(join(target, 'edge/usage.counters'), 'utf8'), 'what was counted')
    assert.deepEqual((await readdir(target)).sort(), ['edge', 'node', 'panel', 'pharos.yaml'])
    assert.deepEqual(await readdir(join(target, 'node')), ['edges.json'])
    assert.equal(await readFile(join(target, 'panel/secrets.key'), 'utf8'), 'the key of secrets')
    assert.deepEqual(await copiesIn(postgres ?? sqliteOf(target)), before)
  },
)

testOnEachEmptyDatabase(
  'a backup of SQLite is restored into either kind of database, and one of PostgreSQL into SQLite',
  async (config) => {
    await using closer = new AsyncDisposableStack()
    const dataDir = await instance(closer)
    const file = join(await folderOf(closer), 'backup.zip')
    await backUpOf(dataDir, file)
    const before = await copiesIn(sqliteOf(dataDir))
    const target = await folderOf(closer)
    await restoreInto(target, file, { databaseUrl: urlOf(config) })
    const restored = config.kind === 'postgres' ? config : sqliteOf(target)
    assert.deepEqual(await copiesIn(restored), before)
    if (config.kind === 'sqlite') return
    const back = join(await folderOf(closer), 'back.zip')
    assert.equal((await backUpOf(target, back, config)).database, 'postgres')
    const again = await folderOf(closer)
    await restoreInto(again, back)
    assert.deepEqual(await copiesIn(sqliteOf(again)), before)
  },
)

testOnEachEmptyDatabase(
  'refuses to restore over an instance unless told to, and then keeps what was there',
  async (config) => {
    await using closer = new AsyncDisposableStack()
    const dataDir = await instance(closer)
    const file = join(await folderOf(closer), 'backup.zip')
    await backUpOf(dataDir, file)
    const target = await instance(closer, config.kind === 'postgres' ? config : undefined)
    const into = config.kind === 'postgres' ? config : sqliteOf(target)
    await put(target, { 'panel/secrets.key': 'another key' })
    await using database = await openDatabase(into, silentLog)
    await database.kysely.deleteFrom('template_copies').where('hash', '=', 'two').execute()
    await database[Symbol.asyncDispose]()
    await assert.rejects(restoreInto(target, file, { databaseUrl: urlOf(config) }), { code: 'conflict' })
    assert.equal(await readFile(join(target, 'panel/secrets.key'), 'utf8'), 'another key')
    const { kept } = await restoreInto(target, file, { databaseUrl: urlOf(config), replace: true })
    assert.equal(kept, join(target, 'before-restore-2026-11-22T05-30-00Z'))
    assert.equal(await readFile(join(kept, 'panel/secrets.key'), 'utf8'), 'another key')
    assert.equal(await readFile(join(target, 'panel/secrets.key'), 'utf8'), 'the key of secrets')
    // What belongs to servers stays where it is.
    assert.equal(await readFile(join(target, 'node/servers/abc/files/world.dat'), 'utf8'), 'large')
    assert.deepEqual(await copiesIn(into), await copiesIn(sqliteOf(dataDir)))
  },
)

test('takes the database as it is at one moment, while somebody writes to it', async () => {
  await using closer = new AsyncDisposableStack()
  const dataDir = await instance(closer)
  const file = join(await folderOf(closer), 'backup.zip')
  await using database = await openDatabase(sqliteOf(dataDir), silentLog)
  let pairs = 0
  const told: string[] = []
  await backUp({
    ...{ dataDir, file, databaseUrl: undefined, pharos: '1.2.3', now },
    say(line) {
      told.push(line)
      pairs++
      void database.kysely
        .insertInto('template_copies')
        .values([
          { hash: `a${pairs}`, content: '{}' },
          { hash: `b${pairs}`, content: '{}' },
        ])
        .execute()
    },
  })
  const target = await folderOf(closer)
  await restoreInto(target, file)
  assert.equal(((await copiesIn(sqliteOf(target))) as unknown[]).length, 2)
  assert.ok(told.some((line) => line.includes('template_copies')))
})

test('refuses to back up over a file, or what is no data folder', async () => {
  await using closer = new AsyncDisposableStack()
  const dataDir = await instance(closer)
  const folder = await folderOf(closer)
  await put(folder, { 'there.zip': 'precious' })
  await assert.rejects(backUpOf(dataDir, join(folder, 'there.zip')), { code: 'conflict' })
  assert.equal(await readFile(join(folder, 'there.zip'), 'utf8'), 'precious')
  await assert.rejects(backUpOf(join(folder, 'nowhere'), join(folder, 'b.zip')), { code: 'not_found' })
  await assert.rejects(backUpOf(folder, join(folder, 'b.zip')), { code: 'not_found' })
  await assert.rejects(backUpOf(dataDir, join(folder, 'no', 'folder', 'b.zip')), { code: 'conflict' })
  assert.deepEqual(await readdir(folder), ['there.zip'])
  assert.ok((await readdir(dataDir)).every((name) => !name.startsWith('.backup')))
})

test('refuses to restore while Pharos runs on the folder', async () => {
  await using closer = new AsyncDisposableStack()
  const dataDir = await instance(closer)
  const file = join(await folderOf(closer), 'backup.zip')
  await backUpOf(dataDir, file)
  for (const role of ['up', 'panel', 'node', 'edge']) {
    await using _running = await lockFolder(dataDir, role)
    await assert.rejects(restoreInto(dataDir, file, { replace: true }), { code: 'conflict', message: /Stop it first/ })
  }
})

test('a backup that is damaged, cut, changed or of a newer program replaces nothing', async () => {
  await using closer = new AsyncDisposableStack()
  const dataDir = await instance(closer)
  const folder = await folderOf(closer)
  await backUpOf(dataDir, join(folder, 'good.zip'))
  const good = await readFile(join(folder, 'good.zip'))
  const target = await instance(closer)
  await put(target, { 'panel/secrets.key': 'another key' })
  const flipped = Buffer.from(good)
  // In the middle of the first file's content.
  flipped[60] = (flipped[60] ?? 0) ^ 0xff
  const row = { path: 'panel/secrets.key', size: 3, sha256: '0'.repeat(64) }
  const listed = { version: 1, pharos: '1', createdAt: 1, database: null, files: [row] }
  const bad: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    cut: good.subarray(0, good.length - 100),
    flipped,
    text: Buffer.from('no archive'),
    nothing: await zipped({}),
    unlisted: await zipped({ 'manifest.json': '{"version":1}' }),
    missing: await zipped({ 'manifest.json': JSON.stringify(listed) }),
    changed: await zipped({ 'manifest.json': JSON.stringify(listed), 'panel/secrets.key': 'abc' }),
    longer: await zipped({ 'manifest.json': JSON.stringify(listed), 'panel/secrets.key': 'abcd' }),
    outside: await zipped({
      'manifest.json': JSON.stringify({ ...listed, files: [{ ...row, path: 'panel/../../etc/passwd' }] }),
    }),
    newer: await zipped({
      'manifest.json': JSON.stringify({
        ...listed,
        database: { kind: 'sqlite', migrations: ['9999-tomorrow'], tables: [] },
        files: [],
      }),
    }),
  }
  for (const [name, bytes] of Object.entries(bad)) {
    const file = join(folder, `${name}.zip`)
    await writeFile(file, bytes)
    await assert.rejects(restoreInto(target, file, { replace: true }), { code: 'conflict' }, name)
    assert.equal(await readFile(join(target, 'panel/secrets.key'), 'utf8'), 'another key', name)
    assert.ok(
      (await readdir(target)).every((each) => !/^(?:\.restore|before-restore|restore-unfinished)/.test(each)),
      name,
    )
  }
  await assert.rejects(restoreInto(target, join(folder, 'no such file')), { code: 'not_found' })
})

test('nothing starts on a folder whose restore was cut off, until another one is through', async () => {
  await using closer = new AsyncDisposableStack()
  const dataDir = await instance(closer)
  const file = join(await folderOf(closer), 'backup.zip')
  await backUpOf(dataDir, file)
  await writeFile(unfinishedRestoreFile(dataDir), '{}')
  await assert.rejects(holdDataFolder(dataDir, 'up'), { code: 'conflict', message: /pharos restore/ })
  await restoreInto(dataDir, file, { replace: true })
  await using _held = await holdDataFolder(dataDir, 'up')
})

/** An archive with these files. */
async function zipped(files: Record<string, string>): Promise<Buffer> {
  const zip = new yazl.ZipFile()
  for (const [path, text] of Object.entries(files)) zip.addBuffer(Buffer.from(text), path)
  zip.end()
  const chunks: Buffer[] = []
  for await (const chunk of zip.outputStream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
