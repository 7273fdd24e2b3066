import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dialLink, webSocketDialler } from '../link/index.ts'
import {
  acmeToken,
  endpointOf,
  eventually,
  forwardTo,
  handAgent,
  httpService,
  rawVisitor,
  testEdge,
} from './testing/world.ts'

const hello = { role: 'agent', version: 1, credential: acmeToken, software: 'test' }
const upgrade = (host: string): string =>
  `GET /link HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: pharos-link-1\r\n\r\n`

test('an agent links by WebSocket on the edge’s own host names, and serves visitors over it', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, { host: 'edge.example.org', base: 'localhost' })
  const service = await httpService(closer, (_request, response) => void response.end('hello'))
  const dialler = webSocketDialler({ ...endpointOf(edge), host: 'localhost', secure: false })
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(service), dialler)
  await agent.open({ kind: 'http', name: 'web' })
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write('GET / HTTP/1.1\r\nHost: web.acme.localhost\r\nConnection: close\r\n\r\n')
  assert.match((await visitor.all).toString(), /hello$/)
})

test('a link by WebSocket needs the edge’s own name, on which only its path is taken', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, { host: 'edge.example.org' })
  for (const [request, status] of [
    [upgrade('edge.example.org'), 101],
    [upgrade('EDGE.example.org.:443'), 101],
    [upgrade('other.example.org'), 404],
    [upgrade('link.acme.localhost'), 404],
    [upgrade('edge.example.org').replace('/link', '/'), 404],
    [upgrade('edge.example.org').replace('/link', '/link/more'), 404],
  ] as const) {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(request)
    assert.match(await visitor.until('\r\n\r\n'), new RegExp(`^HTTP/1.1 ${status} `), request)
    visitor.socket.destroy()
  }
})

test('a tunnel has every path of its host, that of links too', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const paths: (string | undefined)[] = []
  const service = await httpService(closer, (request, response) => {
    paths.push(request.url)
    response.end('ours')
  })
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(service))
  await agent.open({ kind: 'http', name: 'web' })
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write('GET /link HTTP/1.1\r\nHost: web.acme.localhost\r\nConnection: close\r\n\r\n')
  assert.match((await visitor.all).toString(), /ours$/)
  assert.deepEqual(paths, ['/link'])
})

test('an edge offers a sealed path on the port of its links, on another, or not at all', async () => {
  for (const [linkUdpPort, via] of [
    ['same', 'udp'],
    [0, 'udp'],
    ['none', 'frames'],
  ] as const) {
    await using closer = new AsyncDisposableStack()
    const edge = await testEdge(closer, { linkUdpPort })
    const { link } = await handAgent(closer, edge, acmeToken)
    if (via === 'udp') await eventually(() => link.datagrams.via === 'udp', `a path with ${linkUdpPort}`)
    assert.equal(link.datagrams.via, via)
  }
})

test('an edge whose UDP port is taken serves without it', async () => {
  await using closer = new AsyncDisposableStack()
  const first = await testEdge(closer)
  const second = await testEdge(closer, { linkUdpPort: first.httpPort })
  const { link } = await handAgent(closer, second, acmeToken)
  assert.equal(link.datagrams.via, 'frames')
})

test('links by WebSocket end with the edge', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const link = await dialLink({
    dialler: webSocketDialler({ ...endpointOf(edge), secure: false }),
    hello,
    events: { onStream: (stream) => void stream.destroy() },
  })
  await edge[Symbol.asyncDispose]()
  assert.equal((await link.closed).code, 'closed')
})
