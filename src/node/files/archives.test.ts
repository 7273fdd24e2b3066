import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { ZipFile } from 'yazl'
import { tar } from '../extraction/testing.ts'
import { compress } from './compress.ts'
import { decompress } from './decompress.ts'
import { noSignal, openTestFiles } from './testing.ts'

const run = promisify(execFile)

async function zip(entries: { name: string; content?: string | Buffer; mode?: number }[]): Promise<Buffer> {
  const file = new ZipFile()
  for (const { name, content = '', mode = 0o100644 } of entries)
    file.addBuffer(Buffer.from(content as string), name, { mode })
  file.end()
  return buffer(file.outputStream as never)
}

/** Replaces a name of a zip by another of the same length, which its writer would not have taken. */
function renamed(archive: Buffer, from: string, to: string): Buffer {
  assert.equal(Buffer.byteLength(from), Buffer.byteLength(to))
  const bytes = Buffer.from(archive)
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) bytes.write(to, at)
  return bytes
}

async function unpack(t: TestContext, name: string, archive: Buffer, limit?: number) {
  const world = await openTestFiles(t, limit)
  await writeFile(join(world.root, name), archive)
  const outcome = decompress(world.files, { file: `/${name}`, root: '/', overwrite: false, signal: noSignal })
  return { ...world, outcome }
}

async function refuses(t: TestContext, name: string, archive: Buffer, words: RegExp, limit?: number): Promise<void> {
  const { outcome, root, outside, folder } = await unpack(t, name, archive, limit)
  await assert.rejects(outcome, (error: Error) => {
    assert.match(error.message, words)
    return (error as { code?: string }).code === 'conflict'
  })
  assert.deepEqual(await readdir(root), [name], 'nothing is left of it')
  assert.deepEqual(await readdir(outside), [])
  assert.deepEqual(await readdir(join(folder, 'scratch')), [])
}

const file = { name: 'dir/file.txt', content: 'hello' }

for (const [name, make] of Object.entries({
  'a.tar': () => tar([file]),
  'a.tar.gz': () => gzipSync(tar([file])),
  'a.tgz': () => gzipSync(tar([file])),
  'a.tar.zst': () => zstdCompressSync(tar([file])),
  'a.zip': () => zip([file]),
}))
  test(`unpacks ${name} as the server's own user`, async (t) => {
    const { outcome, root, files } = await unpack(t, name, await make())
    assert.deepEqual(await outcome, { files: 1, bytes: 5 })
    assert.equal(await readFile(join(root, 'dir/file.txt'), 'utf8'), 'hello')
    if (files.root.owner) assert.equal((await stat(join(root, 'dir/file.txt'))).uid, files.root.owner.uid)
  })

test('unpacks a single compressed file beside itself, and never over another', async (t) => {
  const { outcome, root, files } = await unpack(t, 'level.dat.gz', gzipSync('content'))
  await outcome
  assert.equal(await readFile(join(root, 'level.dat'), 'utf8'), 'content')
  await assert.rejects(
    decompress(files, { file: '/level.dat.gz', root: '/', overwrite: false, signal: noSignal }),
    /exists already/,
  )
  await writeFile(join(root, 'level.dat'), 'mine')
  await decompress(files, { file: '/level.dat.gz', root: '/', overwrite: true, signal: noSignal })
  assert.equal(await readFile(join(root, 'level.dat'), 'utf8'), 'content')
})

test('adds to folders that are there, or, where a file is in the way, changes nothing', async (t) => {
  const { outcome, root, files } = await unpack(t, 'a.tar', tar([file, { name: 'dir/new.txt', content: 'new' }]))
  await outcome
  await writeFile(join(root, 'b.tar'), tar([{ name: 'dir/third.txt', content: 'x' }, file]))
  await assert.rejects(
    decompress(files, { file: '/b.tar', root: '/', overwrite: false, signal: noSignal }),
    /exists already/,
  )
  assert.deepEqual((await readdir(join(root, 'dir'))).sort(), ['file.txt', 'new.txt'])
  await decompress(files, { file: '/b.tar', root: '/', overwrite: true, signal: noSignal })
  assert.deepEqual((await readdir(join(root, 'dir'))).sort(), ['file.txt', 'new.txt', 'third.txt'])
})

test('refuses a tar entry that climbs out', (t) =>
  refuses(t, 'a.tar', tar([file, { name: '../x', content: 'x' }]), /leave the folder/))
test('refuses a tar entry that climbs out in the middle', (t) =>
  refuses(t, 'a.tar', tar([{ name: 'a/../../x', content: 'x' }]), /leave the folder/))
test('refuses an absolute tar entry', (t) =>
  refuses(t, 'a.tar', tar([{ name: '/tmp/x', content: 'x' }]), /leave the folder/))
test('refuses a PAX path that climbs out', (t) =>
  refuses(t, 'a.tar', tar([{ name: 'ok', content: 'x', pax: { path: '../x' } }]), /leave the folder/))
test('refuses a file through a link that the archive made before', (t) =>
  refuses(
    t,
    'a.tar',
    tar([
      { name: 'real/', type: '5' },
      { name: 'd', type: '2', link: 'real' },
      { name: 'd/x', content: 'x' },
    ]),
    /twice/,
  ))
for (const link of ['/etc', '../outside', 'a/../../outside', '..', 'x/..'])
  test(`refuses a link to ${link}`, (t) => refuses(t, 'a.tar', tar([{ name: 'd', type: '2', link }]), /leads out/))
test('refuses a hard link to what is not in the archive', (t) =>
  refuses(
    t,
    'a.tar',
    tar([{ name: 'h', type: '1', link: '/etc/passwd' }]),
    /leave the folder|not a file of this archive/,
  ))
for (const [type, what] of [
  ['3', 'device'],
  ['4', 'device'],
  ['6', 'fifo'],
] as const)
  test(`refuses an entry of type ${type}, a ${what}`, (t) =>
    refuses(t, 'a.tar', tar([{ name: 'x', type }]), new RegExp(what)))
test('refuses an entry that comes twice', (t) => refuses(t, 'a.tar', tar([file, file]), /twice/))
test('refuses a file where a folder was', (t) =>
  refuses(
    t,
    'a.tar',
    tar([
      { name: 'a/b', content: 'x' },
      { name: 'a', content: 'x' },
    ]),
    /twice/,
  ))
test('refuses a name that is not UTF-8', (t) =>
  refuses(t, 'a.tar', tar([{ name: Buffer.from([0x61, 0xff, 0xfe]), content: 'x' }]), /UTF-8/))
test('refuses a name with a backslash', (t) =>
  refuses(t, 'a.tar', tar([{ name: '..\\x', content: 'x' }]), /leave the folder/))
test('refuses a name longer than 255 bytes', (t) =>
  refuses(t, 'a.tar', tar([{ name: 'x', content: 'x', pax: { path: 'n'.repeat(256) } }]), /longer than 255/))
test('refuses what is ten thousand folders deep', (t) =>
  refuses(t, 'a.tar', tar([{ name: 'x', content: 'x', pax: { path: `${'d/'.repeat(10_000)}x` } }]), /deep/))
test('refuses a tar that ends before its content', (t) =>
  refuses(t, 'a.tar', tar([{ name: 'x', content: 'x', size: 1_000_000 }]).subarray(0, 1024), /broken/))
test('refuses a broken archive of each kind', async (t) => {
  for (const name of ['a.zip', 'a.tar', 'a.tar.gz', 'a.tar.zst', 'a.gz', 'a.zst'])
    await refuses(t, name, Buffer.from('not an archive, but long enough to be looked at'.repeat(20)), /broken/)
})
test('refuses a bomb that is a thousand times its size, in each wrapping', async (t) => {
  const zeros = Buffer.alloc(80 * 1024 * 1024)
  const roomy = 10 * 1024 * 1024 * 1024
  await refuses(
    t,
    'a.tar.zst',
    zstdCompressSync(tar([{ name: 'zeros', content: zeros }])),
    /far more than its own size/,
    roomy,
  )
  await refuses(t, 'a.zst', zstdCompressSync(zeros), /far more than its own size/, roomy)
})
test('unpacks one level of a bomb in a bomb, and refuses the next', async (t) => {
  const inner = zstdCompressSync(tar([{ name: 'zeros', content: Buffer.alloc(80 * 1024 * 1024) }]))
  const roomy = 10 * 1024 * 1024 * 1024
  const world = await unpack(t, 'outer.zip', await zip([{ name: 'inner.tar.zst', content: inner }]), roomy)
  await world.outcome
  assert.deepEqual((await readdir(world.root)).sort(), ['inner.tar.zst', 'outer.zip'])
  assert.deepEqual(await readFile(join(world.root, 'inner.tar.zst')), inner)
  await refuses(t, 'inner.tar.zst', inner, /far more than its own size/, roomy)
})
const roomyBytes = 10 * 1024 * 1024 * 1024
/** A zip whose directory claims so many entries. */
function claiming(count: bigint): Buffer {
  const zip64 = Buffer.alloc(56)
  zip64.writeUInt32LE(0x06064b50, 0)
  zip64.writeBigUInt64LE(44n, 4)
  zip64.writeBigUInt64LE(count, 24)
  zip64.writeBigUInt64LE(count, 32)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50, 0)
  locator.writeUInt32LE(1, 16)
  const end = Buffer.alloc(22, 0xff)
  end.writeUInt32LE(0x06054b50, 0)
  end.fill(0, 4, 8)
  end.writeUInt16LE(0, 20)
  return Buffer.concat([zip64, locator, end])
}
test('refuses a zip of a million entries before the first is written', (t) =>
  refuses(t, 'a.zip', claiming(1_000_000n), /more than 500000 entries/, roomyBytes))
test('refuses more entries than the disk limit leaves files', (t) =>
  refuses(t, 'a.zip', claiming(120_000n), /left of the 100000 files that a server of this disk limit may have/))
test('refuses a tar of more than a million entries that make nothing', async (t) => {
  const folder = tar([{ name: 'd', type: '5' }]).subarray(0, 512)
  const thousands = gzipSync(Buffer.alloc(1_000 * 512, folder))
  await refuses(
    t,
    'a.tar.gz',
    Buffer.concat(Array<Buffer>(1_001).fill(thousands)),
    /more than 500000 entries/,
    roomyBytes,
  )
})
test('refuses what is more than the disk limit leaves', async (t) => {
  await refuses(
    t,
    'a.tar.gz',
    gzipSync(tar([{ name: 'zeros', content: Buffer.alloc(5_000_000) }])),
    /disk limit leaves/,
    4_000_000,
  )
  await refuses(
    t,
    'a.zip',
    await zip([{ name: 'zeros', content: Buffer.alloc(5_000_000) }]),
    /disk limit leaves/,
    4_000_000,
  )
})
test('a sparse or lying size cannot fill more than it brings', (t) =>
  refuses(t, 'a.tar', tar([{ name: 'x', pax: { size: String(2 ** 42) } }]), /broken/))
test('takes away setuid, setgid and sticky bits', async (t) => {
  const { outcome, root } = await unpack(t, 'a.tar', tar([{ name: 'x', content: 'x', mode: 0o7755 }]))
  await outcome
  assert.equal((await stat(join(root, 'x'))).mode & 0o7777, 0o755)
})
test('keeps links and hard links inside', async (t) => {
  const { outcome, root } = await unpack(
    t,
    'a.tar',
    tar([
      file,
      { name: 'dir/link', type: '2', link: '../dir/file.txt' },
      { name: 'hard', type: '1', link: 'dir/file.txt' },
    ]),
  )
  await outcome
  assert.equal(await readFile(join(root, 'dir/link'), 'utf8'), 'hello')
  assert.equal(await readFile(join(root, 'hard'), 'utf8'), 'hello')
})
test('keeps names apart that differ by case, and odd ones as they are', async (t) => {
  const { outcome, root } = await unpack(
    t,
    'a.tar',
    tar([
      { name: 'A', content: '1' },
      { name: 'a', content: '2' },
      { name: 'x::$DATA', content: '3' },
    ]),
  )
  await outcome
  assert.deepEqual((await readdir(root)).sort(), ['A', 'a', 'a.tar', 'x::$DATA'])
})
test('refuses zip entries that climb out, are absolute, come twice, are links out, or lie about their size', async (t) => {
  const good = await zip([{ name: 'aa/evil', content: 'x' }])
  await refuses(t, 'a.zip', renamed(good, 'aa/evil', '../evil'), /broken|leave/)
  await refuses(t, 'b.zip', renamed(good, 'aa/evil', '/tmp/ev'), /broken|leave/)
  await refuses(t, 'c.zip', renamed(good, 'aa/evil', 'a\\..\\ev'.slice(0, 7)), /broken|leave/)
  await refuses(t, 'd.zip', renamed(await zip([{ name: 'one' }, { name: 'two' }]), 'two', 'one'), /twice/)
  await refuses(t, 'e.zip', await zip([{ name: 'link', content: '/etc/passwd', mode: 0o120777 }]), /leads out/)
  await refuses(t, 'f.zip', await zip([{ name: 'pipe', mode: 0o010644 }]), /device or pipe/)
  const lying = await zip([{ name: 'zeros', content: Buffer.alloc(100_000) }])
  const directory = lying.lastIndexOf(Buffer.from('PK\x01\x02'))
  lying.writeUInt32LE(10, directory + 24)
  await refuses(t, 'g.zip', lying, /broken/)
})

test('packs what was chosen, and what it packs is what comes out', async (t) => {
  const { files, root, outside } = await openTestFiles(t)
  await mkdir(join(root, 'world/region'), { recursive: true })
  await writeFile(join(root, 'world/region/r.mca'), 'region')
  await writeFile(join(root, 'ops.json'), '[]')
  await writeFile(join(root, 'secret.txt'), 'not this')
  await symlink(outside, join(root, 'world/out'))
  await writeFile(join(outside, 'canary'), 'canary')
  for (const [name, list] of [
    ['w.tar.gz', ['tar', 'tzf']],
    ['w.tar', ['tar', 'tf']],
    ['w.tar.zst', null],
    ['w.zip', null],
  ] as const) {
    const made = await compress(files, { root: '/', names: ['world', 'ops.json'], name, signal: noSignal })
    assert.equal(made.path, `/${name}`)
    assert.equal((await stat(join(root, name))).size, made.size)
    const [command, option] = list ?? []
    if (command && option) {
      const { stdout } = await run(command, [option, join(root, name)])
      assert.ok(
        stdout.includes('world/region/r.mca') &&
          stdout.includes('ops.json') &&
          !stdout.includes('secret') &&
          !stdout.includes('canary'),
        stdout,
      )
    }
  }
  await mkdir(join(root, 'there'))
  // Its link leads out, and so is refused, while a zip leaves links out.
  await assert.rejects(
    decompress(files, { file: '/w.tar.gz', root: '/there', overwrite: false, signal: noSignal }),
    /leads out/,
  )
  await decompress(files, { file: '/w.zip', root: '/there', overwrite: false, signal: noSignal })
  assert.equal(await readFile(join(root, 'there/world/region/r.mca'), 'utf8'), 'region')
  assert.ok((await lstat(join(root, 'there'))).isDirectory())
})
test('names an archive that nobody named, and takes no name twice', async (t) => {
  const { files, root } = await openTestFiles(t)
  await writeFile(join(root, 'a'), 'a')
  const pack = (name?: string) => compress(files, { root: '/', names: ['a'], name, signal: noSignal })
  assert.equal((await pack()).path, '/archive.tar.gz')
  assert.equal((await pack()).path, '/archive-2.tar.gz')
  await pack('mine.zip')
  await assert.rejects(pack('mine.zip'), /exists already/)
  await assert.rejects(pack('mine.rar'), /ends in/)
  await assert.rejects(pack('../x.zip'), /ends in|plain path/)
  await assert.rejects(compress(files, { root: '/', names: ['none'], signal: noSignal }), { code: 'not_found' })
})
test('packing stops at the disk limit and leaves nothing', async (t) => {
  const { files, root, folder } = await openTestFiles(t, 3_000_000)
  const { randomBytes } = await import('node:crypto')
  await writeFile(join(root, 'noise'), randomBytes(2_000_000))
  await assert.rejects(compress(files, { root: '/', names: ['noise'], signal: noSignal }), /disk limit/)
  assert.deepEqual(await readdir(root), ['noise'])
  assert.deepEqual(await readdir(join(folder, 'scratch')), [])
})
