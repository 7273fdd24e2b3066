import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type FilesWorld, startFilesWorld } from '../world/files-world.ts'
import { until } from '../world/servers-world.ts'

const run = promisify(execFile)

let world: FilesWorld
let root: string
before(async () => {
  world = await startFilesWorld()
  root = world.root()
})
after(() => world?.[Symbol.asyncDispose]())

const names = async (directory: string): Promise<string[]> =>
  (await world.get('list', { directory })).data.files.map(({ name }: { name: string }) => name)

describe('reading and writing', () => {
  test('writes a text file with its folders, as the server’s own user, and reads it back', async () => {
    const wrote = await world.post('write', { file: '/config/deep/a.txt', content: 'grüße\n' })
    assert.deepEqual([wrote.status, wrote.data.message], [200, 'File written successfully'])
    const read = await world.get('contents', { file: 'config/deep/a.txt' })
    assert.equal(read.data.content, 'grüße\n')
    assert.equal(read.data.hash, wrote.data.hash)
    const { uid } = await stat(root)
    assert.equal((await stat(join(root, 'config/deep/a.txt'))).uid, uid)
    assert.equal((await stat(join(root, 'config'))).uid, uid)
  })
  test('keeps mode and owner of a file that is there, and puts the new one in its place as a whole', async () => {
    await writeFile(join(root, 'script.sh'), 'old')
    await chmod(join(root, 'script.sh'), 0o750)
    const before = await stat(join(root, 'script.sh'))
    await world.post('write', { file: '/script.sh', content: 'new' })
    const now = await stat(join(root, 'script.sh'))
    assert.deepEqual([now.mode & 0o777, now.uid, now.ino === before.ino], [0o750, before.uid, false])
  })
  test('refuses to write over what somebody else has changed', async () => {
    const first = await world.post('write', { file: '/shared.txt', content: 'one' })
    assert.equal(
      (await world.post('write', { file: '/shared.txt', content: 'two', ifMatch: first.data.hash })).status,
      200,
    )
    const late = await world.post('write', { file: '/shared.txt', content: 'three', ifMatch: first.data.hash })
    assert.equal(late.status, 409)
    assert.match(late.error, /changed since you read it/)
    assert.equal(await readFile(join(root, 'shared.txt'), 'utf8'), 'two')
    assert.equal((await world.post('write', { file: '/none.txt', content: '', ifMatch: first.data.hash })).status, 409)
  })
  test('says what is no text, what is too large, what is a folder, and what is not there', async () => {
    await writeFile(join(root, 'binary'), Buffer.from([0, 1, 2, 255]))
    await writeFile(join(root, 'large'), Buffer.alloc(4 * 1024 * 1024 + 1, 'x'))
    const binary = await world.get('contents', { file: '/binary' })
    assert.deepEqual([binary.status, /Download it/.test(binary.error)], [409, true])
    const large = await world.get('contents', { file: '/large' })
    assert.deepEqual([large.status, /4194305 bytes/.test(large.error)], [413, true])
    assert.equal((await world.get('contents', { file: '/config' })).status, 409)
    assert.equal((await world.get('contents', { file: '/nothing' })).status, 404)
    assert.equal((await world.post('write', { file: '/', content: '' })).status, 409)
    await rm(join(root, 'large'))
  })
  test('writes the largest text that it reads', async () => {
    const content = '"\n'.repeat(2 * 1024 * 1024)
    assert.equal((await world.post('write', { file: '/most.txt', content })).status, 200)
    assert.equal((await world.get('contents', { file: '/most.txt' })).data.content.length, content.length)
    await rm(join(root, 'most.txt'))
  })
  test('does not wait for a pipe', async () => {
    await run('mkfifo', [join(root, 'pipe')])
    assert.equal((await world.get('contents', { file: '/pipe' })).status, 409)
    assert.equal((await world.post('write', { file: '/pipe', content: 'x' })).status, 409)
  })
})

describe('a folder', () => {
  test('lists directories first, then by name, with what a file manager shows', async () => {
    await mkdir(join(root, 'view/zeta'), { recursive: true })
    await writeFile(join(root, 'view/a.properties'), 'x=1')
    await chmod(join(root, 'view/a.properties'), 0o640)
    await symlink('a.properties', join(root, 'view/link'))
    const { status, data } = await world.get('list', { directory: '/view' })
    assert.equal(status, 200)
    const [folder, file, link] = data.files
    assert.deepEqual([folder.name, folder.isDirectory, folder.size, folder.mime], ['zeta', true, 0, 'inode/directory'])
    assert.deepEqual([file.name, file.size, file.mode, file.mime], ['a.properties', 3, '0640', 'text/plain'])
    assert.match(file.modified, /^\d{4}-.*Z$/)
    assert.deepEqual([link.name, link.symlink], ['link', 'a.properties'])
    assert.equal((await world.get('list', {})).status, 200)
    assert.equal((await world.get('list', { directory: '/view/a.properties' })).status, 409)
  })
  test('of many entries comes in pages that leave none out', async () => {
    await mkdir(join(root, 'many'))
    await Promise.all(Array.from({ length: 250 }, (_, n) => writeFile(join(root, 'many', `f${n}`), '')))
    await mkdir(join(root, 'many/sub'))
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await world.get('list', { directory: '/many', limit: '100', ...(cursor ? { cursor } : {}) })
      assert.equal(page.data.total, 251)
      seen.push(...page.data.files.map(({ name }: { name: string }) => name))
      cursor = page.data.nextCursor
      assert.equal(page.headers.get('x-next-cursor'), cursor)
    } while (cursor)
    assert.equal(seen[0], 'sub')
    assert.deepEqual([seen.length, new Set(seen).size], [251, 251])
    assert.equal((await world.get('list', { directory: '/many', cursor: '!!!!' })).status, 400)
  })
  test('of fifty thousand entries is listed a thousand at a time', async () => {
    await run('sh', ['-c', 'mkdir "$1/huge" && cd "$1/huge" && seq -f f%.0f 50000 | xargs touch', 'sh', root])
    const page = await world.get('list', { directory: '/huge', limit: '1000' })
    assert.deepEqual([page.data.total, page.data.files.length], [50_000, 1000])
    assert.equal((await world.post('delete', { file: '/huge' })).status, 200)
  })
  test('is made once', async () => {
    assert.equal((await world.post('create-folder', { name: 'plugins' })).data.message, 'Folder created successfully')
    assert.equal((await world.post('create-folder', { name: 'plugins' })).status, 409)
    assert.equal((await world.post('create-folder', { name: 'x', path: '/not/there' })).status, 404)
    assert.equal((await world.post('create-folder', { name: 'inner', path: '/plugins' })).status, 200)
    assert.equal((await stat(join(root, 'plugins/inner'))).uid, (await stat(root)).uid)
  })
})

describe('moving, copying, deleting', () => {
  test('moves across folders, never over something', async () => {
    await world.post('write', { file: '/from.txt', content: 'from' })
    await world.post('write', { file: '/taken.txt', content: 'taken' })
    assert.equal((await world.put('rename', { from: '/from.txt', to: '/taken.txt' })).status, 409)
    assert.equal((await world.put('rename', { from: '/from.txt', to: '/plugins/to.txt' })).status, 200)
    assert.equal(await readFile(join(root, 'plugins/to.txt'), 'utf8'), 'from')
    assert.equal((await world.put('rename', { from: '/from.txt', to: '/elsewhere' })).status, 404)
    assert.equal((await world.put('rename', { from: '/plugins', to: '/plugins/self' })).status, 409)
    assert.equal(await readFile(join(root, 'taken.txt'), 'utf8'), 'taken')
  })
  test('copies a folder with all that is in it, links as links, never over something', async () => {
    await mkdir(join(root, 'tree/inner'), { recursive: true })
    await writeFile(join(root, 'tree/inner/file'), 'content')
    await symlink('/etc/passwd', join(root, 'tree/out'))
    assert.equal((await world.post('copy', { from: '/tree', to: '/tree2' })).data?.message, 'File copied successfully')
    assert.equal(await readFile(join(root, 'tree2/inner/file'), 'utf8'), 'content')
    assert.ok((await lstat(join(root, 'tree2/out'))).isSymbolicLink())
    const { uid } = await stat(root)
    assert.equal((await stat(join(root, 'tree2/inner/file'))).uid, uid)
    assert.equal((await lstat(join(root, 'tree2/out'))).uid, uid)
    assert.equal((await world.post('copy', { from: '/tree', to: '/tree2' })).status, 409)
    assert.equal((await world.post('copy', { from: '/none', to: '/other' })).status, 404)
  })
  test('deletes files and whole folders, and of a link only the link', async () => {
    const outside = join(world.folder, 'outside-delete')
    await mkdir(outside)
    await writeFile(join(outside, 'keep'), 'kept')
    await symlink(outside, join(root, 'tree2/away'))
    assert.equal((await world.post('delete', { file: '/tree2/away' })).status, 200)
    await symlink(outside, join(root, 'tree2/away'))
    assert.equal((await world.post('delete', { file: '/tree2/away/keep' })).status, 403)
    assert.equal((await world.post('delete', { file: '/tree2' })).data.message, 'File deleted successfully')
    assert.equal((await world.post('delete', { file: '/tree2' })).status, 404)
    assert.equal(await readFile(join(outside, 'keep'), 'utf8'), 'kept')
  })
  test('leaves the root where it is', async () => {
    for (const path of ['/', '', '//'])
      assert.ok([403, 409].includes((await world.post('delete', { file: path })).status))
    assert.ok([403, 409].includes((await world.put('rename', { from: '/', to: '/x' })).status))
    assert.ok([403, 409].includes((await world.put('rename', { from: '/plugins', to: '/' })).status))
    assert.ok((await names('/')).length > 0)
  })
  test('deletes what is deeper than any path can say', async () => {
    await run('sh', [
      '-c',
      'd=dddddddddddddddddddddddddddddddddddddddd; cd "$1" && mkdir deep && cd deep && i=0; while [ $i -lt 300 ]; do mkdir $d && cd $d; i=$((i+1)); done',
      'sh',
      root,
    ])
    assert.equal((await world.post('copy', { from: '/deep', to: '/deeper' })).status, 409)
    assert.equal((await world.post('delete', { file: '/deep' })).status, 200)
    assert.ok(!(await names('/')).includes('deep'))
  })
  test('changes permission bits, never through a link to the outside, and sets no others', async () => {
    const outside = join(world.folder, 'outside-chmod')
    await writeFile(outside, '')
    await chmod(outside, 0o600)
    await symlink(outside, join(root, 'chmod-link'))
    assert.equal((await world.post('chmod', { file: '/chmod-link', mode: '0777' })).status, 403)
    assert.equal((await stat(outside)).mode & 0o777, 0o600)
    assert.equal((await world.post('chmod', { file: '/taken.txt', mode: '755' })).status, 200)
    assert.equal((await stat(join(root, 'taken.txt'))).mode & 0o7777, 0o755)
    assert.equal((await world.post('chmod', { file: '/taken.txt', mode: '4755' })).status, 400)
  })
})

test('finds names below a folder, in any case', async () => {
  await world.post('write', { file: '/search/Deep/ServerProps.yml', content: '' })
  const { data } = await world.get('search', { query: 'serverprops', directory: '/search' })
  assert.deepEqual(data, {
    files: [{ path: '/search/Deep/ServerProps.yml', size: 0, isDirectory: false }],
    complete: true,
  })
  // As a pattern this would take longer than the universe has.
  assert.equal((await world.get('search', { query: `${'a*'.repeat(100)}(a+)+$` })).status, 200)
})

describe('hostile paths', () => {
  const hostile = [
    '..',
    '../x',
    '/../x',
    'a/../../x',
    '....//x',
    '.../...//x',
    '..././x',
    'a\0b',
    '..\\x',
    'a/..\\..\\x',
    '%2e%2e/x',
    '%2E%2e%2fx',
    './x',
    'a//b',
    'x'.repeat(5000),
    'n'.repeat(256),
  ]
  for (const path of hostile)
    test(`refuses ${JSON.stringify(path.slice(0, 20))} on every route`, async () => {
      const before = (await readdir(root)).sort()
      const replies = [
        await world.get('list', { directory: path }),
        await world.get('contents', { file: path }),
        await world.post('write', { file: path, content: 'x' }),
        await world.post('create-folder', { name: path }),
        await world.put('rename', { from: '/taken.txt', to: path }),
        await world.put('rename', { from: path, to: '/y' }),
        await world.post('copy', { from: '/taken.txt', to: path }),
        await world.post('delete', { file: path }),
        await world.post('chmod', { file: path, mode: '644' }),
        await world.post('compress', { files: [path] }),
        await world.post('compress', { files: ['taken.txt'], root: path }),
        await world.post('decompress', { file: '/a.zip', root: path }),
        await world.post(`upload?${new URLSearchParams({ directory: path })}`),
        await world.get('download', { file: path }),
      ]
      const { jwt } = await world.ticket()
      replies.push(await world.upload(jwt, { file: path }, 'x'))
      for (const [at, { status }] of replies.entries()) assert.ok(status === 403 || status === 400, `${at}: ${status}`)
      assert.deepEqual((await readdir(root)).sort(), before)
    })
})

describe('symbolic links', () => {
  test('that stay inside are followed, also as the server itself writes them', async () => {
    await mkdir(join(root, 'worlds/one'), { recursive: true })
    await writeFile(join(root, 'worlds/one/level'), 'data')
    await symlink('worlds/one', join(root, 'world'))
    await symlink('/home/server/worlds', join(root, 'absolute'))
    await symlink('../worlds/../world', join(root, 'worlds/around'))
    assert.equal((await world.get('contents', { file: '/world/level' })).data.content, 'data')
    assert.equal((await world.get('contents', { file: '/absolute/one/level' })).data?.content, 'data')
    assert.equal((await world.get('contents', { file: '/worlds/around/level' })).data?.content, 'data')
    assert.equal((await world.post('write', { file: '/world/level', content: 'new' })).status, 200)
    assert.equal(await readFile(join(root, 'worlds/one/level'), 'utf8'), 'new')
  })
  test('that lead outside, directly or by a chain, or in a circle, are refused and touch nothing', async () => {
    const canary = join(world.folder, 'canary')
    await mkdir(canary)
    await writeFile(join(canary, 'secret'), 'secret')
    await symlink(canary, join(root, 'a'))
    await symlink('a', join(root, 'chain'))
    await symlink('../../../../../../../../etc', join(root, 'up'))
    await symlink('loop', join(root, 'loop'))
    await symlink(join(canary, 'secret'), join(root, 'file'))
    await symlink('/etc', join(root, 'etc'))
    await writeFile(join(root, 'source.txt'), 'x')
    for (const link of ['a', 'chain', 'up', 'loop', 'etc']) {
      for (const { status, error } of [
        await world.get('list', { directory: `/${link}` }),
        await world.get('contents', { file: `/${link}/secret` }),
        await world.post('write', { file: `/${link}/x`, content: 'x' }),
        await world.post('create-folder', { name: 'x', path: `/${link}` }),
        await world.post('copy', { from: '/source.txt', to: `/${link}/x` }),
        await world.put('rename', { from: '/source.txt', to: `/${link}/x` }),
        await world.post('delete', { file: `/${link}/secret` }),
        await world.post('compress', { files: ['secret'], root: `/${link}` }),
        await world.get('download', { file: `/${link}/secret` }),
      ])
        assert.equal(status, 403, `${link}: ${error}`)
      const { jwt } = await world.ticket().catch(() => ({ jwt: '' }))
      assert.equal((await world.upload(jwt, { file: `${link}/x` }, 'x')).status, 403)
    }
    assert.equal((await world.get('contents', { file: '/file' })).status, 403)
    assert.equal((await world.post('write', { file: '/file', content: 'x' })).status, 403)
    assert.deepEqual(await readdir(canary), ['secret'])
    assert.equal(await readFile(join(canary, 'secret'), 'utf8'), 'secret')
    for (const link of ['a', 'chain', 'up', 'loop', 'file', 'etc']) await rm(join(root, link))
  })
})

describe('uploads', () => {
  test('a form of several files, streamed', async () => {
    const { jwt, uploadUrl } = await world.ticket('/uploads')
    assert.match(uploadUrl, /^\/api\/v1\/servers\/[0-9a-f]{8}\/files\/upload-direct$/)
    const form = new FormData()
    form.append('files', new Blob(['first']), 'one.txt')
    form.append('files', new Blob([randomBytes(2_000_000)]), 'zwei ü.bin')
    const { status, data, error } = await world.upload(jwt, {}, form)
    assert.equal(status, 200, error)
    assert.deepEqual(
      data.files.map(({ file, received }: { file: string; received: number }) => [file, received]),
      [
        ['/uploads/one.txt', 5],
        ['/uploads/zwei ü.bin', 2_000_000],
      ],
    )
    assert.equal(await readFile(join(root, 'uploads/one.txt'), 'utf8'), 'first')
    assert.equal((await stat(join(root, 'uploads/zwei ü.bin'))).uid, (await stat(root)).uid)
  })
  test('a raw body, and no silent overwriting', async () => {
    const { jwt } = await world.ticket('/uploads')
    assert.equal((await world.upload(jwt, { file: 'raw.bin' }, 'raw')).status, 200)
    const again = await world.upload(jwt, { file: 'raw.bin' }, 'other')
    assert.deepEqual([again.status, /exists already/.test(again.error)], [409, true])
    assert.equal((await world.upload(jwt, { file: 'raw.bin', overwrite: 'true' }, 'other')).status, 200)
    assert.equal(await readFile(join(root, 'uploads/raw.bin'), 'utf8'), 'other')
    assert.equal((await world.upload(jwt, {}, 'x')).status, 400)
    assert.equal((await world.upload(jwt, {}, 'x', { 'content-type': 'multipart/form-data' })).status, 400)
    assert.equal(
      (await world.upload(jwt, {}, 'junk', { 'content-type': 'multipart/form-data; boundary=x' })).status,
      400,
    )
  })
  test('in parts that go on after a break, also with another ticket', async () => {
    const content = randomBytes(300_000)
    const part = (jwt: string, first: number, last: number) =>
      world.upload(jwt, { file: 'parts.bin' }, content.subarray(first, last + 1), {
        'content-range': `bytes ${first}-${last}/${content.length}`,
      })
    const { jwt } = await world.ticket('/uploads')
    assert.deepEqual((await part(jwt, 0, 99_999)).data.files, [
      { file: '/uploads/parts.bin', received: 100_000, complete: false },
    ])
    const wrong = await part(jwt, 200_000, 299_999)
    assert.deepEqual([wrong.status, /100000 bytes have arrived/.test(wrong.error)], [409, true])
    assert.ok(!(await names('/uploads')).includes('parts.bin'))
    const later = await world.ticket('/uploads')
    const asked = await world.upload(later.jwt, { file: 'parts.bin' }, '', {
      'content-range': `bytes */${content.length}`,
    })
    assert.deepEqual(asked.data.files[0].received, 100_000)
    assert.equal((await part(later.jwt, 100_000, 199_999)).data?.files[0].received, 200_000)
    const last = await part(later.jwt, 200_000, 299_999)
    assert.equal(last.data?.files[0].complete, true, last.error)
    assert.deepEqual(await readFile(join(root, 'uploads/parts.bin')), content)
    assert.equal((await world.upload(jwt, { file: 'p' }, 'xx', { 'content-range': 'bytes 5-1/3' })).status, 400)
    assert.equal((await world.upload(jwt, { file: 'p' }, 'xx', { 'content-range': 'bytes 0-9/10' })).status, 400)
  })
  test('in parts, never going on with another content under the same name', async () => {
    const { jwt } = await world.ticket('/uploads')
    const send = (contentKey: string, body: string, range: string) =>
      world.upload(jwt, { file: 'keyed.bin', contentKey }, body, { 'content-range': range })
    assert.equal((await send('6-old', 'old', 'bytes 0-2/6')).data.files[0].received, 3)
    assert.equal((await send('6-new', '', 'bytes */6')).data.files[0].received, 0)
    assert.equal((await send('6-new', 'new', 'bytes 0-2/6')).data.files[0].received, 3)
    assert.equal((await send('6-old', '', 'bytes */6')).data.files[0].received, 3)
    assert.equal((await send('6-new', 'est', 'bytes 3-5/6')).data.files[0].complete, true)
    assert.equal(await readFile(join(root, 'uploads/keyed.bin'), 'utf8'), 'newest')
    assert.equal((await send('x'.repeat(201), 'x', 'bytes 0-0/1')).status, 400)
  })
  test('what is cut off in the middle does not appear', async () => {
    const { jwt } = await world.ticket('/uploads')
    const leave = new AbortController()
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(65_536))
        leave.abort()
      },
    })
    await assert.rejects(
      fetch(`${world.baseUrl}/servers/${world.server}/files/upload-direct?file=cut.bin`, {
        method: 'POST',
        headers: { authorization: `Bearer ${jwt}` },
        body,
        signal: leave.signal,
        ...{ duplex: 'half' },
      }),
    )
    assert.ok(!(await names('/uploads')).includes('cut.bin'))
  })
})

describe('downloads', () => {
  const link = async (file: string): Promise<string> => {
    const { status, data, error } = await world.get('download', { file })
    assert.equal(status, 200, error)
    return data.downloadUrl
  }
  test('by a link that needs no key, with ranges and the file’s name', async () => {
    const content = randomBytes(500_000)
    await writeFile(join(root, 'wörld "1".bin'), content)
    const url = await link('/wörld "1".bin')
    const whole = await fetch(url)
    assert.deepEqual(Buffer.from(await whole.arrayBuffer()), content)
    assert.match(
      whole.headers.get('content-disposition') ?? '',
      /^attachment; .*filename\*=UTF-8''w%C3%B6rld%20%221%22\.bin$/,
    )
    const etag = whole.headers.get('etag') ?? ''
    const partly = await fetch(url, { headers: { range: 'bytes=1000-1999', 'if-range': etag } })
    assert.deepEqual([partly.status, partly.headers.get('content-range')], [206, 'bytes 1000-1999/500000'])
    assert.deepEqual(Buffer.from(await partly.arrayBuffer()), content.subarray(1000, 2000))
    const head = await fetch(url, { method: 'HEAD' })
    assert.equal(head.headers.get('content-length'), '500000')
    assert.equal((await fetch(url, { headers: { range: 'bytes=500000-' } })).status, 416)
    await writeFile(join(root, 'wörld "1".bin'), 'changed')
    const changed = await fetch(url, { headers: { range: 'bytes=1-2', 'if-range': etag } })
    assert.deepEqual([changed.status, await changed.text()], [200, 'changed'])
  })
  test('a folder as an archive that tar opens', async () => {
    const archive = join(world.folder, 'down.tar.gz')
    const reply = await fetch(await link('/worlds'))
    assert.match(reply.headers.get('content-disposition') ?? '', /worlds\.tar\.gz/)
    await writeFile(archive, Buffer.from(await reply.arrayBuffer()))
    assert.match((await run('tar', ['tzf', archive])).stdout, /one\/level/)
  })
  test('never of what is not there, and not after the link’s time', async () => {
    assert.equal((await world.get('download', { file: '/nothing' })).status, 404)
    const url = await link('/taken.txt')
    world.pass(11 * 60_000)
    assert.equal((await fetch(url)).status, 401)
  })
})

describe('tickets', () => {
  test('every kind works at its own route and nowhere else', async () => {
    const upload = (await world.ticket()).jwt
    const download =
      new URL((await world.get('download', { file: '/taken.txt' })).data.downloadUrl).searchParams.get('ticket') ?? ''
    const tokens = { key: world.key, upload, download }
    const base = `${world.baseUrl}/servers/${world.server}`
    for (const [kind, token] of Object.entries(tokens)) {
      const headers = { authorization: `Bearer ${token}` }
      const expected = (right: string) => (kind === right ? 200 : 401)
      world.pass(2 * 60_000)
      const sent = await fetch(`${base}/files/upload-direct?file=k-${kind}`, { method: 'POST', headers, body: 'x' })
      assert.equal(sent.status, expected('upload'), `${kind} at upload-direct`)
      assert.equal(
        (await fetch(`${base}/files/download-direct`, { headers })).status,
        expected('download'),
        `${kind} at download-direct`,
      )
      assert.equal((await fetch(`${base}/files/download-direct?ticket=${token}`)).status, expected('download'))
      for (const path of ['', '/files/list', '/console', '/permissions', '/users'])
        assert.equal((await fetch(base + path, { headers })).status, expected('key'), `${kind} at ${path}`)
    }
  })
  test('are good for their own server alone, and not when they were meddled with', async () => {
    const other = await world.newServer()
    const { jwt } = await world.ticket()
    assert.equal((await world.upload(jwt, { file: 'x' }, 'x', {}, other)).status, 403)
    const [head, body, seal = ''] = jwt.split('.')
    const claims = JSON.parse(Buffer.from(body ?? '', 'base64url').toString())
    const forged = Buffer.from(JSON.stringify({ ...claims, server: other })).toString('base64url')
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url')
    for (const text of [`${head}.${forged}.${seal}`, `${none}.${body}.`, `${head}.${body}.${seal.slice(1)}`, 'x', ''])
      assert.equal((await world.upload(text, { file: 'x' }, 'x', {}, other)).status, 401)
    world.pass(61 * 60_000)
    assert.equal((await world.upload(jwt, { file: 'x' }, 'x')).status, 401)
  })
  test('end with the key that asked for them', async () => {
    const { id, token } = await world.api.createToken({ body: { label: 'short' } })
    const reply = await fetch(`${world.baseUrl}/servers/${world.server}/files/download?file=/taken.txt`, {
      headers: { authorization: `Bearer ${token}` },
    })
    const { data } = (await reply.json()) as { data: { downloadUrl: string } }
    assert.equal((await fetch(data.downloadUrl)).status, 200)
    await world.api.revokeToken({ params: { id } })
    assert.equal((await fetch(data.downloadUrl)).status, 401)
  })
})

describe('the disk limit', () => {
  test('holds for every way in, with the numbers in the words', async () => {
    const small = await world.newServer(16)
    const chunk = 'x'.repeat(4 * 1024 * 1024)
    for (let n = 0; n < 3; n += 1)
      assert.equal((await world.post('write', { file: `/f${n}`, content: chunk }, small)).status, 200)
    const full = await world.post('write', { file: '/f9', content: `${chunk}` }, small)
    assert.ok(full.status === 200 || full.status === 409)
    const refused = await world.post('write', { file: '/f10', content: chunk }, small)
    assert.deepEqual(
      [refused.status, /limit of 16\.0 MiB would be exceeded/.test(refused.error)],
      [409, true],
      refused.error,
    )
    assert.equal((await world.post('copy', { from: '/f0', to: '/f11' }, small)).status, 409)
    const { jwt } = await world.ticket('/', small)
    assert.equal((await world.upload(jwt, { file: 'up' }, randomBytes(5_000_000), {}, small)).status, 409)
    assert.equal(
      (await world.upload(jwt, { file: 'up2' }, 'x', { 'content-range': 'bytes 0-0/999999999999999' }, small)).status,
      409,
    )
    const form = new FormData()
    form.append('f', new Blob([randomBytes(5_000_000)]), 'form.bin')
    assert.equal((await world.upload(jwt, {}, form, {}, small)).status, 409)
    assert.ok(!(await readdir(world.root(small))).some((name) => /^up|form/.test(name)))
    const space = (await world.get('space', {}, small)).data
    assert.deepEqual([space.limitBytes, space.enforcement], [16 * 1024 * 1024, 'watched'])
    assert.ok(space.usedBytes <= space.limitBytes)
    assert.equal((await world.post('delete', { file: '/f0' }, small)).status, 200)
    assert.equal((await world.post('write', { file: '/f12', content: 'fits again' }, small)).status, 200)
  })
  test('is not passed by many who write at the same time', async () => {
    const small = await world.newServer(16)
    const content = 'x'.repeat(3 * 1024 * 1024)
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, n) => world.post('write', { file: `/p${n}`, content }, small)),
    )
    const written = replies.filter(({ status }) => status === 200).length
    assert.ok(written >= 4 && written <= 5, String(written))
    assert.ok(replies.every(({ status }) => status === 200 || status === 409))
  })
})

describe('fetching a URL', () => {
  const over = (id: string) =>
    until('it is over', async () =>
      (await world.get('pulls')).data.find(
        (pull: { id: string; state: string }) => pull.id === id && pull.state !== 'running',
      ),
    )
  test('writes the file, tells how far it is, follows redirects, and looks at each address anew', async () => {
    const content = randomBytes(300_000)
    const server = createServer((request, response) => {
      const to = (location: string): void => void response.writeHead(302, { location }).end()
      if (request.url === '/away') to('http://169.254.169.254/latest')
      else if (request.url === '/local') to('file:///etc/passwd')
      else if (request.url?.startsWith('/round')) to(`/round${Number(request.url.slice(6)) + 1}`)
      else if (request.url === '/moved') to('/file.bin')
      else if (request.url === '/missing') response.writeHead(404).end()
      else if (request.url === '/huge') response.writeHead(200, { 'content-length': String(2 ** 40) }).write('x')
      else if (request.url === '/endless') {
        response.writeHead(200)
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        }
        response.on('drain', more)
        more()
      } else response.end(content)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const pull = async (path: string, name?: string) => {
      const { status, data, error } = await world.post('pull', {
        url: base + path,
        directory: '/fetched',
        ...(name ? { name } : {}),
      })
      assert.equal(status, 200, error)
      return over(data.id)
    }
    try {
      const done = await pull('/file.bin')
      assert.deepEqual(
        [done.state, done.file, done.bytesDone, done.bytesTotal],
        ['done', '/fetched/file.bin', 300_000, 300_000],
      )
      assert.deepEqual(await readFile(join(root, 'fetched/file.bin')), content)
      assert.equal((await pull('/moved', 'moved.bin')).state, 'done')
      assert.equal(
        (await world.post('pull', { url: `${base}/x`, directory: '/fetched', name: 'file.bin' })).status,
        409,
      )
      assert.match((await pull('/away')).message, /not on the public internet/)
      assert.match((await pull('/local')).message, /Only http/)
      assert.match((await pull('/round0', 'r')).message, /redirects more than 5 times/)
      assert.match((await pull('/missing')).message, /answered 404/)
      assert.match((await pull('/huge')).message, /disk limit/)
      assert.match((await pull('/endless')).message, /disk limit/)
      assert.deepEqual((await readdir(join(root, 'fetched'))).sort(), ['file.bin', 'moved.bin'])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
  test('refuses what is not public, wherever the address hides', async () => {
    for (const url of [
      'http://169.254.169.254/x',
      'http://[::1]/x',
      'http://[::ffff:10.0.0.1]/x',
      'http://0.0.0.0/x',
      'http://10.1.2.3/x',
      'http://172.17.0.1/x',
      'http://192.168.0.1/x',
      'http://100.64.0.1/x',
      'http://[fe80::1]/x',
      'http://[fd00::1]/x',
      'http://0x0a.1/x',
      'http://167772161/x',
    ]) {
      const started = await world.post('pull', { url, name: 'pulled' })
      assert.equal(started.status, 200, started.error)
      const done = await until('it is over', async () =>
        (await world.get('pulls')).data.find(
          ({ id, state }: { id: string; state: string }) => id === started.data.id && state !== 'running',
        ),
      )
      assert.equal(done.state, 'failed')
      assert.match(done.message, /not on the public internet/, url)
    }
    assert.equal((await world.post('pull', { url: 'file:///etc/passwd', name: 'x' })).status, 400)
    assert.ok(!(await names('/')).includes('pulled'))
  })
})
