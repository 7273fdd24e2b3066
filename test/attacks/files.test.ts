import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { promisify } from 'node:util'
import { type FilesWorld, type Reply, startFilesWorld } from '../world/files-world.ts'
import { until } from '../world/servers-world.ts'

const run = promisify(execFile)

let world: FilesWorld
let root: string
/** What no request about the server's files may ever touch. */
let canary: string
before(async () => {
  world = await startFilesWorld()
  root = world.root()
  canary = join(world.folder, 'canary')
})
after(() => world?.[Symbol.asyncDispose]())
beforeEach(async () => {
  await rm(canary, { recursive: true, force: true })
  await mkdir(canary, { mode: 0o755 })
  await writeFile(join(canary, 'keep'), 'outside')
  await chmod(join(canary, 'keep'), 0o640)
  await utimes(join(canary, 'keep'), 1_600_000_000, 1_600_000_000)
  for (const name of await readdir(root)) await rm(join(root, name), { recursive: true, force: true })
  await writeFile(join(root, 'own.txt'), 'inside')
  const { uid, gid } = await stat(root)
  await run('chown', ['-R', `${uid}:${gid}`, root])
})

const untouched = async (): Promise<void> => {
  assert.deepEqual(await readdir(canary), ['keep'])
  assert.equal(await readFile(join(canary, 'keep'), 'utf8'), 'outside')
  const { mode, mtimeMs, uid } = await stat(join(canary, 'keep'))
  assert.deepEqual([mode & 0o7777, mtimeMs, uid], [0o640, 1_600_000_000_000, process.getuid?.()])
}

const upload = async (directory: string, file: string): Promise<Reply> => {
  const ticket = await world.ticket(directory).catch(() => null)
  return world.upload(ticket?.jwt ?? (await world.ticket()).jwt, { file: ticket ? file : `${directory}/${file}` }, 'x')
}

/** Every request that makes something at `to`, which lies in `folder`. */
const makers = (folder: string): [what: string, make: () => Promise<Reply>][] => [
  ['write', () => world.post('write', { file: `${folder}/x`, content: 'x' })],
  ['create-folder', () => world.post('create-folder', { name: 'x', path: folder })],
  ['copy', () => world.post('copy', { from: '/own.txt', to: `${folder}/x` })],
  ['rename', () => world.put('rename', { from: '/own.txt', to: `${folder}/x` })],
  ['upload', () => upload(folder, 'x')],
  ['compress', () => world.post('compress', { files: ['keep'], root: folder })],
  ['decompress', () => world.post('decompress', { file: '/a.tar', root: folder })],
  ['pull', () => world.post('pull', { url: 'http://127.0.0.1:9/x', directory: folder, name: 'x' })],
]

for (const [how, links] of [
  ['a link', { a: '{canary}' }],
  ['a relative link', { a: '../../../../{canary}' }],
  ['a chain of links', { a: 'b', b: 'c', c: '{canary}' }],
] as const)
  test(`nothing is made outside through ${how} that the game planted (CVE-2023-25152, MCSManager a992c115)`, async () => {
    for (const [name, to] of Object.entries(links)) {
      const up = '../'.repeat(root.split('/').length + 2)
      await symlink(to.startsWith('..') ? up + canary.slice(1) : to.replace('{canary}', canary), join(root, name))
    }
    await run('tar', ['-cf', join(root, 'a.tar'), '-C', root, 'own.txt'])
    for (const [what, make] of makers('/a')) {
      const { status, data, error } = await make()
      if (what === 'pull' && status === 200) {
        const done = await until('the pull is over', async () =>
          (await world.get('pulls')).data.find(
            (pull: { id: string; state: string }) => pull.id === data.id && pull.state !== 'running',
          ),
        )
        assert.equal(done.state, 'failed')
      } else assert.equal(status, 403, `${what}: ${error}`)
      await untouched()
    }
  })

test('nothing outside is deleted through a link; of the link only the link goes (CVE-2023-25168)', async () => {
  await symlink(canary, join(root, 'd'))
  assert.equal((await world.post('delete', { file: '/d/keep' })).status, 403)
  await untouched()
  await mkdir(join(root, 'folder'))
  await symlink(canary, join(root, 'folder/inner'))
  assert.equal((await world.post('delete', { file: '/folder' })).status, 200)
  await untouched()
  assert.equal((await world.post('delete', { file: '/d' })).status, 200)
  await untouched()
  assert.deepEqual(await readdir(root), ['own.txt'])
})

test('nothing outside is read through a link, to a folder or to a file (MCSManager 2a3f1d7e)', async () => {
  await symlink(canary, join(root, 'd'))
  await symlink(join(canary, 'keep'), join(root, 'f'))
  await symlink('/etc/passwd', join(root, 'passwd'))
  for (const reply of [
    await world.get('list', { directory: '/d' }),
    await world.get('contents', { file: '/d/keep' }),
    await world.get('contents', { file: '/f' }),
    await world.get('contents', { file: '/passwd' }),
    await world.get('download', { file: '/f' }),
  ])
    assert.equal(reply.status, 403, reply.error)
  const found = await world.get('search', { query: 'keep' })
  assert.deepEqual(found.data.files, [])
})

test('permission bits, owner and times of a file outside stay, through a link to it or to its folder (GHSA-rhq6-9rgh-v45c)', async () => {
  await symlink(join(canary, 'keep'), join(root, 'f'))
  await symlink(canary, join(root, 'd'))
  for (const file of ['/f', '/d/keep', '/d'])
    assert.equal((await world.post('chmod', { file, mode: '777' })).status, 403, file)
  // Writing keeps the mode and owner of the file that is there: of this one, never of what it leads to.
  assert.notEqual((await world.post('write', { file: '/f', content: 'x' })).status, 200)
  await untouched()
  assert.equal((await stat(canary)).mode & 0o7777, 0o755)
})

test('a name that sanitising would turn into a climb is refused, not rewritten (CVE-2026-13716, CVE-2026-0963)', async () => {
  for (const path of [
    '....//keep',
    '.../...//keep',
    '..././keep',
    '/....//....//etc/x',
    '..\\..\\x',
    '%2e%2e%2fx',
    '..%2fx',
  ]) {
    for (const [what, make] of makers(path)) {
      if (what === 'decompress') continue
      const { status, error } = await make()
      assert.ok(status === 400 || status === 403, `${what} ${path}: ${status} ${error}`)
    }
    assert.deepEqual(await readdir(root), ['own.txt'], path)
  }
  await untouched()
})

test('dots of other alphabets are ordinary letters and climb nowhere (MCSManager fc407762)', async () => {
  for (const name of ['\u2024\u2024', '\uff0e\uff0e', '\u3002\u3002', '\ufe52\ufe52']) {
    const { status } = await world.post('write', { file: `/${name}/x`, content: 'x' })
    assert.equal(status, 200)
    assert.equal(await readFile(join(root, name, 'x'), 'utf8'), 'x')
  }
  await untouched()
})

test('links survive packing and unpacking where they stay inside; one that leads out is never followed (P#5429)', async () => {
  await mkdir(join(root, 'worlds/one'), { recursive: true })
  await writeFile(join(root, 'worlds/one/level'), 'data')
  await symlink('one', join(root, 'worlds/current'))
  const packed = await world.post('compress', { files: ['worlds'] })
  assert.equal(packed.status, 200, packed.error)
  await mkdir(join(root, 'out'))
  const { uid, gid } = await stat(root)
  await run('chown', [`${uid}:${gid}`, join(root, 'out')])
  const unpacked = await world.post('decompress', { file: packed.data.archivePath, root: '/out' })
  assert.equal(unpacked.status, 200, unpacked.error)
  assert.equal(await readlink(join(root, 'out/worlds/current')), 'one')
  await symlink(canary, join(root, 'worlds/away'))
  const again = await world.post('compress', { files: ['worlds'] })
  if (again.status === 200) {
    const { stdout } = await run('tar', ['-tf', join(root, again.data.archivePath)])
    assert.ok(!stdout.includes('keep'), stdout)
  }
  await untouched()
})

test('a file may hold any byte, NUL too, and no name may (design: NUL)', async () => {
  const content = `\u0000\u0001binary\u0000${'\u0000'.repeat(10)}`
  const wrote = await world.post('write', { file: '/blob.bin', content })
  assert.equal(wrote.status, 200, wrote.error)
  assert.deepEqual(await readFile(join(root, 'blob.bin')), Buffer.from(content))
  const named = await world.post('write', { file: '/a\u0000b', content: 'x' })
  assert.ok(named.status === 400 || named.status === 403)
  assert.deepEqual((await readdir(root)).sort(), ['blob.bin', 'own.txt'])
})

test('a size that is claimed moves no counter past its end, below zero, or past the limit (Pelican fs_quota_test, CVE-2026-61617)', async () => {
  const used = async (): Promise<number> => (await world.get('space')).data.usedBytes
  const before = await used()
  const { jwt } = await world.ticket()
  for (const range of [
    'bytes 0-0/9223372036854775807',
    'bytes 0-0/18446744073709551616',
    'bytes 0-0/-1',
    'bytes 0-0/1e300',
    'bytes 1099511627776-1099511627776/1099511627777',
    'bytes 9223372036854775806-9223372036854775806/9223372036854775807',
    'bytes -5-0/10',
  ]) {
    const { status } = await world.upload(jwt, { file: 'claimed' }, 'x', { 'content-range': range })
    assert.ok(status === 400 || status === 409, `${range}: ${status}`)
  }
  const now = await used()
  assert.ok(now >= 0 && now <= before + 1024 * 1024, `${before} then ${now}`)
  assert.deepEqual(await readdir(root), ['own.txt'])
  assert.equal((await world.post('write', { file: '/after', content: 'fits' })).status, 200)
})

test('many uploads to one name at once leave a whole file and pass no limit (CVE-2026-61617)', async () => {
  const small = await world.newServer(16)
  const { jwt } = await world.ticket('/', small)
  const parts = Array.from({ length: 8 }, (_, n) => Buffer.alloc(3 * 1024 * 1024, n))
  const replies = await Promise.all(
    parts.map((part) => world.upload(jwt, { file: 'same', overwrite: 'true' }, Uint8Array.from(part), {}, small)),
  )
  assert.ok(replies.every(({ status }) => status === 200 || status === 409))
  const written = await readFile(join(world.root(small), 'same')).catch(() => Buffer.alloc(0))
  assert.ok(written.length === 0 || parts.some((part) => part.equals(written)), 'parts of several uploads were mixed')
  const { usedBytes, limitBytes } = (await world.get('space', {}, small)).data
  assert.ok(usedBytes <= limitBytes)
})

test('a settings file of 4 GB is not read into memory, by the editor or by a start (CVE-2026-52857)', async () => {
  await using file = await open(join(root, 'server.properties'), 'w')
  await file.truncate(4 * 1024 ** 3)
  const before = process.memoryUsage.rss()
  const { status, error } = await world.get('contents', { file: '/server.properties' })
  assert.ok(status === 409 || status === 413, error)
  const params = { serverId: world.server }
  await world.api.power({ params, body: { action: 'start' } }).catch(() => undefined)
  const settled = new Set(['running', 'offline'])
  await until('it has started or not', async () => settled.has((await world.api.server({ params })).status))
  await world.api.power({ params, body: { action: 'kill' } })
  await until('it is stopped', async () => (await world.api.server({ params })).status === 'offline')
  assert.ok(process.memoryUsage.rss() - before < 512 * 1024 * 1024)
})

test('a page that a game wrote does not run in the panel’s origin: downloads are attachments (CVE-2025-14701)', async () => {
  for (const name of ['x.html', 'x.svg', '"><script>alert(1)<\u2044script>.html', 'a\r\nSet-Cookie: x=1']) {
    if (name.includes('\r')) {
      // Such a name can only come from the game itself.
      await writeFile(join(root, name), '<script>alert(1)</script>')
      const { uid, gid } = await stat(root)
      await run('chown', [`${uid}:${gid}`, join(root, name)])
    } else
      assert.equal((await world.post('write', { file: `/${name}`, content: '<script>alert(1)</script>' })).status, 200)
    const asked = await world.get('download', { file: `/${name}` })
    if (asked.status !== 200) continue
    const reply = await fetch(asked.data.downloadUrl)
    await reply.arrayBuffer()
    assert.match(reply.headers.get('content-disposition') ?? '', /^attachment/)
    assert.equal(reply.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(reply.headers.get('set-cookie'), null)
    assert.match(reply.headers.get('content-security-policy') ?? '', /default-src 'none'/)
  }
  const { data } = await world.get('list', { directory: '/' })
  assert.ok(Array.isArray(data.files))
})

test('what is searched for is text and no pattern, however it looks (design: ReDoS)', async () => {
  const name = `${'a'.repeat(200)}!`
  assert.equal((await world.post('write', { file: `/${name}`, content: 'x' })).status, 200)
  for (const query of ['(a+)+$', '^(([a-z])+.)+[A-Z]([a-z])+$', '*'.repeat(200), '[', '\\'])
    assert.deepEqual((await world.get('search', { query })).data?.files ?? [], [], query)
  const found = await world.get('search', { query: 'AAAA' })
  assert.equal(found.data.files.length, 1)
})

test('names that mean something to other systems are names (archive set: NTFS streams, case)', async () => {
  for (const file of ['/own.txt::$DATA', '/OWN.TXT', '/CON', '/aux.txt', '/trailing.', '/ leading'])
    assert.equal((await world.post('write', { file, content: file })).status, 200, file)
  assert.equal(await readFile(join(root, 'own.txt'), 'utf8'), 'inside')
  assert.equal((await lstat(join(root, 'own.txt::$DATA'))).size, '/own.txt::$DATA'.length)
})

test('an archive that is also a link, a pipe or random bytes is refused and nothing hangs (archive set)', async () => {
  await writeFile(join(canary, 'outside.tar'), 'x')
  await symlink(join(canary, 'outside.tar'), join(root, 'link.tar'))
  await run('mkfifo', [join(root, 'pipe.tar')])
  await writeFile(join(root, 'noise.tar.gz'), randomBytes(4096))
  for (const file of ['/link.tar', '/pipe.tar', '/noise.tar.gz']) {
    const { status } = await world.post('decompress', { file })
    assert.ok(status >= 400 && status < 500, `${file}: ${status}`)
  }
})
