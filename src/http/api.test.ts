import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { AppError } from '../contract/errors.ts'
import { operation } from '../contract/operation.ts'
import { exchangeRaw, goodKey, startTestApi, type TestApi } from './fixture.ts'
import { part } from './part.ts'

let world: TestApi
before(async () => {
  world = await startTestApi()
})
after(async () => {
  await world[Symbol.asyncDispose]()
})

const call = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(world.baseUrl + path, { ...init, headers: { authorization: goodKey, ...init.headers } })
const post = (path: string, body: unknown): Promise<Response> =>
  call(path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
const item = { name: 'lobby', limits: { memory: 64, kind: 'small' } }

describe('replies', () => {
  test('wraps the panel family and leaves out what the schema does not name', async () => {
    const reply = await call('/items/abc?size=5&unknown=1')
    assert.equal(reply.status, 200)
    assert.match(reply.headers.get('content-type') ?? '', /^application\/json/)
    assert.deepEqual(await reply.json(), { success: true, data: { id: 'abc', size: 5 } })
  })
  test('sends the control family bare', async () => {
    assert.deepEqual(await (await post('/label', { label: 'ci' })).json(), { label: 'ci' })
  })
  test('writes the member of a union that fits, without what it does not name', async () => {
    assert.deepEqual(await (await call('/fail/union')).json(), {
      ok: true,
      kind: { by: 'b', b: 'text', level: null },
    })
  })
  test('takes a body that may be absent in every way to leave it out', async () => {
    const none = await call('/label', { method: 'POST' })
    assert.deepEqual([none.status, await none.json()], [200, { label: null }])
    const typed = await call('/label', { method: 'POST', headers: { 'content-type': 'application/json' } })
    assert.deepEqual([typed.status, await typed.json()], [200, { label: null }])
    const raw = await exchangeRaw(
      world.port,
      `POST /api/v1/label HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nConnection: close\r\n\r\n`,
    )
    assert.match(raw, /^HTTP\/1\.1 200 /)
  })
  test('an operation without a body takes none or an empty object', async () => {
    assert.equal((await call('/servers/1a7ce997/rotation', { method: 'POST' })).status, 200)
    assert.equal((await post('/servers/1a7ce997/rotation', {})).status, 200)
    const reply = await post('/servers/1a7ce997/rotation', { force: true })
    assert.deepEqual(
      [reply.status, await reply.json()],
      [400, { success: false, error: 'Invalid request: body.force is not a known field' }],
    )
  })
  test('takes the id of a server short, encoded and verbatim', async () => {
    for (const spelling of ['1a7ce997', 'servers%2F1a7ce997', 'servers%2f1a7ce997', 'servers/1a7ce997']) {
      const reply = await call(`/servers/${spelling}/rotation`, { method: 'POST' })
      assert.deepEqual(await reply.json(), { success: true, data: { message: 'rotated 1a7ce997' } }, spelling)
    }
  })
  test('a trailing slash changes nothing', async () => {
    assert.equal((await call('/items/abc/')).status, 200)
  })
  test('HEAD has the headers of GET and no body', async () => {
    const [head, get] = await Promise.all([call('/items/abc', { method: 'HEAD' }), call('/items/abc')])
    assert.equal(head.status, 200)
    assert.equal(head.headers.get('content-length'), get.headers.get('content-length'))
    assert.equal(await head.text(), '')
  })
  test('every reply has its own request id and the security headers', async () => {
    const replies = await Promise.all([
      call('/items/a', { headers: { 'x-request-id': 'mine' } }),
      call('/nowhere'),
      post('/items', '{'),
    ])
    const ids = replies.map((reply) => reply.headers.get('x-request-id'))
    assert.equal(new Set(ids).size, 3)
    for (const reply of replies) {
      assert.match(reply.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
      assert.equal(reply.headers.get('x-content-type-options'), 'nosniff')
      assert.equal(reply.headers.get('cache-control'), 'no-store')
      assert.equal(reply.headers.get('access-control-allow-origin'), '*')
      assert.equal(reply.headers.get('access-control-allow-credentials'), null)
    }
  })
  test('a page of another origin may read the headers that matter', async () => {
    for (const path of ['/items/a', '/nowhere', '/items/%zz']) {
      const reply = await call(path, { headers: { origin: 'https://dash.example' } })
      assert.equal(reply.headers.get('access-control-allow-origin'), '*', path)
      assert.match(
        reply.headers.get('access-control-expose-headers') ?? '',
        /X-RateLimit-Remaining.*Retry-After.*X-Request-Id/,
      )
    }
  })
  test('answers a preflight without asking the gate', async () => {
    const asked = world.asked.length
    const reply = await fetch(`${world.baseUrl}/items/abc`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://dash.example',
        'access-control-request-method': 'PATCH',
        'access-control-request-headers': 'authorization,content-type',
      },
    })
    assert.equal(reply.status, 204)
    assert.match(reply.headers.get('access-control-allow-methods') ?? '', /PATCH/)
    assert.match(reply.headers.get('access-control-allow-headers') ?? '', /Authorization, Content-Type/)
    assert.equal(world.asked.length, asked)
  })
})

describe('refusals', () => {
  test('an unknown route satisfies both families', async () => {
    for (const path of ['/nope', '/items/a/b', '', '/constructor', '/__proto__'])
      assert.deepEqual(await (await call(path)).json(), { success: false, error: 'not_found' }, path)
    const elsewhere = await fetch(`http://127.0.0.1:${world.port}/elsewhere`)
    assert.deepEqual([elsewhere.status, await elsewhere.json()], [404, { success: false, error: 'not_found' }])
  })
  test('a known route with another method is unknown', async () => {
    const reply = await call('/items/abc', { method: 'DELETE' })
    assert.deepEqual([reply.status, await reply.json()], [404, { success: false, error: 'not_found' }])
  })
  test('the caller comes before the request: nobody learns what is wrong with it', async () => {
    for (const [path, body] of [
      ['/items', '{'],
      ['/label', { wrong: 1 }],
      ['/servers/1a7ce997', { action: 'fly' }],
    ] as const) {
      const reply = await fetch(world.baseUrl + path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      })
      assert.equal(reply.status, 401, path)
      assert.equal(reply.headers.get('www-authenticate'), 'Bearer')
    }
    assert.equal((await post('/servers/00000000', { action: 'fly' })).status, 404)
  })
  test('refused requests carry what the gate set, also invalid ones', async () => {
    assert.equal((await post('/items', '{')).headers.get('x-ratelimit-limit'), '180')
    assert.equal((await call('/items/a?size=x')).headers.get('x-ratelimit-limit'), '180')
  })
  test('access by a field is asked with the body, and without it when the field is wrong', async () => {
    await post('/servers/1a7ce997', { action: 'kill' })
    assert.deepEqual(world.asked.at(-1)?.body, { action: 'kill' })
    const reply = await post('/servers/1a7ce997', { action: 'fly' })
    assert.equal(reply.status, 400)
    assert.match(
      ((await reply.json()) as { error: string }).error,
      /body\.action is not one of the allowed values \(expected "start" or "kill"\)/,
    )
    assert.deepEqual(world.asked.at(-1), {
      path: '/servers/{serverId}',
      access: { server: 'visible' },
      body: undefined,
    })
  })
  test('each family shapes its errors', async () => {
    const panel = await fetch(`${world.baseUrl}/items/a`)
    assert.deepEqual([panel.status, await panel.json()], [401, { success: false, error: 'This key is not known' }])
    const control = await fetch(`${world.baseUrl}/label`, { method: 'POST' })
    assert.deepEqual(
      [control.status, await control.json()],
      [401, { error: 'unauthorized', message: 'This key is not known' }],
    )
    const missing = await call('/fail/missing')
    assert.deepEqual([missing.status, await missing.json()], [404, { error: 'not_found', message: 'Key not found' }])
    const conflict = await post('/items', { ...item, name: 'taken' })
    assert.deepEqual(
      [conflict.status, await conflict.json()],
      [409, { success: false, error: 'The name taken is in use. Choose another.' }],
    )
    const forbidden = await call('/servers/11111111/rotation', { method: 'POST' })
    assert.equal(forbidden.status, 403)
  })
  test('too many requests say when to come back', async () => {
    const reply = await call('/fail/limited')
    assert.deepEqual([reply.status, reply.headers.get('retry-after')], [429, '7'])
  })
  test('our own faults show nothing, and the log has them with the request id', async () => {
    for (const how of ['crash', 'shape']) {
      const reply = await call(`/fail/${how}?token=query-secret`)
      assert.deepEqual([reply.status, await reply.json()], [500, { error: 'internal' }])
      const line = world.logged.find((one) => one.includes(reply.headers.get('x-request-id') ?? '-'))
      assert.ok(line, how)
      assert.doesNotMatch(line, /query-secret/)
    }
    assert.match(world.logged.join(''), /secret path/)
  })
  test('wrong fields are named one by one, with what is expected', async () => {
    const reply = await post('/label', { label: 5, lable: 'x' })
    assert.equal(reply.status, 400)
    assert.deepEqual(await reply.json(), {
      error: 'invalid_request',
      message: 'Invalid request: body.label is a number (expected string); body.lable is not a known field',
      details: [
        { where: 'body.label', problem: 'is a number', expected: 'string' },
        { where: 'body.lable', problem: 'is not a known field' },
      ],
    })
  })
  const sentences: [what: string, body: unknown, sentence: RegExp][] = [
    ['a missing field', { limits: item.limits }, /body\.name is missing \(expected string\)/],
    ['a missing body', '', /body is missing \(expected object\)/],
    ['null for a body', 'null', /body is null \(expected object\)/],
    ['an array for a body', '[]', /body is an array \(expected object\)/],
    [
      'a field inside another',
      { ...item, limits: { memory: '64', kind: 'small' } },
      /body\.limits\.memory is a string \(expected number\)/,
    ],
    [
      'a fraction',
      { ...item, limits: { memory: 64.5, kind: 'small' } },
      /body\.limits\.memory is a number \(expected whole number\)/,
    ],
    [
      'too small a number',
      { ...item, limits: { memory: 1, kind: 'small' } },
      /body\.limits\.memory is too small \(expected at least 32\)/,
    ],
    [
      'a value out of a choice',
      { ...item, limits: { memory: 64, kind: 'huge' } },
      /body\.limits\.kind is not one of the allowed values \(expected "small" or "large"\)/,
    ],
    ['too long a text', { ...item, name: 'x'.repeat(81) }, /body\.name is too long \(expected at most 80 characters\)/],
    [
      'too many entries',
      { ...item, labels: ['a', 'b', 'c', 'd'] },
      /body\.labels is too long \(expected at most 3 entries\)/,
    ],
    [
      'what says by itself how it must be',
      { ...item, slug: 'Ä' },
      /^Invalid request: body\.slug must be lower-case letters$/,
    ],
    ['an entry of a list', { ...item, labels: ['a', 1] }, /body\.labels\.1 is a number/],
    ['an unknown kind', { ...item, target: { by: 'magic' } }, /body\.target\.by is not one of the allowed values/],
    [
      'a field of the wrong kind',
      { ...item, target: { by: 'port', port: 1, name: 'x' } },
      /body\.target\.name is not a known field/,
    ],
    ['__proto__', `{"name":"x","__proto__":{"admin":true},"limits":{"memory":64,"kind":"small"}}`, /__proto__/],
    ['__proto__ in disguise', `{"name":"x","limits":{"memory":64,"kind":"small","\\u005f_proto__":{}}}`, /__proto__/],
    ['constructor', { ...item, constructor: { prototype: {} } }, /body\.constructor is not a known field/],
    ['a thousand deep arrays', `${'['.repeat(1000)}${']'.repeat(1000)}`, /body is an array/],
    ['a body nested as deep as its size allows', `${'['.repeat(500_000)}${']'.repeat(500_000)}`, /body is an array/],
    [
      'deep nesting that also looks like an attack',
      `${'['.repeat(400_000)}{"__proto__":1}${']'.repeat(400_000)}`,
      /__proto__/,
    ],
    ['half a body', '{"name":', /not valid JSON/],
    ['JSON with a comment', '{} // x', /not valid JSON/],
  ]
  for (const [what, body, sentence] of sentences)
    test(`names ${what}`, async () => {
      const reply = await post('/items', body)
      assert.equal(reply.status, 400)
      const { success, error } = (await reply.json()) as { success: boolean; error: string }
      assert.equal(success, false)
      assert.match(error, sentence)
      assert.ok(error.length < 1000)
    })
  test('bytes that are not UTF-8 are not JSON', async () => {
    const reply = await call('/items', {
      method: 'POST',
      body: Buffer.from([0x22, 0xff, 0xfe, 0x22]),
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(reply.status, 400)
  })
  test('thousands of faults make a short answer', async () => {
    const reply = await post('/label', Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`field${n}`, n])))
    const text = await reply.text()
    assert.equal(reply.status, 400)
    assert.ok(text.length < 10_000, `${text.length} characters`)
    assert.equal(JSON.parse(text).details.length, 50)
  })
  test('refuses other content types, and one that is none', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonx',
      'nonsense',
      '',
    ]) {
      const reply = await call('/label', {
        method: 'POST',
        body: Buffer.from('{}'),
        headers: type ? { 'content-type': type } : {},
      })
      assert.equal(reply.status, 400, type)
      const body = (await reply.json()) as { error: string; details: unknown[] }
      assert.equal(body.error, 'invalid_request', type)
      assert.equal(body.details.length, 1, type)
    }
    const compressed = await call('/label', {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    })
    assert.equal(compressed.status, 400)
  })
  test('refuses query values of the wrong form or given twice', async () => {
    for (const [query, sentence] of [
      ['size=x', /query\.size has the wrong form \(expected number\)/],
      ['size=0', /query\.size is too small \(expected at least 1\)/],
      ['size=1001', /query\.size is too large \(expected at most 1000\)/],
      ['size=1.5', /query\.size/],
      ['size=5&size=6', /query\.size is given more than once/],
      ['size[a]=1&__proto__=1&size=', /query\.size/],
    ] as const) {
      const reply = await call(`/items/a?${query}`)
      assert.equal(reply.status, 400, query)
      assert.match(((await reply.json()) as { error: string }).error, sentence)
    }
  })
  test('malformed percent-encoding is the caller’s fault', async () => {
    for (const path of [
      '/items/%zz',
      '/items/%',
      '/items/%E0%A4%A',
      '/servers/servers%2F%c0%80/rotation',
      '/servers/%ff',
    ]) {
      const raw = await exchangeRaw(
        world.port,
        `GET /api/v1${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nConnection: close\r\n\r\n`,
      )
      assert.match(raw, /^HTTP\/1\.1 400 /, path)
      assert.match(raw, /"success":false/)
    }
  })
  test('a parameter may hold anything when it is encoded', async () => {
    const reply = await call(`/items/${encodeURIComponent('../a b/ü%00\n"')}`)
    assert.deepEqual(await reply.json(), { success: true, data: { id: '../a b/ü%00\n"', size: null } })
  })
})

describe('large and slow', () => {
  const large = 10 * 1024 * 1024
  test('refuses 10 MB by its length without reading it, and the client sees the reply', async () => {
    const reply = await post('/items', JSON.stringify({ ...item, name: 'x'.repeat(large) }))
    assert.equal(reply.status, 413)
    assert.match(((await reply.json()) as { error: string }).error, /too large: at most 1048576 bytes/)
    assert.ok(reply.headers.get('x-request-id'))
  })
  test('refuses 10 MB in chunks of unknown total', async () => {
    const raw = await exchangeRaw(
      world.port,
      `POST /api/v1/label HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
      ...Array.from({ length: 160 }, () => `10000\r\n${'x'.repeat(0x10000)}\r\n`),
      '0\r\n\r\n',
    )
    assert.match(raw, /^HTTP\/1\.1 413 /)
    assert.match(raw, /"error":"too_large"/)
  })
  test('does not ask for a body that it will refuse', async () => {
    const raw = await exchangeRaw(
      world.port,
      `POST /api/v1/label HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nContent-Type: application/json\r\nContent-Length: ${large}\r\nExpect: 100-continue\r\n\r\n`,
    )
    assert.match(raw, /^HTTP\/1\.1 413 /)
  })
  test('asks for a body that it will take', async () => {
    const connection = net.connect(world.port, '127.0.0.1')
    connection.write(
      `POST /api/v1/label HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nContent-Type: application/json\r\nContent-Length: 14\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
    )
    const [first] = await once(connection, 'data')
    assert.match(String(first), /^HTTP\/1\.1 100 /)
    connection.write('{"label":"ci"}')
    const [second] = await once(connection, 'data')
    assert.match(String(second), /^HTTP\/1\.1 200 /)
    connection.destroy()
  })
  test('does not read the body of somebody unknown', async () => {
    const raw = await exchangeRaw(
      world.port,
      `POST /api/v1/label HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${large}\r\n\r\n`,
      'x'.repeat(1000),
    )
    assert.match(raw, /^HTTP\/1\.1 401 /)
    assert.match(raw, /connection: close/i)
  })
  test('a GET with a body is answered, and its connection is not used again', async () => {
    const raw = await exchangeRaw(
      world.port,
      `GET /api/v1/items/a HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nContent-Length: 100000\r\n\r\n`,
      'abc',
    )
    assert.match(raw, /^HTTP\/1\.1 200 /)
    assert.match(raw, /connection: close/i)
  })
  test('a caller that goes away in the middle of its body leaves no fault in the log', async () => {
    const faults = world.logged.length
    const connection = net.connect(world.port, '127.0.0.1')
    connection.write(
      `POST /api/v1/label HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a`,
    )
    await once(connection, 'connect')
    const asked = world.asked.length
    while (world.asked.length === asked) await new Promise(setImmediate)
    connection.resetAndDestroy()
    assert.equal((await call('/items/a')).status, 200)
    assert.equal(world.logged.length, faults)
  })
  test('a URL or headers beyond the limit are refused before anything reads them', async () => {
    for (const head of [
      `GET /api/v1/items/${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: x\r\n${'X-A: 1\r\n'.repeat(5000)}\r\n`,
    ]) {
      const raw = await exchangeRaw(world.port, head)
      assert.match(raw, /^HTTP\/1\.1 431 /)
      assert.match(raw, /"success":false,"error":"too_large"/)
    }
  })
  test('bytes that are no HTTP get a 400 and the door', async () => {
    for (const bytes of [
      'hello\r\n\r\n',
      '\u0000\u0001\u0002\u0003\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      'GET /api/v1/items/a HTTP/1.1\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    ])
      assert.match(await exchangeRaw(world.port, bytes), /^HTTP\/1\.1 400 /, JSON.stringify(bytes))
  })
  test('an odd Host header changes nothing', async () => {
    for (const host of ['', 'a'.repeat(8000), '[::1', 'x:99999', '../..', '%00'])
      assert.match(
        await exchangeRaw(
          world.port,
          `GET /api/v1/items/a HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${goodKey}\r\nConnection: close\r\n\r\n`,
        ),
        /^HTTP\/1\.1 200 /,
      )
  })
  test('an upgrade to anything but a WebSocket is ignored', async () => {
    const raw = await exchangeRaw(
      world.port,
      `POST /api/v1/label HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"label":"ci"}`,
    )
    assert.match(raw, /^HTTP\/1\.1 200 /)
  })
  test('pipelined requests are answered in order', async () => {
    const head = (id: number, end: string): string =>
      `GET /api/v1/items/${id} HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\n${end}\r\n`
    const raw = await exchangeRaw(world.port, head(1, '') + head(2, '') + head(3, 'Connection: close\r\n'))
    assert.deepEqual(
      [...raw.matchAll(/"id":"(\d)"/g)].map((found) => found[1]),
      ['1', '2', '3'],
    )
  })
})

describe('options', () => {
  test('pages live beside the API, with headers of their own and bodies of any kind', async () => {
    await using own = await startTestApi({
      pages: (app) => {
        app.get('/', (_request, reply) => reply.type('text/html').send('<h1>hello</h1>'))
        app.register(async (scope) => {
          scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
          scope.post('/upload', async (request) => {
            let bytes = 0
            for await (const chunk of request.body as AsyncIterable<Buffer>) bytes += chunk.length
            return { bytes }
          })
        })
        app.setNotFoundHandler((_request, reply) => reply.code(404).send('no such page'))
      },
    })
    const root = `http://127.0.0.1:${own.port}`
    const page = await fetch(root)
    assert.deepEqual([await page.text(), page.headers.get('referrer-policy')], ['<h1>hello</h1>', 'no-referrer'])
    assert.equal(page.headers.get('access-control-allow-origin'), null)
    const upload = await fetch(`${root}/upload`, {
      method: 'POST',
      body: Buffer.alloc(5_000_000),
      headers: { 'content-type': 'application/octet-stream' },
    })
    assert.deepEqual(await upload.json(), { bytes: 5_000_000 })
    const waiting = `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\nab`
    assert.match(await exchangeRaw(own.port, waiting), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
    assert.equal(await (await fetch(`${root}/nothing`)).text(), 'no such page')
    assert.deepEqual(await (await fetch(`${own.baseUrl}/nothing`)).json(), { success: false, error: 'not_found' })
  })
  test('without a prefix every path is of the API', async () => {
    await using own = await startTestApi({ prefix: '', cors: false })
    const root = `http://127.0.0.1:${own.port}`
    const reply = await fetch(`${root}/items/a`, { headers: { authorization: goodKey } })
    assert.equal(reply.status, 200)
    assert.equal(reply.headers.get('access-control-allow-origin'), null)
    assert.deepEqual(await (await fetch(`${root}/nothing`)).json(), { success: false, error: 'not_found' })
  })
  test('only a trusted proxy says who the caller is', async () => {
    const admit = (_: unknown, { address }: { address: string }): never => {
      throw new AppError('forbidden', address)
    }
    const seen = async (trustedProxies: string[]): Promise<unknown> => {
      await using own = await startTestApi({ gate: { admit }, trustedProxies })
      const reply = await fetch(`${own.baseUrl}/items/a`, { headers: { 'x-forwarded-for': '203.0.113.9' } })
      return ((await reply.json()) as { error: string }).error
    }
    assert.equal(await seen([]), '127.0.0.1')
    assert.equal(await seen(['192.0.2.0/24']), '127.0.0.1')
    assert.equal(await seen(['127.0.0.1']), '203.0.113.9')
  })
})

describe('closing', () => {
  test('lets a running request finish and takes no more', async () => {
    const own = await startTestApi()
    const running = fetch(`${own.baseUrl}/slow`)
    while (!own.asked.some(({ path }) => path === '/slow')) await new Promise(setImmediate)
    const idle = net.connect(own.port, '127.0.0.1')
    await once(idle, 'connect')
    const closed = own.api[Symbol.asyncDispose]()
    await once(idle, 'close')
    const late = net.connect(own.port, '127.0.0.1')
    await once(late, 'close')
    own.release()
    assert.deepEqual(await (await running).json(), { ok: true })
    await closed
    await own[Symbol.asyncDispose]()
  })
  test('a loose body is a mistake of the declaration, found at the start', async () => {
    const loose = {
      x: operation({
        method: 'POST',
        path: '/x',
        family: 'control',
        tag: 'X',
        summary: 'x',
        access: 'public',
        body: z.object({ a: z.string() }),
        reply: z.object({}),
        errors: [],
      }),
    }
    await assert.rejects(
      startTestApi({ parts: [part(loose, { x: () => ({}) })] }),
      /POST \/x: its body must be a z\.strictObject/,
    )
  })
})
