import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { S3mini } from 's3mini'
import { type S3Place, s3Read, s3Remove, s3Upload } from '../../src/lib/s3.ts'
import { Secret } from '../../src/lib/secret.ts'
import { patienceMs } from '../patience.ts'
import { type Swift, startSwift } from '../swift.ts'
import { startBackupsWorld } from '../world/backups-world.ts'
import { eventually } from '../world/panel.ts'

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const pieces = async function* (bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 300_000) yield bytes.subarray(at, at + 300_000)
}

test('backups in a real S3 store', async (t) => {
  const swift = await startSwift(t)
  if (!swift) return
  await t.test('uploads in parts, ranges, removal, and nothing left of what fails', () => objects(swift))
  await t.test('through the API: made, downloaded, restored, cut off and deleted', (inner) => throughApi(inner, swift))
})

async function objects(swift: Swift): Promise<void> {
  const place: S3Place = {
    endpoint: swift.endpoint,
    bucket: 'backups',
    region: 'us-east-1',
    accessKeyId: new Secret(swift.accessKeyId),
    secretAccessKey: new Secret(swift.secretAccessKey),
  }
  const direct = new S3mini({ ...swift, endpoint: `${swift.endpoint}/backups`, region: 'us-east-1' })
  await direct.createBucket()
  const signal = AbortSignal.timeout(patienceMs)
  const content = randomBytes(20 * 1024 * 1024 + 123)
  const key = 'backups/1a7ce997/wörld #1.tar.zst'
  await s3Upload(place, key, pieces(content), { expectedBytes: 1, signal })
  const read = async (range: { first?: number; last?: number }) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of await s3Read(place, key, { ...range, signal })) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  assert.equal(hashOf(await read({})), hashOf(content))
  assert.deepEqual(await read({ first: 10_000_000, last: 10_000_099 }), content.subarray(10_000_000, 10_000_100))
  assert.deepEqual(await read({ first: content.length - 5 }), content.subarray(-5))

  const stopping = new AbortController()
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (let n = 0; ; n += 1) {
      if (n === 30) stopping.abort(new Error('enough'))
      yield randomBytes(1024 * 1024)
    }
  }
  await assert.rejects(
    s3Upload(place, 'half', endless(), { expectedBytes: 1, signal: AbortSignal.any([stopping.signal, signal]) }),
  )
  // As a node that is killed leaves it: begun, and nobody to end it.
  await direct.uploadPart('left', await direct.getMultipartUploadId('left'), randomBytes(5 * 1024 * 1024), 1)
  await s3Remove(place, 'left', signal)
  await s3Remove(place, key, signal)
  await s3Remove(place, key, signal)
  await assert.rejects(read({}), /does not have it/)
  const left = JSON.stringify(await direct.listMultipartUploads('/', ''))
  assert.ok(!left.includes('half') && !left.includes('left'), left)

  const wrong = { ...place, secretAccessKey: new Secret('wrong') }
  await assert.rejects(s3Upload(wrong, 'never', pieces(content), { expectedBytes: 1, signal }), (error: Error) => {
    assert.match(error.message, /the store answered 403/)
    assert.ok(!JSON.stringify([error.message, error]).includes('wrong'))
    return true
  })
  await assert.rejects(
    s3Remove({ ...place, endpoint: 'http://127.0.0.1:1' }, key, signal),
    /the store cannot be reached/,
  )
}

async function throughApi(t: TestContext, swift: Swift): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-s3-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const world = await startBackupsWorld(
    { kind: 'sqlite', file: join(folder, 'panel.db') },
    {
      linked: false,
      config: { backups: { store: { kind: 's3', endpoint: swift.endpoint, bucket: 'backups' } } },
      secrets: {
        backupKeys: {
          accessKeyId: new Secret(swift.accessKeyId),
          secretAccessKey: new Secret(swift.secretAccessKey),
        },
      },
    },
  )
  t.after(() => world[Symbol.asyncDispose]())
  const { acme, serverId } = world
  const direct = new S3mini({ ...swift, endpoint: `${swift.endpoint}/backups`, region: 'us-east-1' })
  const objectsThere = async () => ((await direct.listObjects()) ?? []).map(({ Key }) => Key)
  await writeFile(join(world.data, 'level.dat'), randomBytes(9 * 1024 * 1024))
  const original = hashOf(await readFile(join(world.data, 'level.dat')))
  const backup = await world.back()
  assert.equal(backup.state, 'ready', backup.message ?? '')
  assert.deepEqual(await objectsThere(), [`backups/${serverId}/${backup.backupId}.tar.zst`])
  assert.deepEqual(await readdir(world.archives), [`${backup.backupId}.json`])
  assert.ok(!(await readFile(join(world.archives, `${backup.backupId}.json`), 'utf8')).includes('testing'))
  const params = { serverId, backup: backup.backupId }
  const { downloadUrl } = await acme.downloadBackup({ params })
  const url = downloadUrl.replace(/^http:\/\/[^/]+/, new URL(world.api).origin)
  const whole = Buffer.from(await (await fetch(url)).arrayBuffer())
  assert.equal(hashOf(whole), backup.checksum)
  const part = await fetch(url, { headers: { range: 'bytes=5-104' } })
  assert.deepEqual([part.status, Buffer.from(await part.arrayBuffer())], [206, whole.subarray(5, 105)])
  await writeFile(join(folder, 'out.tar.zst'), whole)
  assert.equal((await promisify(execFile)('tar', ['-tf', join(folder, 'out.tar.zst')])).stdout, 'level.dat\n')
  await writeFile(join(world.data, 'level.dat'), 'spoilt')
  await acme.restoreBackup({ params })
  await eventually(async () => (await world.status()) === 'offline', 'the restore has ended')
  assert.equal(hashOf(await readFile(join(world.data, 'level.dat'))), original)

  await writeFile(join(world.data, 'noise'), randomBytes(40 * 1024 * 1024))
  await writeFile(join(world.data, 'sparse'), '')
  await truncate(join(world.data, 'sparse'), 3_800 * 1024 * 1024)
  const cut = await acme.createBackup({ params: { serverId }, body: { format: 'gzip' } })
  const cutParams = { serverId, backup: cut.backupId }
  const uploads = async () => JSON.stringify(await direct.listMultipartUploads('/', ''))
  await eventually(async () => (await uploads()).includes(cut.backupId), 'the upload has begun')
  world.child?.kill('SIGKILL')
  await eventually(async () => (await world.status()) === 'unknown', 'the node is away')
  await world.startApart()
  const failed = await eventually(async () => {
    const found = await acme.backup({ params: cutParams })
    return found.state === 'failed' ? found : null
  }, 'the panel knows that it failed')
  assert.match(failed.message ?? '', /stopped before the backup was complete/)
  await eventually(async () => !(await uploads()).includes(cut.backupId), 'the unfinished upload is gone')

  await acme.deleteServer({ params: { serverId } })
  await eventually(async () => (await objectsThere()).length === 0, 'the objects are gone')
}
