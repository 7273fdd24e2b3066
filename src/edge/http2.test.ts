import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { test } from 'node:test'
import { WebSocketServer } from 'ws'
import { answerOf, ask, http2Service, http2Visitor } from './testing/http2-client.ts'
import {
  endHeaders,
  endStream,
  fields,
  frame,
  frameTypes,
  frameVisitor,
  request as requestPairs,
} from './testing/http2-frames.ts'
import {
  acmeToken,
  eventually,
  forwardTo,
  handAgent,
  httpService,
  type TestEdge,
  tcpService,
  testEdge,
} from './testing/world.ts'

/** An edge with `web.acme.localhost` open and leading to a local port. */
async function webTunnel(
  closer: AsyncDisposableStack,
  port: number,
  { http2 = false, limits = {} } = {},
): Promise<TestEdge> {
  const edge = await testEdge(closer, {}, { limits })
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(port))
  const opened = await agent.open({ kind: 'http', name: 'web', ...(http2 && { http2 }) })
  assert.equal(opened.type, 'opened')
  return edge
}

test('a request reaches a service of HTTP/1 byte for byte, with only our word on who the visitor is', async () => {
  await using closer = new AsyncDisposableStack()
  let seen = ''
  const port = await tcpService(closer, (socket) =>
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1')
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Odd:   spaced  \r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n' +
          'Set-Cookie: a=1; Domain=.localhost; Path=/\r\nSet-Cookie: b=2\r\nVary: a\r\nVary: b\r\n\r\nok',
      )
    }),
  )
  const edge = await webTunnel(closer, port)
  const answer = await ask(http2Visitor(closer, edge.httpPort), {
    ':path': '//a/../b%2F%2e/?q=%00&\xe9',
    'x-forwarded-for': '6.6.6.6',
    x_real_ip: '6.6.6.6',
    'x-mixed': 'a\tb',
    forwarded: 'for=6.6.6.6',
    cookie: ['a=1', 'b=\xe9'],
    te: 'trailers',
    'proxy-authorization': 'Basic x',
  })
  assert.equal(
    seen,
    'GET //a/../b%2F%2e/?q=%00&\xe9 HTTP/1.1\r\nHost: web.acme.localhost\r\nx-mixed: a\tb\r\ncookie: a=1; b=\xe9\r\n' +
      'X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: web.acme.localhost\r\nForwarded: for=127.0.0.1;host="web.acme.localhost";proto=http\r\n\r\n',
  )
  const { text, code } = answer
  assert.deepEqual(
    { text, code, ...Object.fromEntries(Object.entries(answer.headers)) },
    {
      text: 'ok',
      code: 0,
      ':status': 200,
      'content-length': '2',
      'x-odd': 'spaced',
      'set-cookie': ['a=1; Path=/', 'b=2'],
      vary: 'a, b',
    },
  )
})

test('a host is found in any case, with a final dot or a port, by :authority or host; the service hears it as it came', async () => {
  await using closer = new AsyncDisposableStack()
  const heard = ({ headers }: IncomingMessage): string =>
    `${headers.host} ${headers['x-forwarded-host']} ${headers.forwarded}`
  const port = await httpService(closer, (request, response) => response.end(heard(request)))
  const edge = await webTunnel(closer, port)
  for (const [named, also] of [
    ['WEB.Acme.localhost'],
    ['web.acme.localhost.'],
    ['web.acme.localhost:8443'],
    ['web.acme.localhost', 'WEB.acme.localhost'],
    ['', 'Web.acme.localhost'],
  ] as const) {
    const visitor = await frameVisitor(closer, edge.httpPort)
    const pairs = requestPairs(named).filter(([name]) => name !== ':authority' || named !== '')
    visitor.send(
      frame('headers', endHeaders | endStream, 1, fields([...pairs, ...(also ? [['host', also] as const] : [])])),
    )
    const host = named || also
    await visitor.until(({ payload }) => payload.includes(`${host} ${host} for=127.0.0.1;host="${host}";proto=http`))
  }
  for (const [named, also] of [
    ['web.acme.localhost', 'web.acme.localhost:80'],
    ['web.acme.localhost', 'web.acme.localhost.'],
    ['web.acme.localhost..', undefined],
    ['web.acme.localhost,umbrella', undefined],
  ] as const) {
    const visitor = await frameVisitor(closer, edge.httpPort)
    visitor.send(
      frame(
        'headers',
        endHeaders | endStream,
        1,
        fields([...requestPairs(named), ...(also ? [['host', also] as const] : [])]),
      ),
    )
    // By nghttp2, as a reset, or by our own words.
    await visitor.until(
      ({ type, stream, payload }) =>
        (type === frameTypes.reset && stream === 1) || payload.includes('"error":"request_invalid"'),
    )
  }
})

test('bodies pass both ways, of known length and not, with the trailers of the answer', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await httpService(closer, (request, response) => {
    response.writeHead(200, { 'x-framed': request.headers['content-length'] ?? 'chunked' })
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      response.write(chunk)
    })
    request.on('end', () => {
      response.addTrailers({ 'X-Sum': String(bytes) })
      response.end()
    })
  })
  const edge = await webTunnel(closer, port)
  const visitor = http2Visitor(closer, edge.httpPort)
  const long = 'a longer body '.repeat(200_000)
  const chunked = await ask(visitor, { ':method': 'POST' }, long)
  assert.deepEqual([chunked.text === long, chunked.trailers['x-sum'], chunked.code], [true, String(long.length), 0])
  assert.equal(chunked.headers['x-framed'], 'chunked')
  const counted = await ask(visitor, { ':method': 'PUT', 'content-length': '5' }, 'hello')
  assert.deepEqual([counted.text, counted.headers['x-framed'], counted.trailers['x-sum']], ['hello', '5', '5'])
  const head = await ask(visitor, { ':method': 'HEAD' })
  assert.deepEqual([head.status, head.text, head.code], [200, '', 0])
})

test('events come one by one while the request is still open', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await httpService(closer, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: first\n\n')
    request.on('data', (chunk: Buffer) => response.write(`data: ${chunk}\n\n`))
    request.on('end', () => response.end())
  })
  const edge = await webTunnel(closer, port)
  const stream = http2Visitor(closer, edge.httpPort).request({ ':method': 'POST', ':authority': 'web.acme.localhost' })
  stream.setEncoding('utf8')
  const next = async (): Promise<string> => ((await once(stream, 'data')) as [string])[0]
  assert.equal(await next(), 'data: first\n\n')
  for (const word of ['second', 'third']) {
    stream.write(word)
    assert.equal(await next(), `data: ${word}\n\n`)
  }
  stream.end()
  await once(stream, 'end')
})

test('requests one after the other share a connection to the service, those side by side do not', async () => {
  await using closer = new AsyncDisposableStack()
  let connections = 0
  const held: (() => void)[] = []
  const port = await tcpService(closer, (socket) => {
    connections++
    socket.on('data', (chunk) => {
      const answer = (): void => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      if (chunk.includes('GET /held')) held.push(answer)
      else answer()
    })
  })
  const edge = await webTunnel(closer, port)
  const visitor = http2Visitor(closer, edge.httpPort)
  for (let round = 0; round < 3; round++) assert.equal((await ask(visitor, {})).text, 'ok')
  assert.equal(connections, 1)
  const both = [ask(visitor, { ':path': '/held' }), ask(visitor, { ':path': '/held' })]
  await eventually(() => held.length === 2, 'both are asked')
  assert.equal(connections, 2)
  for (const answer of held) answer()
  assert.deepEqual(
    (await Promise.all(both)).map(({ text }) => text),
    ['ok', 'ok'],
  )
})

test('a request is sent once more when the service closes the kept connection on it, unless that could do harm', async () => {
  await using closer = new AsyncDisposableStack()
  const asked: string[] = []
  const port = await tcpService(closer, (socket) => {
    let requests = 0
    socket.on('data', (chunk) => {
      asked.push(chunk.toString('latin1').slice(0, 4))
      if (requests++ === 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      else socket.end()
    })
  })
  const edge = await webTunnel(closer, port)
  const visitor = http2Visitor(closer, edge.httpPort)
  assert.equal((await ask(visitor, {})).text, 'ok')
  assert.equal((await ask(visitor, {})).text, 'ok')
  assert.deepEqual(asked, ['GET ', 'GET ', 'GET '])
  const posted = await ask(visitor, { ':method': 'POST' }, 'x')
  assert.equal(posted.headers['pharos-error'], 'service_broke_off')
})

test('tells apart: no tunnel, agent away, service down, answers that are none; as a page only to browsers, and to gRPC in its own words', async () => {
  await using closer = new AsyncDisposableStack()
  const broken = await tcpService(closer, (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n'))
  const edge = await testEdge(closer, {}, { limits: { visitorsPerTunnelMax: 1 } })
  const agent = await handAgent(closer, edge, acmeToken, (stream, head) =>
    (head as { tunnelId: string }).tunnelId === 'acme/broken' ? forwardTo(broken)(stream) : forwardTo(1)(stream),
  )
  for (const name of ['web', 'broken', 'gone']) await agent.open({ kind: 'http', name })
  const visitor = http2Visitor(closer, edge.httpPort)
  const problem = async (host: string, more = {}): Promise<unknown[]> => {
    const { status, headers } = await ask(visitor, { ':authority': `${host}.acme.localhost`, ...more })
    return [status, headers['pharos-error']]
  }
  assert.deepEqual(await problem('nobody'), [404, 'tunnel_not_found'])
  assert.deepEqual(await problem('web'), [502, 'service_unreachable'])
  assert.deepEqual(await problem('broken'), [502, 'service_answer_invalid'])
  const page = await ask(visitor, { ':authority': 'nobody.acme.localhost', accept: 'text/html' })
  assert.match(page.text, /<h1>No tunnel here/)
  const call = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
  const grpc = async (host: string): Promise<unknown> =>
    (await ask(visitor, { ':authority': `${host}.acme.localhost`, ...call }, 'x')).headers['grpc-status']
  assert.equal(await grpc('nobody'), '5')
  assert.equal(await grpc('web'), '14')
  agent.link.close('going')
  await eventually(async () => (await problem('gone'))[1] === 'agent_offline', 'the agent is away')
  assert.equal(await grpc('gone'), '14')
})

test('an answer that breaks off right behind its head is a reset, for each of many', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await tcpService(closer, (socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun')),
  )
  const edge = await webTunnel(closer, port)
  const visitor = http2Visitor(closer, edge.httpPort)
  for (let round = 0; round < 20; round++) assert.equal((await ask(visitor, {})).code, constants.NGHTTP2_INTERNAL_ERROR)
})

test('a WebSocket over HTTP/2 reaches a service that knows it from HTTP/1', async () => {
  await using closer = new AsyncDisposableStack()
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'chat' })
  closer.defer(() => sockets.close())
  await once(sockets, 'listening')
  const { port } = sockets.address() as { port: number }
  sockets.on('connection', (socket) => socket.on('message', (message) => socket.send(`echo ${message}`)))
  const edge = await webTunnel(closer, port)
  const visitor = http2Visitor(closer, edge.httpPort)
  await once(visitor, 'remoteSettings')
  const stream = visitor.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':authority': 'web.acme.localhost',
    ':path': '/chat',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'chat',
  })
  const [headers] = await once(stream, 'response')
  assert.deepEqual(
    [headers[':status'], headers['sec-websocket-protocol'], headers.upgrade, headers['sec-websocket-accept']],
    [200, 'chat', undefined, undefined],
  )
  // FIN and text, masked with zeros.
  stream.write(Buffer.concat([Buffer.from([0x81, 0x82, 0, 0, 0, 0]), Buffer.from('hi')]))
  const [message] = (await once(stream, 'data')) as [Buffer]
  assert.equal(message.subarray(2).toString(), 'echo hi')
  stream.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0]))
  await once(stream, 'close')
  assert.equal(stream.rstCode, 0)
})

test('refuses a WebSocket whose service answers for another key, and tunnels to other protocols', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await tcpService(closer, (socket) =>
    socket.on('data', () =>
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nsecret',
      ),
    ),
  )
  const edge = await webTunnel(closer, port)
  const visitor = http2Visitor(closer, edge.httpPort)
  await once(visitor, 'remoteSettings')
  const connect = (protocol: string): Promise<{ status: number | undefined; text: string }> =>
    ask(visitor, { ':method': 'CONNECT', ':protocol': protocol, ':path': '/', ':scheme': 'http' }, 'early')
  const forged = await connect('websocket')
  assert.equal(forged.status, 502)
  assert.doesNotMatch(forged.text, /secret/)
  assert.equal((await connect('connect-udp')).status, 501)
  assert.equal((await ask(visitor, { ':method': 'GET' })).status, 502)
})

const call = { ':method': 'POST', 'content-type': 'application/grpc+proto', te: 'trailers' }

test('gRPC goes as HTTP/2 all the way: both sides speak in turn, trailers and status arrive', async () => {
  await using closer = new AsyncDisposableStack()
  const heads: Record<string, unknown>[] = []
  const { port } = await http2Service(closer, (stream, headers) => {
    heads.push(headers)
    stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true })
    stream.on('data', (chunk: Buffer) => stream.write(`${chunk}!`))
    stream.on('end', () => stream.end())
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }))
  })
  const edge = await webTunnel(closer, port)
  const stream = http2Visitor(closer, edge.httpPort).request({
    ':authority': 'web.acme.localhost',
    ...call,
    ':path': '/chat.Chat/Talk',
    'x-forwarded-for': '6.6.6.6',
    'grpc-timeout': '1H',
  })
  const said: string[] = []
  stream.setEncoding('utf8')
  for (const word of ['one', 'two', 'three']) {
    stream.write(word)
    said.push(((await once(stream, 'data')) as [string])[0])
  }
  assert.deepEqual(said, ['one!', 'two!', 'three!'])
  stream.end()
  const [trailers] = await once(stream, 'trailers')
  assert.deepEqual([trailers['grpc-status'], trailers['grpc-message']], ['0', 'fine'])
  const {
    ':path': path,
    ':authority': authority,
    te,
    'x-forwarded-for': from,
    'grpc-timeout': timeout,
  } = heads[0] ?? {}
  assert.deepEqual(
    { path, authority, te, from, timeout },
    { path: '/chat.Chat/Talk', authority: 'web.acme.localhost', te: 'trailers', from: '127.0.0.1', timeout: '1H' },
  )
})

test('an answer of trailers alone and the reason of a reset reach the visitor, and a visitor who gives up is known to the service', async () => {
  await using closer = new AsyncDisposableStack()
  const held = Promise.withResolvers<ServerHttp2Stream>()
  const { port } = await http2Service(closer, (stream, { ':path': path }) => {
    if (path === '/alone') stream.respond({ ':status': 200, 'grpc-status': '7' }, { endStream: true })
    else if (path === '/reset') stream.close(constants.NGHTTP2_REFUSED_STREAM)
    else held.resolve(stream)
  })
  const edge = await webTunnel(closer, port)
  const visitor = http2Visitor(closer, edge.httpPort)
  const alone = await ask(visitor, { ...call, ':path': '/alone' }, 'x')
  assert.deepEqual([alone.status, alone.headers['grpc-status'], alone.code], [200, '7', 0])
  const reset = await ask(visitor, { ...call, ':path': '/reset' }, 'x')
  assert.equal(reset.code, constants.NGHTTP2_REFUSED_STREAM)
  const stream = visitor.request({ ':authority': 'web.acme.localhost', ...call, ':path': '/held' })
  const answer = answerOf(stream)
  const asked = await held.promise
  const gone = once(asked, 'close')
  stream.close(constants.NGHTTP2_CANCEL)
  await Promise.all([gone, answer])
  assert.equal(asked.rstCode, constants.NGHTTP2_CANCEL)
})

test('a service that restarts is asked over a new connection, and a call that was under way is told', async () => {
  await using closer = new AsyncDisposableStack()
  const { port, sessions } = await http2Service(closer, (stream, { ':path': path }) => {
    if (path !== '/held') stream.respond({ ':status': 200, 'grpc-status': '0' }, { endStream: true })
  })
  const edge = await webTunnel(closer, port, { limits: { lingerMs: 50 } })
  const visitor = http2Visitor(closer, edge.httpPort)
  assert.equal((await ask(visitor, call, 'x')).status, 200)
  assert.equal((await ask(visitor, call, 'x')).status, 200)
  assert.equal(sessions.length, 1)
  const held = ask(visitor, { ...call, ':path': '/held' }, 'x')
  // Everything before this has reached the service.
  assert.equal((await ask(visitor, call, 'x')).status, 200)
  sessions[0]?.destroy()
  const told = await held
  assert.ok(told.headers['grpc-status'] === '14' || told.code !== 0, JSON.stringify(told))
  await eventually(async () => (await ask(visitor, call, 'x')).headers['grpc-status'] === '0', 'it serves again')
  assert.ok(sessions.length > 1)
})

test('a tunnel of --http2 is asked over HTTP/2 for everything', async () => {
  await using closer = new AsyncDisposableStack()
  const { port } = await http2Service(closer, (stream, headers) => {
    stream.respond({ ':status': 200, 'set-cookie': ['a=1; Domain=localhost', 'b=2'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-late': 'yes' }))
    stream.end(`asked for ${headers[':path']}`)
  })
  const edge = await webTunnel(closer, port, { http2: true })
  const answer = await ask(http2Visitor(closer, edge.httpPort), { ':path': '/x?y' })
  assert.deepEqual([answer.status, answer.text, answer.trailers['x-late']], [200, 'asked for /x?y', 'yes'])
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2'])
})

test('each request at once counts as a connection of the visitor’s address, and gives it back', async () => {
  await using closer = new AsyncDisposableStack()
  const held: (() => void)[] = []
  const port = await httpService(closer, (_, response) => void held.push(() => response.end('ok')))
  const edge = await webTunnel(closer, port, { limits: { visitorsPerAddressMax: 3, http2IdleStreamsMax: 0 } })
  const visitor = http2Visitor(closer, edge.httpPort)
  const two = [ask(visitor, {}), ask(visitor, {})]
  await eventually(() => held.length === 2, 'two are asked')
  assert.equal((await ask(visitor, {})).headers['pharos-error'], 'over_limit')
  for (const answer of held.splice(0)) answer()
  assert.deepEqual(
    (await Promise.all(two)).map(({ status }) => status),
    [200, 200],
  )
  const again = ask(visitor, {})
  await eventually(() => held.length === 1, 'there is room again')
  held[0]?.()
  assert.equal((await again).text, 'ok')
})

test('visitors are cut when their tunnel or its agent ends', async () => {
  await using closer = new AsyncDisposableStack()
  let asked = 0
  const port = await httpService(closer, (_, response) => {
    asked++
    response.write('begun')
  })
  const { port: grpcPort } = await http2Service(closer, (stream) => {
    asked++
    stream.respond({ ':status': 200 })
  })
  const edge = await testEdge(closer)
  const agent = await handAgent(closer, edge, acmeToken, (stream, head) =>
    forwardTo((head as { tunnelId: string }).tunnelId === 'acme/web' ? port : grpcPort)(stream),
  )
  await agent.open({ kind: 'http', name: 'web' })
  await agent.open({ kind: 'http', name: 'api', http2: true })
  const visitor = http2Visitor(closer, edge.httpPort)
  const both = [ask(visitor, {}), ask(visitor, { ':authority': 'api.acme.localhost' })]
  await eventually(() => asked === 2, 'both are asked')
  agent.link.close('going')
  for (const { code, headers } of await Promise.all(both)) assert.ok(code !== 0 || headers['pharos-error'])
})
