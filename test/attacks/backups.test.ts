import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startBackupsWorld } from '../world/backups-world.ts'
import { addMember, eventually } from '../world/panel.ts'

let closer: AsyncDisposableStack
let world: Awaited<ReturnType<typeof startBackupsWorld>>
let canary: string
before(async () => {
  closer = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-backups-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  canary = join(folder, 'canary')
  await mkdir(canary)
  await writeFile(join(canary, 'keep'), 'outside')
  world = closer.use(
    await startBackupsWorld({ kind: 'sqlite', file: join(folder, 'panel.db') }, { config: { backups: { limit: 20 } } }),
  )
})
after(() => closer.disposeAsync())

const stopped = () => eventually(async () => (await world.status()) === 'offline', 'the restore has ended')

test('no name or pattern of a backup chooses where it is written, or what beyond the server is read (CVE-2026-0805)', async () => {
  await writeFile(join(world.data, 'own'), 'inside')
  const before = (await readdir(world.archives).catch(() => [])).length
  for (const text of [
    '../../../../tmp/pharos-evil',
    '/tmp/pharos-evil',
    '..\\..\\evil',
    '%2e%2e%2fevil',
    '....//evil',
  ]) {
    const backup = await world.back({ name: text, ignored: `!../../**\n!/etc/passwd\n${text}` })
    assert.equal(backup.state, 'ready')
    assert.equal(backup.name, text)
    assert.ok((await readdir(world.archives)).includes(`${backup.backupId}.archive`))
    const { downloadUrl } = await world.acme.downloadBackup({
      params: { serverId: world.serverId, backup: backup.backupId },
    })
    const reply = await fetch(downloadUrl.replace(/^http:\/\/[^/]+/, new URL(world.api).origin))
    await reply.arrayBuffer()
    const name = /filename="([^"]*)"/.exec(reply.headers.get('content-disposition') ?? '')?.[1] ?? ''
    assert.doesNotMatch(name, /[/\\]/, 'no browser is told to leave its folder')
    await world.acme.deleteBackup({ params: { serverId: world.serverId, backup: backup.backupId } })
  }
  assert.equal((await readdir(world.archives)).length, before)
  assert.ok(!(await readdir('/tmp')).includes('pharos-evil'))
})

test('what is named to be restored is inside the server or refused (CVE-2026-0805, CVE-2026-0963)', async () => {
  const { backupId } = await world.back()
  const params = { serverId: world.serverId, backup: backupId }
  for (const file of ['../x', '/etc/passwd', 'a/../../x', '..', 'a\u0000b'])
    await assert.rejects(
      world.acme.restoreBackup({ params, body: { files: [file] } }),
      { code: 'invalid_request' },
      file,
    )
})

test('patterns that make engines run for ever are refused, and the longest that are not are quick (design: ReDoS)', async () => {
  await mkdir(join(world.data, 'deep'), { recursive: true })
  await writeFile(join(world.data, 'deep', 'a'.repeat(250)), 'x')
  for (const ignored of [`${'**/'.repeat(30)}b`, `${'*a'.repeat(25)}b`])
    await assert.rejects(world.back({ ignored }), { code: 'invalid_request' })
  const ignored = [`${'*a'.repeat(6)}b`, '**/**/b', '(a+)+$', '[[:alpha:]', '\\', `${'?'.repeat(200)}!`].join('\n')
  assert.equal((await world.back({ ignored })).state, 'ready')
})

test('links of a server come back as links, and nothing is written through one that leads out (P#5429, CVE-2023-25152)', async () => {
  await symlink(canary, join(world.data, 'away'))
  await symlink('own', join(world.data, 'near'))
  const { backupId, state } = await world.back()
  assert.equal(state, 'ready')
  // Since then the game has made a folder of the archive lead out.
  await rm(join(world.data, 'deep'), { recursive: true })
  await symlink(canary, join(world.data, 'deep'))
  await world.acme.restoreBackup({ params: { serverId: world.serverId, backup: backupId }, body: {} })
  await stopped()
  assert.deepEqual(await readdir(canary), ['keep'])
  assert.equal(await readFile(join(canary, 'keep'), 'utf8'), 'outside')
  assert.equal(await readFile(join(world.data, 'near'), 'utf8'), 'inside')
})

test('a backup in gzip comes back as it was', async () => {
  const content = randomBytes(300_000)
  await writeFile(join(world.data, 'level.dat'), content)
  await chmod(join(world.data, 'level.dat'), 0o640)
  const { uid } = await stat(world.data)
  const { backupId, state } = await world.back({ format: 'gzip' })
  assert.equal(state, 'ready')
  await writeFile(join(world.data, 'level.dat'), 'spoilt')
  await writeFile(join(world.data, 'extra'), 'since')
  await world.acme.restoreBackup({
    params: { serverId: world.serverId, backup: backupId },
    body: { deleteOthers: true },
  })
  await stopped()
  assert.deepEqual(await readFile(join(world.data, 'level.dat')), content)
  const now = await stat(join(world.data, 'level.dat'))
  assert.deepEqual([now.mode & 0o777, now.uid], [0o640, uid])
  assert.ok(!(await readdir(world.data)).includes('extra'))
})

test('an archive that somebody changed is not restored, in either format (archive set: restore)', async () => {
  for (const format of ['gzip', 'zstd'] as const) {
    const { backupId } = await world.back({ format })
    const archive = join(world.archives, `${backupId}.archive`)
    const bytes = await readFile(archive)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff
    await writeFile(archive, bytes)
    await writeFile(join(world.data, 'level.dat'), 'stays')
    await world.acme
      .restoreBackup({ params: { serverId: world.serverId, backup: backupId }, body: { deleteOthers: true } })
      .catch(() => undefined)
    await eventually(async () => (await world.status()) !== 'restoring', 'it has ended')
    assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'stays')
  }
})

/** A download that has begun and is read no further; `end` resolves to whether all of it came once it is read again. */
async function slowDownload(url: string): Promise<{ end(): Promise<'whole' | 'cut'> }> {
  const reply = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get(url, { agent: false }, resolve).on('error', reject)
  })
  assert.equal(reply.statusCode, 200)
  const expected = Number(reply.headers['content-length'])
  let received = 0
  return {
    end: () =>
      new Promise((resolve) => {
        reply.on('data', (chunk: Buffer) => {
          received += chunk.length
        })
        reply.on('error', () => undefined)
        reply.once('close', () => resolve(received === expected ? 'whole' : 'cut'))
      }),
  }
}

test('a download under way is cut when its key is revoked or the permission is taken; another one goes on (CVE-2025-68954)', async () => {
  // More than what all buffers between the disk and a reader that does not read can hold, and nothing that packs well.
  await writeFile(join(world.data, 'large'), randomBytes(48 * 1024 * 1024))
  const { backupId } = await world.back()
  const bob = await addMember(world, 'bob@example.com')
  const subuser = await world.acme.createSubuser({
    params: { serverId: world.serverId },
    body: { userEmail: 'bob@example.com', permissions: ['backups.read', 'backups.download'] },
  })
  const begin = async (key: string) => {
    const { downloadUrl } = await world
      .client(key)
      .downloadBackup({ params: { serverId: world.serverId, backup: backupId } })
    return slowDownload(downloadUrl.replace(/^http:\/\/[^/]+/, new URL(world.api).origin))
  }
  const { id, token } = await world.acme.createToken({ body: { label: 'short' } })
  const byKey = await begin(token)
  const byPermission = await begin(bob.key)
  const untouched = await begin(world.key)
  await world.acme.revokeToken({ params: { id } })
  await world.acme.updateSubuser({
    params: { serverId: world.serverId, subuser: subuser.userId },
    body: { permissions: ['backups.read'] },
  })
  assert.equal(await byKey.end(), 'cut')
  assert.equal(await byPermission.end(), 'cut')
  assert.equal(await untouched.end(), 'whole')
})
