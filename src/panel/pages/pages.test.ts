import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import Fastify from 'fastify'
import { pages, readWebFiles } from './index.ts'

const script = 'document.title = "x"'
let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pharos-pages-'))
  await mkdir(join(folder, 'assets'))
  await writeFile(join(folder, 'index.html'), '<!doctype html><div id="root"></div>')
  await writeFile(join(folder, 'built-from'), 'a note of the build')
  await writeFile(join(folder, 'assets', 'main-1a2b.js'), script)
  await writeFile(join(folder, 'assets', 'main-1a2b.js.br'), brotliCompressSync(script))
  await writeFile(join(folder, 'assets', 'main-1a2b.js.gz'), gzipSync(script))
})
after(() => rm(folder, { recursive: true, force: true }))

const serve = async (from = folder) => {
  const app = Fastify()
  pages(await readWebFiles(from))(app)
  return app
}

describe('the web UI', () => {
  test('is the same document for each of its pages, asked for again whenever it may have changed', async () => {
    const app = await serve()
    for (const url of ['/', '/servers/1a7ce997/console', '/setup', '/sign-in?next=%2Fservers']) {
      const reply = await app.inject({ url })
      assert.deepEqual([reply.statusCode, reply.headers['cache-control']], [200, 'no-cache'], url)
      assert.match(reply.body, /id="root"/)
    }
  })
  test('runs no script but its own files, and takes no text for code', async () => {
    const reply = await (await serve()).inject({ url: '/' })
    const policy = String(reply.headers['content-security-policy'])
    assert.match(policy, /default-src 'none'; script-src 'self';/)
    assert.match(policy, /require-trusted-types-for 'script'/)
    assert.match(policy, /frame-ancestors 'none'/)
    assert.doesNotMatch(policy, /script-src[^;]*unsafe|https?:/)
  })
  test('sends its files compressed to those who take that, and lets them be kept for ever', async () => {
    const app = await serve()
    for (const [accepted, sent] of [
      ['gzip, deflate, br', 'br'],
      ['gzip', 'gzip'],
      ['identity', undefined],
    ] as const) {
      const reply = await app.inject({ url: '/assets/main-1a2b.js', headers: { 'accept-encoding': accepted } })
      assert.equal(reply.headers['content-encoding'], sent)
      assert.match(String(reply.headers['cache-control']), /immutable/)
      assert.match(String(reply.headers['content-type']), /^text\/javascript/)
    }
  })
  test('answers a script that is gone with 404 and not with a page', async () => {
    assert.equal((await (await serve()).inject({ url: '/assets/main-gone.js' })).statusCode, 404)
  })
  test('serves nothing but what the build made for browsers', async () => {
    const app = await serve()
    for (const url of [
      '/built-from',
      '/assets/main-1a2b.js.br',
      '/../package.json',
      '/%2e%2e/package.json',
      '/assets/..%2fbuilt-from',
    ]) {
      const reply = await app.inject({ url })
      assert.ok(reply.statusCode === 404 || /id="root"/.test(reply.body), url)
      assert.doesNotMatch(reply.body, /note of the build|"name"/)
    }
  })
  test('takes no other methods', async () => {
    const reply = await (await serve()).inject({
      method: 'POST',
      url: '/servers',
      payload: 'x',
      headers: { 'content-type': 'text/plain' },
    })
    assert.deepEqual([reply.statusCode, reply.headers.allow], [405, 'GET, HEAD'])
  })
  test('that has not been built is said, and how to build it', async () => {
    const reply = await (await serve(join(folder, 'nowhere'))).inject({ url: '/' })
    assert.equal(reply.statusCode, 503)
    assert.match(reply.body, /npm start/)
  })
})
