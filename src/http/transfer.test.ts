import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { type Duplex, duplexPair, Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { patienceMs } from '../../test/patience.ts'
import { conflict, unauthorized } from '../contract/errors.ts'
import { ApiError } from '../contract/exchange.ts'
import { type Contexts, transfer } from '../contract/operation.ts'
import { silentLog } from '../lib/log.ts'
import { type Api, createApi } from './api.ts'
import { exchangeRaw, goodKey } from './fixture.ts'
import { linkDownload, linkUpload } from './link-transfer.ts'
import { transferPart } from './part.ts'
import { attachmentHeader, ranged } from './ranged.ts'

const base = { family: 'panel', tag: 'Bytes', access: 'account', errors: ['conflict'] } as const
const transfers = {
  put: transfer({
    ...base,
    method: 'POST',
    path: '/bytes/{name}',
    summary: 'Take bytes',
    params: z.object({ name: z.string() }),
    takes: ['application/octet-stream'],
    reply: z.strictObject({ bytes: z.int(), hash: z.string() }),
  }),
  get: transfer({
    ...base,
    method: 'GET',
    path: '/bytes/{name}',
    summary: 'Give bytes',
    params: z.object({ name: z.string() }),
    gives: 'application/octet-stream',
  }),
}

const content = randomBytes(3_000_000)
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const closed: string[] = []
let sentEndlessly = 0

let api: Api
let baseUrl: string
let port: number
let server: net.Server
before(async () => {
  api = await createApi<Contexts>({
    prefix: '/api/v1',
    cors: true,
    log: silentLog,
    gate: {
      admit: (_of, { headers }) => {
        if (headers.authorization !== goodKey) throw unauthorized('This key is not known')
        return {}
      },
    },
    parts: [
      transferPart<typeof transfers, Contexts>(transfers, {
        async put({ params, content: incoming }) {
          const hash = createHash('sha256')
          let bytes = 0
          for await (const chunk of incoming) {
            hash.update(chunk)
            bytes += chunk.length
            if (params.name === 'small' && bytes > 10_000) throw conflict('The disk is full. Free some space.')
          }
          return { bytes, hash: hash.digest('hex') }
        },
        get({ params, request }) {
          if (params.name === 'missing') throw conflict('There is no such thing. Look again.')
          if (params.name === 'endless') return { headers: {}, content: endless() }
          if (params.name === 'refilled') return { headers: {}, content: refilled() }
          if (params.name === 'broken') return { headers: { 'content-length': '100' }, content: broken() }
          return ranged(
            {
              sizeBytes: params.name === 'empty' ? 0 : content.length,
              etag: '"one"',
              open: (first, last) => Readable.from([content.subarray(first, last + 1)], { objectMode: false }),
            },
            request,
            { 'content-type': 'application/octet-stream', 'content-disposition': attachmentHeader(params.name) },
          )
        },
      }),
    ],
  })
  server = net.createServer({ allowHalfOpen: true }, (socket) => api.serve(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as net.AddressInfo).port
  baseUrl = `http://127.0.0.1:${port}/api/v1`
})
after(async () => {
  server.close()
  await api[Symbol.asyncDispose]()
})

async function* endless(): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      sentEndlessly += 65_536
      yield Buffer.alloc(65_536)
    }
  } finally {
    closed.push('endless')
  }
}

/** All of `content`, each piece in the buffer of the one before. */
async function* refilled(): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(100_000)
  for (let at = 0; at < content.length; at += buffer.length) yield buffer.subarray(0, content.copy(buffer, 0, at))
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half')
  throw new Error('the disk broke')
}

const link = {
  open: (): Duplex => {
    const [near, far] = duplexPair()
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
    api.serve(far)
    return near
  },
}
/** Over a link there is no prefix in real life; here the same API serves both. */
const overLink = {
  put: { ...transfers.put, path: '/api/v1/bytes/{name}' },
  get: { ...transfers.get, path: '/api/v1/bytes/{name}' },
} as const
const authorization = goodKey
const options = { signal: new AbortController().signal, headers: { authorization } }

const get = (name: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${baseUrl}/bytes/${encodeURIComponent(name)}`, { method, headers: { authorization, ...headers } })

test('takes and gives bytes as they are, with the family’s reply', async () => {
  const reply = await fetch(`${baseUrl}/bytes/a`, { method: 'POST', headers: { authorization }, body: content })
  assert.deepEqual(await reply.json(), { success: true, data: { bytes: content.length, hash: hashOf(content) } })
  const back = await get('a')
  assert.equal(back.status, 200)
  assert.equal(back.headers.get('content-length'), String(content.length))
  assert.ok(back.headers.get('x-request-id'))
  assert.equal(hashOf(new Uint8Array(await back.arrayBuffer())), hashOf(content))
})
test('a source may fill one buffer again and again', async () => {
  const back = await get('refilled')
  assert.equal(hashOf(new Uint8Array(await back.arrayBuffer())), hashOf(content))
})
test('refuses a stranger before a byte of the body is asked for', async () => {
  const answer = await exchangeRaw(
    port,
    'POST /api/v1/bytes/a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\nexpect: 100-continue\r\n\r\n',
  )
  assert.match(answer, /^HTTP\/1.1 401 /)
  assert.equal((await fetch(`${baseUrl}/bytes/a`)).status, 401)
})
test('words a refusal in the middle of an upload', async () => {
  const reply = await fetch(`${baseUrl}/bytes/small`, { method: 'POST', headers: { authorization }, body: content })
  assert.equal(reply.status, 409)
  assert.deepEqual(await reply.json(), { success: false, error: 'The disk is full. Free some space.' })
})
test('gives the one range that is asked for', async () => {
  for (const [range, first, last] of [
    ['bytes=0-0', 0, 0],
    ['bytes=10-19', 10, 19],
    [`bytes=${content.length - 5}-`, content.length - 5, content.length - 1],
    ['bytes=-7', content.length - 7, content.length - 1],
    ['bytes=5-99999999999', 5, content.length - 1],
  ] as const) {
    const reply = await get('a', { range })
    assert.equal(reply.status, 206, range)
    assert.equal(reply.headers.get('content-range'), `bytes ${first}-${last}/${content.length}`)
    assert.deepEqual(Buffer.from(await reply.arrayBuffer()), content.subarray(first, last + 1))
  }
})
for (const range of ['bytes=5-1', 'bytes=-', 'lines=1-2', 'bytes=0-1,5-6', 'bytes=a-b', 'bytes=99999999999999999999-'])
  test(`answers the range ${range} with everything`, async () => {
    const reply = await get('a', { range })
    assert.equal(reply.status, 200)
    await reply.body?.cancel()
  })
test('says when nothing is in the range, and how much there is', async () => {
  for (const range of [`bytes=${content.length}-`, 'bytes=-0']) {
    const reply = await get('a', { range })
    assert.equal(reply.status, 416)
    assert.equal(reply.headers.get('content-range'), `bytes */${content.length}`)
  }
  assert.equal((await get('empty')).status, 200)
})
test('resumes only what has not changed', async () => {
  assert.equal((await get('a', { range: 'bytes=1-2', 'if-range': '"one"' })).status, 206)
  const changed = await get('a', { range: 'bytes=1-2', 'if-range': '"two"' })
  assert.equal(changed.status, 200)
  await changed.body?.cancel()
})
test('tells HEAD the size and opens nothing', async () => {
  const reply = await get('a', {}, 'HEAD')
  assert.equal(reply.headers.get('content-length'), String(content.length))
  assert.equal(await reply.text(), '')
})
test('a failure in the middle cuts the connection instead of looking complete', async () => {
  const reply = await get('broken')
  await assert.rejects(reply.arrayBuffer())
})
test('closes what it reads from when the caller leaves, and reads no more than the caller takes', async () => {
  const reply = await get('endless')
  const reader = reply.body?.getReader()
  await reader?.read()
  await reader?.cancel()
  const end = performance.now() + patienceMs
  while (!closed.includes('endless') && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.deepEqual(closed, ['endless'])
  assert.ok(sentEndlessly < 64 * 1024 * 1024)
})
test('carries both over a link', async () => {
  const done = await linkUpload(
    link,
    overLink.put,
    { params: { name: 'a' } },
    { ...options, content: Readable.from([content], { objectMode: false }) },
  )
  assert.deepEqual(done, { bytes: content.length, hash: hashOf(content) })
  const got = await linkDownload(
    link,
    overLink.get,
    { params: { name: 'a' } },
    { ...options, headers: { authorization, range: 'bytes=1-3' } },
  )
  assert.deepEqual([got.status, got.header('content-range')], [206, `bytes 1-3/${content.length}`])
  assert.deepEqual(Buffer.concat(await got.content.toArray()), content.subarray(1, 4))
})
test('over a link too a refusal is worded, also in the middle', async () => {
  const many = Readable.from(
    Array.from({ length: 400 }, () => Buffer.alloc(65_536)),
    { objectMode: false },
  )
  await assert.rejects(
    linkUpload(link, overLink.put, { params: { name: 'small' } }, { ...options, content: many }),
    (error) => error instanceof ApiError && error.code === 'conflict' && /Free some space/.test(error.message),
  )
  await assert.rejects(linkDownload(link, overLink.get, { params: { name: 'missing' } }, options), { code: 'conflict' })
  const stranger = { signal: options.signal, headers: {} }
  await assert.rejects(linkDownload(link, overLink.get, { params: { name: 'a' } }, stranger), { code: 'unauthorized' })
})
test('an upload whose source fails ends with that failure, and its receiver does not take it for complete', async () => {
  await assert.rejects(
    linkUpload(link, overLink.put, { params: { name: 'a' } }, { ...options, content: broken() }),
    /the disk broke/,
  )
})
test('a download over a link ends when it is aborted', async () => {
  const leaving = new AbortController()
  const got = await linkDownload(
    link,
    overLink.get,
    { params: { name: 'endless' } },
    { ...options, signal: leaving.signal },
  )
  leaving.abort()
  await assert.rejects(got.content.toArray())
})
test('names files of any letters so that no header can be forged', () => {
  assert.equal(attachmentHeader('a.txt'), `attachment; filename="a.txt"; filename*=UTF-8''a.txt`)
  const odd = attachmentHeader('ü"\\\r\nX: 1\u{1f600}\ud800.txt')
  assert.match(odd, /^[\x20-\x7e]*$/)
  assert.match(odd, /filename="______X: 1___?\.txt"|filename="[^"]*"/)
  assert.ok(odd.includes("filename*=UTF-8''%C3%BC%22%5C%0D%0AX%3A%201%F0%9F%98%80%EF%BF%BD.txt"))
})
