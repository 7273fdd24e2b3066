import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  endHeaders,
  endStream,
  fields,
  frame,
  frameTypes,
  frameVisitor,
  goAwayCode,
  number,
  request,
} from './testing/http2-frames.ts'
import { acmeToken, forwardTo, handAgent, httpService, tcpService, testEdge } from './testing/world.ts'

const host = 'web.acme.localhost'
const get = (stream: number, pairs = request(host)): Buffer =>
  frame('headers', endStream | endHeaders, stream, fields(pairs))

/** An edge in front of a service that notes what reached it. */
async function notedService(closer: AsyncDisposableStack, limits = {}): Promise<{ port: number; reached: string[] }> {
  const reached: string[] = []
  const service = await httpService(closer, (asked, response) => {
    reached.push(asked.url ?? '')
    response.end('reached')
  })
  const edge = await testEdge(closer, {}, { limits })
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(service))
  await agent.open({ kind: 'http', name: 'web' })
  return { port: edge.httpPort, reached }
}

test('refuses what would become something else in HTTP/1, and the service hears nothing of it', async () => {
  await using closer = new AsyncDisposableStack()
  const { port, reached } = await notedService(closer)
  const [method = ['', ''], scheme = ['', ''], authority = ['', ''], path = ['', '']] = request(host)
  const wrong: Record<string, (readonly [string, string])[]> = {
    'a name with capitals': [...request(host), ['X-A', 'b']],
    'transfer-encoding': [...request(host), ['transfer-encoding', 'chunked']],
    connection: [...request(host), ['connection', 'close']],
    upgrade: [...request(host), ['upgrade', 'h2c']],
    'te beyond trailers': [...request(host), ['te', 'gzip']],
    'a path with a space': request(host, '/ HTTP/1.1'),
    'a path with a line end': request(host, '/ HTTP/1.1\r\nHost: other\r\n\r\nGET /second'),
    'a whole URL as the path': request(host, `http://${host}/`),
    'an empty path': request(host, ''),
    'a method with a space': request(host, '/', 'GET /x HTTP/1.1'),
    'another host': [...request(host), ['host', 'other.acme.localhost']],
    'an authority with a path': request(`${host}/x`),
    'an authority with a user': request(`user@${host}`),
    'no authority': [method, scheme, path],
    'two paths': [method, scheme, authority, path, [':path', '/second']],
    'two authorities': [method, scheme, authority, [':authority', 'other'], path],
    'a late pseudo field': [method, scheme, authority, ['x-a', 'b'], path],
    'an unknown pseudo field': [...request(host), [':unknown', 'x']],
    'a scheme of its own': [method, [':scheme', 'file'], authority, path],
    'two content lengths': [...request(host), ['content-length', '0'], ['content-length', '1']],
    'a content length that does not come': [...request(host), ['content-length', '5']],
    'CONNECT to anywhere': [[':method', 'CONNECT'], authority],
  }
  for (const [name, pairs] of Object.entries(wrong)) {
    const visitor = await frameVisitor(closer, port)
    visitor.send(frame('headers', endStream | endHeaders, 1, fields(pairs)))
    const frames = await visitor.until(
      ({ type, stream, payload }) =>
        (stream === 1 && type === frameTypes.reset) ||
        type === frameTypes.goAway ||
        (stream === 1 && type === frameTypes.data && payload.includes('"request_invalid"')),
    )
    assert.ok(frames.length > 0, name)
  }
  assert.deepEqual(reached, [])
  const visitor = await frameVisitor(closer, port)
  visitor.send(get(1))
  await visitor.until(({ type, payload }) => type === frameTypes.data && payload.includes('reached'))
  assert.deepEqual(reached, ['/'])
})

test('leaves out fields that would become something else in HTTP/1', async () => {
  await using closer = new AsyncDisposableStack()
  const wrong: [name: string, value: string][] = [
    ['x-a', 'b\r\nTransfer-Encoding: chunked'],
    ['x-a', 'b\nHost: other'],
    ['x-a', 'b\rc'],
    ['x-a', 'b\0'],
    ['x-a:b', 'c'],
    ['x-a\r\nx-b', 'c'],
    ['x a', 'b'],
  ]
  let seen = ''
  const service = await tcpService(closer, (socket) =>
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1')
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nreached')
    }),
  )
  const edge = await testEdge(closer)
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(service))
  await agent.open({ kind: 'http', name: 'web' })
  const visitor = await frameVisitor(closer, edge.httpPort)
  visitor.send(get(1, [...request(host), ...wrong, ['x-right', 'yes']]))
  await visitor.until(({ type, payload }) => type === frameTypes.data && payload.includes('reached'))
  assert.equal(
    seen,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nx-right: yes\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n` +
      `X-Forwarded-Host: ${host}\r\nForwarded: for=127.0.0.1;host="${host}";proto=http\r\n\r\n`,
  )
})

test('a body of another length than announced is never a whole request to the service', async () => {
  await using closer = new AsyncDisposableStack()
  const whole: string[] = []
  const service = await httpService(closer, (asked, response) => {
    asked.resume()
    asked.on('error', () => undefined)
    asked.once('end', () => {
      whole.push(asked.url ?? '')
      response.end('reached')
    })
  })
  const edge = await testEdge(closer)
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(service))
  await agent.open({ kind: 'http', name: 'web' })
  for (const body of ['too long', 'x']) {
    const visitor = await frameVisitor(closer, edge.httpPort)
    visitor.send(
      frame('headers', endHeaders, 1, fields([...request(host, '/', 'POST'), ['content-length', '5']])),
      frame('data', endStream, 1, Buffer.from(body)),
    )
    await visitor.until(({ type, stream }) => (type === frameTypes.reset && stream === 1) || type === frameTypes.goAway)
  }
  const visitor = await frameVisitor(closer, edge.httpPort)
  visitor.send(get(1, request(host, '/after')))
  await visitor.until(({ type, payload }) => type === frameTypes.data && payload.includes('reached'))
  assert.deepEqual(whole, ['/after'])
})

test('ends a connection that resets requests as fast as it makes them (CVE-2023-44487)', async () => {
  await using closer = new AsyncDisposableStack()
  const { port, reached } = await notedService(closer, { http2ResetsBurst: 20, http2ResetsPerSecond: 1 })
  const visitor = await frameVisitor(closer, port)
  for (let stream = 1; stream < 2000; stream += 2) visitor.send(get(stream), frame('reset', 0, stream, number(8)))
  await visitor.ended
  assert.ok(reached.length < 500, `${reached.length} reached the service`)
})

test('ends a connection whose head never ends (CVE-2024-27316)', async () => {
  await using closer = new AsyncDisposableStack()
  const { port, reached } = await notedService(closer)
  const visitor = await frameVisitor(closer, port)
  visitor.send(frame('headers', endStream, 1, fields(request(host))))
  const more = frame('continuation', 0, 1, fields([['x-more', 'y'.repeat(8000)]]))
  for (let count = 0; count < 100; count++) visitor.send(more)
  await visitor.ended
  assert.deepEqual(reached, [])
})

test('ends a connection that floods it with settings, pings or empty frames', async () => {
  await using closer = new AsyncDisposableStack()
  const { port } = await notedService(closer, {
    http2PingsBurst: 50,
    http2PingsPerSecond: 1,
    http2InvalidFramesMax: 10,
  })
  const floods = {
    settings: frame('settings', 0, 0, Buffer.alloc(0)),
    pings: frame('ping', 0, 0, Buffer.alloc(8)),
    'empty data': frame('data', 0, 1, Buffer.alloc(0)),
  }
  for (const [name, flood] of Object.entries(floods)) {
    const visitor = await frameVisitor(closer, port)
    visitor.send(frame('headers', endHeaders, 1, fields(request(host, '/', 'POST'))))
    for (let count = 0; count < 2000; count++) visitor.send(flood)
    const frames = await visitor.ended
    assert.ok(frames.length < 2000, name)
  }
})

test('ends a connection that breaks the rules of windows and frames', async () => {
  await using closer = new AsyncDisposableStack()
  const { port } = await notedService(closer)
  const wrong = [
    frame('windowUpdate', 0, 0, number(0)),
    Buffer.concat([1, 2].map(() => frame('windowUpdate', 0, 0, number(0x7fffffff)))),
    frame('data', 0, 0, Buffer.from('x')),
    frame('headers', endHeaders, 2, fields(request(host))),
    frame('ping', 0, 0, Buffer.alloc(7)),
    frame('data', 0, 1, Buffer.alloc(20_000)),
    frame('headers', endHeaders, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x0f])),
  ]
  for (const bytes of wrong) {
    const visitor = await frameVisitor(closer, port)
    visitor.send(bytes)
    assert.notEqual(goAwayCode(await visitor.ended) ?? 1, 0)
  }
})

test('ends a connection that asks for nothing, or never finishes what it says first', async () => {
  await using closer = new AsyncDisposableStack()
  const { port } = await notedService(closer, { headTimeoutMs: 100, helloTimeoutMs: 100, lingerMs: 50 })
  const silent = await frameVisitor(closer, port)
  await silent.ended
  const half = await frameVisitor(closer, port)
  half.send(frame('headers', endStream, 1, fields(request(host))))
  await half.ended
})
