import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chown, lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { needsRestic } from '../restic.ts'
import { startBackupsWorld } from '../world/backups-world.ts'
import { eventually } from '../world/panel.ts'

const MiB = 1024 * 1024
const regionBytes = 2 * MiB

type World = Awaited<ReturnType<typeof startBackupsWorld>>

async function put(world: World, name: string, content: string | Buffer): Promise<void> {
  const { uid, gid } = await lstat(world.data)
  await writeFile(join(world.data, name), content)
  await chown(join(world.data, name), uid, gid)
}

async function restored(world: World, backup: string, body: object = {}): Promise<string | null> {
  const params = { serverId: world.serverId, backup }
  await world.acme.restoreBackup({ params, body })
  await eventually(async () => (await world.status()) === 'offline', 'it is restored')
  return (await world.acme.server({ params })).message
}

test('an installation whose engine is restic', async (t) => {
  if (!needsRestic(t)) return
  const folder = await mkdtemp(join(tmpdir(), 'pharos-incremental-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await using world = await startBackupsWorld(
    { kind: 'sqlite', file: join(folder, 'pharos.db') },
    { config: { backups: { engine: 'restic' } }, linked: false },
  )
  const { acme, serverId, archives } = world
  const params = { serverId }
  await put(world, 'region', randomBytes(regionBytes))
  await put(world, 'level.dat', 'level')
  const first = await world.back({ name: 'First' })

  await t.test('makes snapshots, shows what each adds, and lists what is in them', async () => {
    assert.deepEqual([first.state, first.format, first.message], ['ready', 'restic', null])
    const second = await world.back({ name: 'Second' })
    assert.ok(first.size > regionBytes && second.size < MiB / 10, `${first.size} and ${second.size}`)
    const { entries } = await acme.backupFiles({ params: { ...params, backup: first.backupId }, query: {} })
    assert.ok(entries.some(({ name, size }) => name === 'level.dat' && size === 5))
    await assert.rejects(
      acme.backupFiles({ params: { ...params, backup: first.backupId }, query: { path: '../..' } }),
      { code: 'invalid_request' },
    )
    await acme.deleteBackup({ params: { ...params, backup: second.backupId } })
  })

  await t.test('keeps the password sealed, and nowhere on the node', async () => {
    const rows = await world.database.kysely.selectFrom('backup_repositories').selectAll().execute()
    assert.deepEqual(
      rows.map((row) => row.server_id),
      [serverId],
    )
    assert.match(rows[0]?.password ?? '', /^v1\./)
    for (const name of await readdir(archives))
      if (name.endsWith('.json')) assert.doesNotMatch(await readFile(join(archives, name), 'utf8'), /password/)
  })

  await t.test('makes a plain archive where it is asked for', async () => {
    const archive = await world.back({ format: 'zstd' })
    assert.equal(archive.format, 'zstd')
    assert.ok((await world.filesIn(archive.backupId)).some(({ name }) => name === 'level.dat'))
  })

  await t.test('restores, also in part, and downloads by a link', async () => {
    await put(world, 'level.dat', 'newer')
    assert.equal(await restored(world, first.backupId, { files: ['level.dat'] }), null)
    assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'level')
    const { downloadUrl } = await acme.downloadBackup({ params: { ...params, backup: first.backupId } })
    const reply = await fetch(downloadUrl)
    assert.match(reply.headers.get('content-disposition') ?? '', /First\.tar\.zst/)
    const tar = zstdDecompressSync(Buffer.from(await reply.arrayBuffer()))
    assert.ok(tar.length > regionBytes && tar.includes('level.dat'))
  })

  await t.test('checks them by command', async () => {
    assert.equal((await acme.backupVerification({ params })).state, 'never')
    await acme.verifyBackups({ params })
    const found = await eventually(async () => {
      const now = await acme.backupVerification({ params })
      return now.state === 'running' ? null : now
    }, 'the check has ended')
    assert.equal(found.state, 'intact', found.message ?? '')
    assert.ok((found.storedBytes ?? 0) > regionBytes)
  })

  await t.test('a node that is killed again and again leaves failed backups, and the next one is whole', async () => {
    let child = world.child
    for (const moment of ['at once', 'when it has begun', 'while the repository grows'] as const) {
      await put(world, 'region', randomBytes(12 * MiB))
      const before = await sizeOf(join(archives, 'repository'))
      const { backupId } = await acme.createBackup({ params, body: { name: moment } })
      const ask = () => acme.backup({ params: { ...params, backup: backupId } })
      if (moment !== 'at once')
        await eventually(async () => {
          const { state } = await ask()
          if (state === 'ready') return true
          return (
            state === 'running' &&
            (moment === 'when it has begun' || (await sizeOf(join(archives, 'repository'))) > before)
          )
        }, moment)
      const gone = child && once(child, 'exit')
      child?.kill('SIGKILL')
      await gone
      child = await world.startApart()
      await eventually(async () => /ready|failed/.test((await ask()).state), 'it has ended')
    }
    // Each one before it has begun where another one was killed.
    assert.equal((await world.back()).state, 'ready')
    assert.equal(await restored(world, first.backupId, { deleteOthers: true }), null)
    assert.equal((await readFile(join(world.data, 'region'))).length, regionBytes)
  })

  await t.test('with the server its repository and the password go', async () => {
    await acme.deleteServer({ params })
    await eventually(async () => {
      const rows = await world.database.kysely.selectFrom('backup_repositories').selectAll().execute()
      return rows.length === 0
    }, 'the password is gone')
    assert.ok(!(await readdir(archives)).includes('repository'))
  })
})

async function sizeOf(folder: string): Promise<number> {
  return (await readdir(folder, { recursive: true }).catch(() => [])).length
}
