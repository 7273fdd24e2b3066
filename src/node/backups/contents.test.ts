import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { randomText } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { type Entry, tar } from '../extraction/testing.ts'
import { type ArchiveOrder, Contents } from './contents.ts'
import { entriesToldMax } from './incremental/limits.ts'
import { BackupPlace } from './place.ts'

const server = '1a7ce997'
const root = await mkdtemp(join(tmpdir(), 'pharos-contents-'))
const place = new BackupPlace(root)
const entriesMax = entriesToldMax + 10
const contents = new Contents({ place, log: silentLog, answerMs: 100, entriesMax })
await mkdir(place.folder(server))
after(async () => {
  await contents[Symbol.asyncDispose]()
  await rm(root, { recursive: true, force: true })
})

/** An archive among the backups, and what a panel says of it. */
async function kept(archive: Buffer, said: Partial<ArchiveOrder> = {}): Promise<{ id: string; order: ArchiveOrder }> {
  const id = `bak_${randomText(16)}`
  await writeFile(place.archive(server, id), archive)
  const checksum = createHash('sha256').update(archive).digest('hex')
  return { id, order: { store: { kind: 'local' }, format: 'zstd', checksum, size: archive.length, path: '', ...said } }
}

/** What is in the folder once the archive has been read. */
async function look({ id, order }: { id: string; order: ArchiveOrder }, path = '') {
  for (;;) {
    const found = await contents.files(server, id, { ...order, path })
    if (!found.reading) return found
  }
}

const packed = (...entries: Entry[]): Buffer => zstdCompressSync(tar(entries))
const file = (name: Entry['name'], content = 'x'): Entry => ({ name, content })
const world: Entry[] = [
  { name: 'world/', type: '5', modified: 1_100_000_000 },
  { ...file('world/level.dat', 'level'), modified: 1_000_000_000 },
  file('world/region/r.mca', 'region'),
  { name: 'out', type: '2', link: '/etc/passwd' },
  { name: 'hollow/', type: '5' },
  file(Buffer.from([0x6e, 0xff])),
  { ...file('short'), pax: { path: `deep/${'n'.repeat(200)}` } },
]

test('lists a folder by name, with kinds, sizes and times', async () => {
  const backup = await kept(packed(...world))
  const { entries, more } = await look(backup)
  assert.deepEqual(
    entries.map(({ name, kind }) => [name, kind]),
    [
      ['deep', 'folder'],
      ['hollow', 'folder'],
      ['n\ufffd', 'file'],
      ['out', 'link'],
      ['world', 'folder'],
    ],
  )
  assert.equal(more, false)
  // The folder `region` has no entry of its own.
  assert.deepEqual(
    (await look(backup, 'world')).entries.map(({ name, kind, size }) => [name, kind, size]),
    [
      ['level.dat', 'file', 5],
      ['region', 'folder', 0],
    ],
  )
  assert.equal((await look(backup, 'world')).entries[0]?.modifiedAt, 1e12)
  assert.deepEqual((await look(backup, 'hollow')).entries, [])
  assert.deepEqual((await look(backup, 'world/level.dat')).entries, [])
  assert.equal((await look(backup, 'deep')).entries[0]?.name, 'n'.repeat(200))
  for (const missing of ['worl', 'world/level', 'nothing', 'world/level.dat/x'])
    await assert.rejects(look(backup, missing), { code: 'not_found' })
})

test('reads an archive once, also for many who ask at once, and not again after a restart of the node', async () => {
  const backup = await kept(gzipSync(tar(world)), { format: 'gzip' })
  await Promise.all(Array.from({ length: 5 }, () => look(backup, 'world')))
  await rm(place.archive(server, backup.id))
  const again = new Contents({ place, log: silentLog })
  assert.equal((await again.files(server, backup.id, { ...backup.order, path: 'world' })).entries.length, 2)
})

test('what is kept of an archive and cannot be read any more is read again', async () => {
  const backup = await kept(packed(...world))
  await look(backup)
  await writeFile(place.names(server, backup.id), 'not what was written')
  await assert.rejects(look(backup), { code: 'conflict', message: /read again/ })
  assert.equal((await look(backup, 'world')).entries.length, 2)
})

test('says that there is more than it lists', async () => {
  const many = Array.from({ length: entriesToldMax + 1 }, (_, n) => file(`many/${n}`))
  const { entries, more } = await look(await kept(packed(...many)), 'many')
  assert.deepEqual([entries.length, more], [entriesToldMax, true])
})

test('refuses archives that somebody has altered, and keeps nothing of them', async () => {
  const good = packed(...world)
  const hostile: [what: string, archive: Buffer, why: RegExp, said?: Partial<ArchiveOrder>][] = [
    ['a path that climbs out', packed(file('level.dat'), file('../evil')), /leave the folder.*altered/],
    ['an absolute path', packed(file('/tmp/evil')), /leave the folder/],
    ['a name that no disk takes', packed({ ...file('x'), pax: { path: 'n'.repeat(256) } }), /longer than 255/],
    ['folders without end', packed({ ...file('x'), pax: { path: 'd/'.repeat(300) } }), /folders deep/],
    ['a device', packed({ name: 'sda', type: '4' }), /device/],
    ['records without end', packed({ name: 'x', type: 'x', size: 2 ** 30 }), /not the one that was made/],
    [
      'headers without end',
      zstdCompressSync(Buffer.alloc((2 * entriesMax + 1) * 512, tar([{ name: 'd', type: '5' }]).subarray(0, 512))),
      /more than \d+ files/,
    ],
    ['no archive', randomBytes(5_000), /not the one that was made/],
    ['another format', gzipSync(tar(world)), /not the one that was made/],
    ['an end in the middle', packed({ name: 'level.dat', content: 'x', size: 100_000 }), /not the one that was made/],
    ['half of it', good.subarray(0, good.length / 2), /not the one that was made/],
    ['another checksum', good, /not the one that was made/, { checksum: '0'.repeat(64) }],
    ['more than was made', good, /not the one that was made/, { size: good.length - 1 }],
  ]
  for (const [what, archive, why, said] of hostile) {
    const backup = await kept(archive, said)
    await assert.rejects(look(backup), { code: 'conflict', message: why }, what)
    // Asked again it is read again: a store may have been mended.
    await assert.rejects(look(backup), { code: 'conflict', message: why }, what)
    assert.ok(!(await readdir(place.folder(server))).some((name) => name.startsWith(`${backup.id}.names`)), what)
  }
})

test('times and sizes that nobody can tell are told as what can be', async () => {
  const { entries } = await look(await kept(packed({ ...file('x'), pax: { mtime: '1e300' } }, file('y'))))
  assert.equal(new Date(entries[0]?.modifiedAt ?? 0).getUTCFullYear(), 9999)
})

test('one that is gone is not found, and what is forgotten while it is read leaves nothing', async (t) => {
  const gone = await kept(packed(...world))
  await rm(place.archive(server, gone.id))
  await assert.rejects(look(gone), { code: 'not_found' })
  // A store that never sends the rest.
  const store = createServer((_, reply) => void reply.writeHead(200, { 'content-length': '1000' }).write('half'))
  t.after(() => {
    store.close()
    store.closeAllConnections()
  })
  await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve))
  const { port } = store.address() as AddressInfo
  const s3 = { kind: 's3' as const, endpoint: `http://127.0.0.1:${port}`, bucket: 'b', region: 'r', key: 'k' }
  const slow = await kept(packed(...world), { store: { ...s3, accessKeyId: 'a', secretAccessKey: 'b' }, size: 1000 })
  const first = await contents.files(server, slow.id, slow.order)
  assert.equal(first.reading?.bytesTotal, 1000)
  const waiting = assert.rejects(contents.files(server, slow.id, slow.order), { code: 'not_found' })
  await contents.forget(server, slow.id)
  await waiting
  await contents.forget(server, slow.id)
  assert.ok(!(await readdir(place.folder(server))).some((name) => name.startsWith(`${slow.id}.names`)))
})
