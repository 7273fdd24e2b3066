import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { type Beam1Peer, goAwayFrame } from '../../test/world/beam1-peer.ts'
import { beam1Agent, beam1Edge, certifiedHost } from './testing/beam1.ts'
import { countingPlane } from './testing/counting-plane.ts'
import { ask as askHttp2, http2Service, http2Visitor } from './testing/http2-client.ts'
import {
  acmeToken,
  eventually,
  forwardTo,
  handAgent,
  httpService,
  rawVisitor,
  tcpService,
  umbrellaToken,
} from './testing/world.ts'

/** A visitor's request to the tunnel `web` of acme. */
function ask(
  port: number,
  options: { method?: string; path?: string; headers?: Record<string, string>; host?: string; body?: Buffer } = {},
): Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }> {
  const { method = 'GET', path = '/', headers = {}, host = 'web.acme.localhost', body } = options
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', method, path, headers: { Host: host, ...headers } })
    request.on('error', reject)
    request.on('response', (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      )
    })
    request.end(body)
  })
}

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const noFaults = (agent: Beam1Peer): void => assert.deepEqual(agent.faults, [])

test('an agent that checks certificates serves HTTP: what a visitor asks and is answered arrives as it was sent', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const service = await httpService(closer, (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      response.setHeader('X-Seen', JSON.stringify(request.headers))
      response.end(Buffer.concat([Buffer.from(`${request.method} ${request.url} `), ...parts]))
    })
  })
  const agent = await beam1Agent(closer, edge)
  assert.deepEqual(await agent.hello(acmeToken, { scope: 'acme', client_version: 'x', unheard_of: true }), {
    type: 'hello_ok',
    slug: 'acme',
    base_domain: 'localhost',
    shape: 'subdomain',
    proto_version: 1,
  })
  const url = `https://web.acme.localhost:${edge.httpPort}`
  assert.deepEqual(await agent.register('web', service), { type: 'registered', name: 'web', url })
  assert.deepEqual(await agent.register('web', service), { type: 'registered', name: 'web', url }, 'asked for again')
  const answer = await ask(edge.httpPort, {
    method: 'POST',
    path: '/a%2Fb?c',
    headers: { 'X-Forwarded-For': '6.6.6.6', 'X-Own': 'yes' },
    body: Buffer.from('text'),
  })
  assert.deepEqual([answer.status, answer.body.toString()], [200, 'POST /a%2Fb?c text'])
  const seen = JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>
  assert.deepEqual(
    [seen.host, seen['x-own'], seen['x-forwarded-for'], seen['x-forwarded-host'], seen['x-forwarded-proto']],
    ['web.acme.localhost', 'yes', '127.0.0.1', 'web.acme.localhost', 'http'],
  )
  noFaults(agent)
})

test('a name that is left out is the port, and one that is given up is served no more', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const service = await httpService(closer, (_, response) => response.end('here'))
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  const name = String(service)
  agent.services.set(name, service)
  agent.say({ type: 'register', port: service })
  const answer = await agent.next()
  assert.deepEqual([answer?.type, answer?.name], ['registered', name])
  const host = `${name}-acme.localhost`
  assert.equal((await ask(edge.httpPort, { host })).status, 200)
  agent.say({ type: 'unregister', name })
  await eventually(async () => (await ask(edge.httpPort, { host })).status === 503, 'the tunnel is closed')
  noFaults(agent)
})

test('big bodies pass both ways within the windows of both ends, whatever the windows', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const big = randomBytes(6 * 1024 * 1024)
  const service = await httpService(closer, (request, response) => {
    const hash = createHash('sha256')
    request.on('data', (part: Buffer) => hash.update(part))
    request.on('end', () => {
      response.setHeader('X-Hash', hash.digest('hex'))
      response.end(big)
    })
  })
  for (const window of [256 * 1024, 4 * 1024 * 1024]) {
    const agent = await beam1Agent(closer, edge, window)
    await agent.hello(acmeToken)
    await agent.register('web', service)
    const answers = await Promise.all([0, 1].map(() => ask(edge.httpPort, { method: 'POST', body: big })))
    for (const { headers, body } of answers)
      assert.deepEqual([headers['x-hash'], hashOf(body)], [hashOf(big), hashOf(big)])
    noFaults(agent)
  }
})

test('a hundred requests at once are served by an agent that takes eight, none of them refused', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  let here = 0
  const service = await httpService(closer, (request, response) => {
    here += 1
    // None is answered before there are as many as there may be.
    const answer = (): void => {
      if (here < 8) setImmediate(answer)
      else response.end(request.url)
    }
    answer()
  })
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken, { max_streams: 8 })
  await agent.register('web', service)
  const paths = Array.from({ length: 100 }, (_, number) => `/${number}`)
  const answers = await Promise.all(paths.map((path) => ask(edge.httpPort, { path })))
  assert.deepEqual(
    answers.map(({ body }) => body.toString()),
    paths,
  )
  assert.equal(agent.streamsPeak, 8)
  noFaults(agent)
})

test('a hundred requests are under way at once with an agent that takes them', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const waiting: (() => void)[] = []
  const service = await httpService(closer, (request, response) => {
    waiting.push(() => response.end(request.url))
    if (waiting.length === 100) for (const answer of waiting) answer()
  })
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('web', service)
  const paths = Array.from({ length: 100 }, (_, number) => `/${number}`)
  const answers = await Promise.all(paths.map((path) => ask(edge.httpPort, { path })))
  assert.deepEqual(
    answers.map(({ body }) => body.toString()),
    paths,
  )
  noFaults(agent)
})

test('each request has a stream of its own, and a visitor who stays keeps none of them', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const service = await httpService(closer, (_, response) => response.end('ok'))
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('web', service)
  const visitor = await rawVisitor(closer, edge.httpPort)
  for (const count of [1, 2, 3]) {
    visitor.socket.write('GET / HTTP/1.1\r\nHost: web.acme.localhost\r\n\r\n')
    await eventually(() => visitor.received().toString().split('\r\n\r\nok').length === count + 1, 'an answer')
    await eventually(() => agent.streams.size === 1, 'the control stream alone is open')
  }
  assert.equal(agent.frames.filter(({ flags, stream }) => flags === 1 && stream > 1).length, 3)
  noFaults(agent)
})

test('a WebSocket is bytes both ways, and its end reaches the other side', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const server = createServer()
  server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello ')
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closer.defer(() => {
    server.close()
  })
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('web', (server.address() as AddressInfo).port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(
    'GET / HTTP/1.1\r\nHost: web.acme.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a2V5a2V5a2V5a2V5a2V5aw==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  await visitor.until('hello ')
  visitor.socket.end('there')
  assert.match((await visitor.all).toString(), /hello there$/)
  noFaults(agent)
})

test('visitors of HTTP/2 take a stream for each request, and gRPC reaches a service as HTTP/2', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const service = await httpService(closer, (request, response) => response.end(request.url))
  const grpc = await http2Service(closer, (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.pipe(stream)
  })
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('web', service)
  await agent.register('api', grpc.port)
  const visitor = http2Visitor(closer, edge.httpPort)
  const answers = [await askHttp2(visitor, { ':path': '/1' }), await askHttp2(visitor, { ':path': '/2' })]
  assert.deepEqual(
    answers.map(({ status, text }) => [status, text]),
    [
      [200, '/1'],
      [200, '/2'],
    ],
  )
  await eventually(() => agent.streams.size === 1, 'the control stream alone is open')
  const call = {
    ':authority': 'api.acme.localhost',
    ':method': 'POST',
    'content-type': 'application/grpc',
    te: 'trailers',
  }
  const called = await askHttp2(visitor, call, 'x'.repeat(100_000))
  assert.deepEqual([called.status, called.text.length, called.trailers['grpc-status']], [200, 100_000, '0'])
  noFaults(agent)
})

test('a TCP service is reached by a port of its own, with half-close', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const sent = randomBytes(1024 * 1024)
  const service = await tcpService(closer, (socket) => {
    const hash = createHash('sha256')
    socket.on('data', (part) => hash.update(part))
    // Only what has ended is answered.
    socket.on('end', () => socket.end(hash.digest('hex')))
  })
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  const answer = await agent.register('game', service, { kind: 'tcp' })
  const port = Number(/^tcp:\/\/127\.0\.0\.1:(\d+)$/.exec(String(answer?.url))?.[1])
  const visitor = await rawVisitor(closer, port)
  visitor.socket.end(sent)
  assert.equal((await visitor.all).toString(), hashOf(sent))
  noFaults(agent)
})

test('what is counted is what visitors have sent and received, to the byte', async () => {
  await using closer = new AsyncDisposableStack()
  const plane = countingPlane()
  const edge = await beam1Edge(closer, { controlPlane: plane.start, reportEveryMs: 20 })
  const service = await httpService(closer, (request, response) => {
    request.resume()
    request.on('end', () => response.end(Buffer.alloc(100_000)))
  })
  const agent = await beam1Agent(closer, edge)
  await agent.hello('acme')
  await agent.register('web', service)
  const visitor = await rawVisitor(closer, edge.httpPort)
  const head = 'POST / HTTP/1.1\r\nHost: web.acme.localhost\r\nContent-Length: 70000\r\nConnection: close\r\n\r\n'
  visitor.socket.write(head)
  visitor.socket.write(Buffer.alloc(70_000))
  const received = await visitor.all
  await eventually(() => plane.counter('web')?.bytesOut === received.length, 'all of the answer is reported')
  const { bytesIn, requests, connections } = plane.counter('web') ?? assert.fail('no counter')
  assert.deepEqual([bytesIn, requests, connections], [head.length + 70_000, 1, 1])
  noFaults(agent)
})

test('quotas, rates and the suspension of a workspace hold for its visitors and agents', async () => {
  await using closer = new AsyncDisposableStack()
  const plane = countingPlane()
  const edge = await beam1Edge(closer, { controlPlane: plane.start })
  const big = randomBytes(300_000)
  const service = await httpService(closer, (_, response) => response.end(big))
  const agent = await beam1Agent(closer, edge)
  await agent.hello('acme')
  await agent.register('web', service)
  const free = { connections: null, bytesPerSecond: null, overQuota: false }
  plane.orders().setLimits('acme', { ...free, overQuota: true })
  const refused = await ask(edge.httpPort)
  assert.deepEqual([refused.status, refused.headers['pharos-error']], [503, 'over_quota'])
  plane.orders().setLimits('acme', { ...free, bytesPerSecond: 10_000_000 })
  const paced = await ask(edge.httpPort)
  assert.deepEqual([paced.status, hashOf(paced.body)], [200, hashOf(big)])
  assert.equal(plane.orders().revoke({ of: 'workspace', workspaceId: 'acme' }, 'the workspace is suspended'), 1)
  assert.equal((await agent.next())?.message, 'the workspace is suspended')
  await agent.closed
  noFaults(agent)
})

test('an agent that comes back has its names at once, also when its old connection seems to live', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const services = await Promise.all(
    ['first', 'second', 'third'].map((text) => httpService(closer, (_, response) => response.end(text))),
  )
  const texts: string[] = []
  for (const service of services) {
    const agent = await beam1Agent(closer, edge)
    await agent.hello(acmeToken)
    assert.equal((await agent.register('web', service))?.type, 'registered')
    texts.push((await ask(edge.httpPort)).body.toString())
    noFaults(agent)
  }
  assert.deepEqual(texts, ['first', 'second', 'third'])
})

test('an agent of ours takes a name over from one of beam/1, which keeps its other names', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const [old, own] = await Promise.all(
    ['old', 'own'].map((text) => httpService(closer, (_, response) => response.end(text))),
  )
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('web', old ?? 0)
  await agent.register('docs', old ?? 0)
  const newer = await handAgent(closer, edge, acmeToken, forwardTo(own ?? 0))
  await newer.open({ kind: 'http', name: 'web' })
  assert.equal((await ask(edge.httpPort)).body.toString(), 'own')
  assert.equal((await ask(edge.httpPort, { host: 'docs.acme.localhost' })).body.toString(), 'old')
  newer.link.close('that was a try')
  await eventually(async () => (await ask(edge.httpPort)).body.toString() === 'old', 'the former has its name again')
  noFaults(agent)
})

test('a name that was lost and given up, or lost to somebody who stays, is not claimed back', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const [old, newer] = await Promise.all(
    ['old', 'newer'].map((text) => httpService(closer, (_, response) => response.end(text))),
  )
  const former = await beam1Agent(closer, edge)
  const present = await beam1Agent(closer, edge)
  for (const [agent, service] of [
    [former, old],
    [present, newer],
  ] as const) {
    await agent.hello(acmeToken)
    for (const name of ['web', 'docs']) await agent.register(name, service ?? 0)
  }
  former.say({ type: 'unregister', name: 'web' })
  // What is said behind it is heard behind it.
  await former.register('other', old ?? 0)
  present.socket.destroy()
  await eventually(
    async () => (await ask(edge.httpPort, { host: 'docs.acme.localhost' })).body.toString() === 'old',
    'the former has the other name again',
  )
  assert.equal((await ask(edge.httpPort)).status, 503)
  const again = await beam1Agent(closer, edge)
  await again.hello(acmeToken)
  await again.register('docs', newer ?? 0)
  assert.equal((await ask(edge.httpPort, { host: 'docs.acme.localhost' })).body.toString(), 'newer')
  noFaults(former)
})

test('a key that is taken away ends its sessions, their visitors and their names, and lets none in', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const service = await httpService(closer, (_, response) => {
    response.write('first part')
  })
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('web', service)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write('GET / HTTP/1.1\r\nHost: web.acme.localhost\r\n\r\n')
  await visitor.until('first part')
  await writeFile(edge.tokensFile, JSON.stringify({ [umbrellaToken]: 'umbrella' }))
  const told = await agent.next()
  assert.deepEqual([told?.type, told?.code, told?.message], ['error', 'shutdown', 'the token was removed'])
  await Promise.all([agent.closed, visitor.all])
  assert.equal((await ask(edge.httpPort)).status, 503)
  const again = await beam1Agent(closer, edge)
  const refused = await again.hello(acmeToken)
  assert.deepEqual([refused?.type, refused?.code], ['error', 'bad_token'])
  await again.closed
})

test('an edge that ends says so, and how its agents take it', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await edge[Symbol.asyncDispose]()
  assert.deepEqual(await agent.next(), { type: 'error', code: 'shutdown', message: 'edge shutting down' })
  await agent.closed
  assert.deepEqual(agent.frames.at(-1), { version: 0, type: goAwayFrame, flags: 0, stream: 0, length: 0 })
})

test('a visitor learns that the service is not there, or breaks off', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const breaking = await tcpService(closer, (socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'))
  })
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('web', breaking)
  await assert.rejects(ask(edge.httpPort))
  agent.services.delete('web')
  const gone = await ask(edge.httpPort)
  assert.deepEqual([gone.status, gone.headers['pharos-error']], [502, 'service_unreachable'])
  await eventually(() => agent.streams.size === 1, 'the control stream alone is open')
  noFaults(agent)
})

test('a download that its visitor breaks off is reset, so that the service stops', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const stopped = Promise.withResolvers<void>()
  const service = await httpService(closer, (_, response) => {
    const send = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536))) {}
    }
    response.on('drain', send)
    response.once('close', () => stopped.resolve())
    send()
  })
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('web', service)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write('GET / HTTP/1.1\r\nHost: web.acme.localhost\r\n\r\n')
  await visitor.until(1_000_000)
  visitor.socket.destroy()
  await stopped.promise
  noFaults(agent)
})

test('an agent that was told nothing of TLS by name sees the edge’s own certificate', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer, {}, false)
  const agent = await beam1Agent(closer, edge)
  assert.equal((await agent.hello(acmeToken))?.type, 'hello_ok')
  assert.equal(agent.socket.getPeerX509Certificate()?.subject, 'CN=pharos')
})

test('TLS that is passed through is the service’s, whatever it offers to speak', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const first = Promise.withResolvers<Buffer>()
  const service = await tcpService(closer, (socket) => socket.once('data', (bytes) => first.resolve(bytes)))
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('secure', service, { kind: 'tls' })
  const visitor = connect({ host: '127.0.0.1', port: edge.httpPort })
  closer.defer(() => {
    visitor.destroy()
  })
  await assert.rejects(
    Promise.race([
      beam1Agent(closer, edge, undefined, 'secure.acme.localhost'),
      first.promise.then((bytes) => Promise.reject(new Error(`passed on: ${bytes[0]}`))),
    ]),
    /passed on: 22/,
  )
  noFaults(agent)
})

test('certificates are chosen by the name that the agent dials', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer)
  const agent = await beam1Agent(closer, edge, undefined, certifiedHost)
  assert.equal(agent.socket.getPeerX509Certificate()?.checkHost(certifiedHost), certifiedHost)
})
