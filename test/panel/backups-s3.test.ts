import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { createServer, getCACertificates, setDefaultCACertificates } from 'node:tls'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { S3mini } from 's3mini'
import { certificateFor } from '../../src/edge/testing/certificates.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type S3Place, s3Read, s3Remove, s3Upload } from '../../src/lib/s3.ts'
import { Secret } from '../../src/lib/secret.ts'
import { createResticPrograms } from '../../src/node/backups/incremental/programs.ts'
import { Repositories } from '../../src/node/backups/incremental/repositories.ts'
import { BackupPlace } from '../../src/node/backups/place.ts'
import { patienceMs } from '../patience.ts'
import { needsRestic } from '../restic.ts'
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
  await t.test('incremental: made, added to, looked into, restored in part, checked, cleared away', (inner) =>
    needsRestic(inner) ? incremental(inner, swift) : undefined,
  )
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
  assert.deepEqual(
    (await world.filesIn(backup.backupId)).map(({ name, size }) => [name, size]),
    [['level.dat', 9 * 1024 * 1024]],
  )
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

/** Swift behind TLS, which restic needs of it, and of an authority that this process trusts from now on. */
async function withTls(t: TestContext, { endpoint }: Swift): Promise<string> {
  const { certificate: cert, key } = await certificateFor(['localhost'])
  setDefaultCACertificates([...getCACertificates('default'), cert])
  const sockets = new Set<Socket>()
  const kept = (socket: Socket): Socket => {
    sockets.add(socket)
    // It is both ends of a pipeline, which listens to each.
    return socket
      .setMaxListeners(0)
      .on('error', () => undefined)
      .once('close', () => sockets.delete(socket))
  }
  const server = createServer({ cert, key }, (outer) => {
    const inner = kept(connect(Number(new URL(endpoint).port), '127.0.0.1'))
    pipeline(kept(outer), inner, outer, () => undefined)
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

async function incremental(t: TestContext, swift: Swift): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-s3-restic-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const endpoint = await withTls(t, swift)
  const world = await startBackupsWorld(
    { kind: 'sqlite', file: join(folder, 'panel.db') },
    {
      config: { backups: { engine: 'restic', store: { kind: 's3', endpoint, bucket: 'backups' } } },
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
  const kept = async () => ((await direct.listObjects('/', `backups/${serverId}/`)) ?? []).map(({ Key }) => Key)
  await writeFile(join(world.data, 'region'), randomBytes(6 * 1024 * 1024))
  await writeFile(join(world.data, 'level.dat'), 'level')

  const first = await world.back({ name: 'First' })
  assert.equal(first.state, 'ready', first.message ?? '')
  await writeFile(join(world.data, 'level.dat'), 'newer')
  const second = await world.back({ name: 'Second' })
  assert.equal(second.state, 'ready', second.message ?? '')
  assert.ok(first.size > 6e6 && second.size < 100_000, `${first.size} and ${second.size}`)
  assert.ok((await kept()).every((key) => key.includes('.repository/')))

  assert.deepEqual(
    (await world.filesIn(first.backupId)).map(({ name, size }) => [name, size]),
    [
      ['level.dat', 5],
      ['region', 6 * 1024 * 1024],
    ],
  )
  await writeFile(join(world.data, 'region'), 'mine')
  await acme.restoreBackup({ params: { serverId, backup: first.backupId }, body: { files: ['level.dat'] } })
  await eventually(async () => (await world.status()) === 'offline', 'the restore has ended')
  assert.equal(await readFile(join(world.data, 'level.dat'), 'utf8'), 'level')
  assert.equal(await readFile(join(world.data, 'region'), 'utf8'), 'mine')

  const checked = async () => {
    await acme.verifyBackups({ params: { serverId } })
    return eventually(async () => {
      const found = await acme.backupVerification({ params: { serverId } })
      return found.state === 'running' ? null : found
    }, 'the check has ended')
  }
  const intact = await checked()
  assert.deepEqual([intact.state, intact.backups], ['intact', 2], intact.message ?? '')

  // Nothing of the keys or the password is on the node's disk.
  for (const name of await readdir(world.archives))
    if (name.endsWith('.json'))
      assert.doesNotMatch(await readFile(join(world.archives, name), 'utf8'), /testing|password/)

  await refusals(t, swift, endpoint)

  for (const { backupId } of [first, second]) await acme.deleteBackup({ params: { serverId, backup: backupId } })
  await eventually(
    async () => !(await kept()).some((key) => /\/(?:data|snapshots)\//.test(key)),
    'what nobody needs is cleared away',
  )
}

/** What is said of a store that cannot be used, and that nothing of its keys is said. */
async function refusals(t: TestContext, swift: Swift, endpoint: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-s3-refused-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const said: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => void said.push(line) })
  await using repositories = new Repositories({
    ...{ place: new BackupPlace(folder), clock: systemClock, log },
    programs: createResticPrograms({ debian: null, log }),
  })
  const store = {
    kind: 's3' as const,
    endpoint,
    bucket: 'backups',
    region: 'us-east-1',
    key: 'other',
    ...swiftKeys(swift),
  }
  const password = 'p'.repeat(40)
  const cases: [what: string, change: Partial<typeof store>, words: RegExp][] = [
    ['keys', { secretAccessKey: 'a-wrong-secret' }, /refuses the keys.*PHAROS_BACKUPS_S3_KEY/],
    ['bucket', { bucket: 'gone' }, /bucket of the backup store is not there.*backups-s3-bucket/s],
    ['address', { endpoint: 'https://localhost:1' }, /cannot be reached from this node.*backups-s3-endpoint/],
    ['plain HTTP', { endpoint: swift.endpoint }, /plain HTTP.*https address/],
  ]
  for (const [what, change, words] of cases) {
    const order = { store: { ...store, ...change }, password, server: serverKey, id: 'bak_0000000000000000' }
    const signal = AbortSignal.timeout(patienceMs)
    const facts = { data: folder, ignored: '', claimedBytesMax: 1e9, progress: () => undefined, signal }
    await assert.rejects(repositories.back({ ...order, ...facts }), { code: 'conflict', message: words }, what)
  }
  const direct = new S3mini({ ...swift, endpoint: `${swift.endpoint}/gone`, region: 'us-east-1' })
  assert.equal(await direct.bucketExists(), false, 'no bucket is made')
  assert.doesNotMatch(said.join(''), /testing|a-wrong-secret|pppp/)
}

const serverKey = '1a7ce997'
const swiftKeys = ({ accessKeyId, secretAccessKey }: Swift) => ({ accessKeyId, secretAccessKey })
