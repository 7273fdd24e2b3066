import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { constants, createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { answerOf, ask, http2Visitor } from './testing/http2-client.ts'
import { endHeaders, endStream, frame, fields as hpack, number } from './testing/http2-frames.ts'
import {
  acmeToken,
  eventually,
  forwardTo,
  handAgent,
  rawVisitor,
  type TestEdge,
  tcpService,
  testEdge,
} from './testing/world.ts'

const host = 'web.acme.localhost'

/** A service that speaks HTTP/2 alone: each path is an answer of another kind. */
const answers: Record<string, (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void> = {
  '/plain': (stream) => {
    stream.respond({ ':status': 200, 'set-cookie': ['a=1; Domain=.localhost', 'b=2'], vary: 'x' })
    stream.end('plain')
  },
  '/seen': (stream, headers) => {
    stream.respond({ ':status': 200, 'content-type': 'application/json' })
    stream.end(JSON.stringify(headers))
  },
  '/empty': (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
  '/nothing': (stream) => stream.respond({ ':status': 204 }, { endStream: true }),
  '/length': (stream) => {
    stream.respond({ ':status': 200, 'content-length': 6 })
    stream.end('length')
  },
  '/echo': (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    let bytes = 0
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-bytes': String(bytes), host: 'elsewhere' }))
    stream.pipe(stream)
  },
  '/hints': (stream) => {
    stream.additionalHeaders({ ':status': 103, link: '</style.css>; rel=preload' })
    stream.respond({ ':status': 200 })
    stream.end('hinted')
  },
  '/early': (stream) => {
    stream.respond({ ':status': 413 })
    stream.end('too much')
  },
  '/reset': (stream) => stream.close(constants.NGHTTP2_CANCEL),
  '/leave': (stream) => {
    stream.respond({ ':status': 200 })
    stream.end('left')
    stream.session?.close()
  },
}

describe('a tunnel whose service speaks HTTP/2 alone', () => {
  const closer = new AsyncDisposableStack()
  let edge: TestEdge
  let connections = 0
  const service = createServer({ settings: { enableConnectProtocol: true }, maxHeaderListPairs: 300 })
  const deaf = createServer()

  before(async () => {
    const ports = await Promise.all([listen(closer, service), listen(closer, deaf)])
    service.on('session', () => connections++)
    for (const server of [service, deaf])
      server.on('stream', (stream, headers) => {
        stream.on('error', () => undefined)
        if (headers[':method'] === 'CONNECT') webSocket(stream, headers)
        else answers[headers[':path'] ?? '']?.(stream, headers)
      })
    const old = await tcpService(closer, (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 What\r\n\r\n')))
    edge = await testEdge(closer)
    const begun = (fields: [string, string][], ...more: Buffer[]): Promise<number> =>
      tcpService(closer, (socket) =>
        socket.once('data', () => {
          const head = frame('headers', endHeaders, 1, hpack([[':status', '200'], ...fields]))
          socket.write(Buffer.concat([frame('settings', 0, 0, Buffer.alloc(0)), head]))
          socket.write(Buffer.concat([frame('data', 0, 1, Buffer.from('begun')), ...more]))
          if (more.length === 0) socket.end()
        }),
      )
    const behind = new Map([
      ['acme/reset', await begun([], frame('reset', 0, 1, number(constants.NGHTTP2_INTERNAL_ERROR)))],
      ['acme/cut', await begun([])],
      ['acme/short', await begun([['content-length', '9']], frame('data', endStream, 1, Buffer.alloc(0)))],
      ['acme/web', ports[0]],
      ['acme/deaf', ports[1]],
      ['acme/old', old],
    ])
    const agent = await handAgent(closer, edge, acmeToken, (stream, head) =>
      forwardTo(behind.get((head as { tunnelId: string }).tunnelId) ?? 1)(stream),
    )
    for (const name of ['web', 'deaf', 'old', 'down', 'reset', 'cut', 'short'])
      await agent.open({ kind: 'http', name, http2: true })
  })
  after(() => closer.disposeAsync())

  const get = (path: string, options: RequestOptions & { body?: string | Buffer } = {}): Promise<Http1Answer> =>
    http1Ask(edge.httpPort, { path, ...options, headers: { host, ...(options.headers as object) } }, options.body)

  test('answers HTTP/1 with head, body and cookies that stay at home', async () => {
    const { status, text, message } = await get('/plain')
    assert.deepEqual([status, text, message.headers['set-cookie']], [200, 'plain', ['a=1', 'b=2']])
    assert.equal(message.headers['transfer-encoding'], 'chunked')
    assert.deepEqual(
      await Promise.all(
        ['/empty', '/nothing', '/length'].map(async (path) => {
          const answer = await get(path)
          return [answer.status, answer.text, answer.message.headers['content-length']]
        }),
      ),
      [
        [404, '', '0'],
        [204, '', undefined],
        [200, 'length', '6'],
      ],
    )
  })

  test('hears the target as it came, and only our word on who the visitor is', async () => {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(
      `GET /seen HTTP/1.1\r\nHost: WEB.acme.localhost\r\nX-Forwarded-For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nTE: gzip\r\nX-A: 1\r\nx-a: 2\r\nConnection: close, x-private\r\nX-Private: 1\r\nCookie: a=1\r\nProxy: x\r\n\r\n`,
    )
    const text = (await visitor.all).toString('latin1')
    const seen = JSON.parse(/\{.*\}/.exec(text)?.[0] ?? '{}') as Record<string, string>
    assert.deepEqual(seen, {
      ':method': 'GET',
      ':scheme': 'http',
      ':authority': 'WEB.acme.localhost',
      ':path': '/seen',
      'x-a': '1, 2',
      cookie: 'a=1',
      te: 'trailers',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'WEB.acme.localhost',
      forwarded: 'for=127.0.0.1;host="WEB.acme.localhost";proto=http',
    })
  })

  test('takes as many fields as any other', async () => {
    const fields = Array.from({ length: 198 }, (_, index) => [`x-${index}`, 'y'] as const)
    const { status, text } = await get('/seen', { headers: { ...Object.fromEntries(fields), connection: 'close' } })
    assert.equal(status, 200)
    assert.equal(Object.keys(JSON.parse(text) as object).filter((name) => /^x-\d/.test(name)).length, 198)
  })

  test('takes bodies of known length and not, and answers with trailers', async () => {
    const long = Buffer.alloc(3_000_000, 'a body ')
    const chunked = await get('/echo', { method: 'POST', body: long })
    assert.equal(chunked.text, long.toString())
    assert.deepEqual(chunked.message.trailers, { 'x-bytes': '3000000' })
    const counted = await get('/echo', { method: 'PUT', body: 'hello', headers: { 'content-length': '5' } })
    assert.deepEqual([counted.text, counted.message.trailers['x-bytes']], ['hello', '5'])
    const seen = await get('/seen', { method: 'PUT', body: 'hello', headers: { 'content-length': '5' } })
    assert.equal((JSON.parse(seen.text) as IncomingHttpHeaders)['content-length'], '5')
  })

  test('answers HEAD and HTTP/1.0 as these have it', async () => {
    assert.deepEqual((({ status, text }) => [status, text])(await get('/length', { method: 'HEAD' })), [200, ''])
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(`GET /plain HTTP/1.0\r\nHost: ${host}\r\n\r\n`)
    assert.match((await visitor.all).toString(), /^HTTP\/1\.1 200 OK\r\n(?!.*chunked)[\s\S]*\r\n\r\nplain$/)
  })

  test('sends interim answers ahead', async () => {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(`GET /hints HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    assert.match(
      (await visitor.all).toString(),
      /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/style\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    )
  })

  test('gets the requests of one visitor over one connection, pipelined ones in order', async () => {
    const visitor = await rawVisitor(closer, edge.httpPort)
    const sessions = connections
    const asked = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    visitor.socket.write(asked('/length') + asked('/empty') + asked('/plain') + asked('/length'))
    await visitor.until('plain')
    visitor.socket.write(asked('/nothing'))
    const all = await visitor.until('204 No Content')
    assert.deepEqual(
      [...all.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ['200', '404', '200', '200', '204'],
    )
    assert.equal(connections - sessions, 1)
  })

  test('is asked over a new connection once it has given up the old one', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let round = 0; round < 3; round++) assert.equal((await get('/leave', { agent })).text, 'left')
    agent.destroy()
  })

  test('may answer before it has read the request', async () => {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(`POST /early HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1000000\r\n\r\nbegun`)
    assert.match((await visitor.all).toString(), /^HTTP\/1\.1 413 [\s\S]*too much/)
  })

  test('cannot make what is cut short look whole', async () => {
    const all = async (name: string, path = '/'): Promise<string> => {
      const visitor = await rawVisitor(closer, edge.httpPort)
      visitor.socket.write(`GET ${path} HTTP/1.1\r\nHost: ${name}.acme.localhost\r\nConnection: close\r\n\r\n`)
      return (await visitor.all).toString()
    }
    assert.match(await all('web', '/reset'), /^HTTP\/1\.1 502 [\s\S]*"service_broke_off"/)
    for (const way of ['reset', 'cut', 'short']) assert.match(await all(way), /^$|\r\n\r\n(5\r\n)?begun(\r\n)?$/, way)
  })

  test('is told apart from one that is down, and from one that speaks something else', async () => {
    assert.match((await get('/', { headers: { host: 'down.acme.localhost' } })).text, /"service_unreachable"/)
    assert.match((await get('/', { headers: { host: 'old.acme.localhost' } })).text, /"service_answer_invalid"/)
  })

  test('takes WebSockets of HTTP/1 where it offers them', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${edge.httpPort}/chat?room=1`, ['chat'], { headers: { host } })
    const [opened] = (await once(socket, 'upgrade')) as [IncomingMessage]
    assert.equal(opened.headers['sec-websocket-protocol'], 'chat')
    const said: string[] = []
    socket.on('message', (message) => said.push(String(message)))
    socket.send('one')
    socket.send('two')
    await eventually(() => said.length === 2, 'both are answered')
    assert.deepEqual(said, ['/chat?room=1: one', '/chat?room=1: two'])
    socket.close()
    const [code] = await once(socket, 'close')
    assert.equal(code, 1005)
  })

  test('takes WebSockets of HTTP/2 where it offers them', async () => {
    const visitor = http2Visitor(closer, edge.httpPort)
    await once(visitor, 'remoteSettings')
    const stream = visitor.request({ ...connectTo('web'), ':path': '/chat', 'sec-websocket-protocol': 'chat' })
    const [headers] = await once(stream, 'response')
    assert.deepEqual([headers[':status'], headers['sec-websocket-protocol']], [200, 'chat'])
    stream.write(masked('hi'))
    const [message] = (await once(stream, 'data')) as [Buffer]
    assert.equal(message.subarray(2).toString(), '/chat: hi')
    stream.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0]))
    await once(stream, 'close')
    assert.equal(stream.rstCode, 0)
  })

  test('refuses the WebSockets it does not want in its own words', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${edge.httpPort}/unwanted`, { headers: { host } })
    const [, refused] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
    assert.equal(refused.statusCode, 403)
    const visitor = http2Visitor(closer, edge.httpPort)
    await once(visitor, 'remoteSettings')
    assert.equal((await ask(visitor, { ...connectTo('web'), ':path': '/unwanted' }, '')).status, 403)
  })

  test('is not asked for WebSockets where it offers none, and the visitor is told why', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${edge.httpPort}/`, { headers: { host: 'deaf.acme.localhost' } })
    const [, refused] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
    assert.equal(refused.statusCode, 501)
    assert.match(await textOf(refused), /takes no WebSockets/)
    const visitor = http2Visitor(closer, edge.httpPort)
    await once(visitor, 'remoteSettings')
    const told = await answerOf(visitor.request(connectTo('deaf')))
    assert.equal(told.status, 501)
    assert.match(told.text, /takes no WebSockets/)
  })
})

const connectTo = (name: string): Record<string, string> => ({
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':authority': `${name}.acme.localhost`,
  'sec-websocket-version': '13',
})

/** The service's side of a WebSocket: says back what it hears, as text. Messages are short here. */
function webSocket(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  if (headers[':path'] === '/unwanted') {
    stream.respond({ ':status': 403 }, { endStream: true })
    return
  }
  const protocol = headers['sec-websocket-protocol']
  assert.equal(headers['sec-websocket-key'], undefined)
  stream.respond({ ':status': 200, ...(protocol !== undefined && { 'sec-websocket-protocol': protocol }) })
  let input = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    input = Buffer.concat([input, chunk])
    for (;;) {
      const [first = 0, second = 0] = input
      const length = second & 127
      if (input.length < 6 + length) return
      const mask = input.subarray(2, 6)
      const payload = Buffer.from(input.subarray(6, 6 + length).map((byte, at) => byte ^ (mask[at % 4] ?? 0)))
      input = input.subarray(6 + length)
      if (first === 0x88) {
        stream.end(Buffer.concat([Buffer.from([0x88, payload.length]), payload]))
        return
      }
      const text = Buffer.from(`${headers[':path']}: ${payload}`)
      stream.write(Buffer.concat([Buffer.from([0x81, text.length]), text]))
    }
  })
}

/** A text message as visitors send it, masked with zeros. */
const masked = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])

interface Http1Answer {
  status: number | undefined
  message: IncomingMessage
  text: string
}

async function http1Ask(port: number, options: RequestOptions, body?: string | Buffer): Promise<Http1Answer> {
  const asked = request({ port, host: '127.0.0.1', ...options })
  asked.end(body)
  const [message] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: message.statusCode, message, text: await textOf(message) }
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of message.setEncoding('utf8')) text += part
  return text
}

async function listen(closer: AsyncDisposableStack, server: Http2Server): Promise<number> {
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => sessions.add(session.on('error', () => undefined)))
  server.on('sessionError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
