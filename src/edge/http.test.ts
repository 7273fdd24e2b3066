import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { LinkError, type LinkStream } from '../link/index.ts'
import {
  acmeToken,
  forwardTo,
  handAgent,
  httpService,
  rawVisitor,
  type TestEdge,
  tcpService,
  testEdge,
} from './testing/world.ts'

/** An edge with `web.acme.localhost` open and leading to a local port. */
async function webTunnel(closer: AsyncDisposableStack, port: number, limits = {}): Promise<TestEdge> {
  const edge = await testEdge(closer, {}, { limits })
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(port))
  const opened = await agent.open({ kind: 'http', name: 'web' })
  assert.deepEqual(opened, {
    type: 'opened',
    ref: 'r',
    tunnelId: 'acme/web',
    url: `http://web.acme.localhost:${edge.httpPort}`,
  })
  return edge
}

const host = 'Host: web.acme.localhost\r\n'

test('a request reaches the service byte for byte, with only our word on who the visitor is', async () => {
  await using closer = new AsyncDisposableStack()
  const seen: Buffer[] = []
  const port = await tcpService(closer, (socket) =>
    socket.on('data', (chunk) => {
      seen.push(chunk)
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Odd:   spaced  \r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nok',
      )
    }),
  )
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  const forged = [
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Forwarded-Port',
    'X-Forwarded-Anything',
    'x-forwarded',
    'Forwarded',
    'Forwarded-For',
    'X-Original-Forwarded-For',
    'X-Real-IP',
    'Client-IP',
    'True-Client-IP',
    'X-Client-IP',
    'X-Cluster-Client-IP',
    'CF-Connecting-IP',
    'Fastly-Client-IP',
    'Proxy-Client-IP',
    'WL-Proxy-Client-IP',
    'X-ProxyUser-IP',
    'X_Forwarded_For',
    'X_REAL_IP',
  ]
    .map((name) => `${name}: 6.6.6.6\r\n`)
    .join('')
  visitor.socket.write(
    Buffer.from(
      `GET //a/../b%2F%2e/?q=%00&\xe9 HTTP/1.1\r\nHost: Web.ACME.localhost.:1234\r\n${forged}X-MiXed:  a\tb \r\nCookie: a=\xe9\r\nConnection: keep-alive, X-Forwarded-For, Forwarded, X-Private\r\nX-Private: 1\r\nTE: trailers\r\nProxy-Authorization: Basic x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n`,
      'latin1',
    ),
  )
  const answer = await visitor.until('\r\n\r\nok')
  assert.equal(answer, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Odd:   spaced  \r\n\r\nok')
  assert.equal(
    Buffer.concat(seen).toString('latin1'),
    'GET //a/../b%2F%2e/?q=%00&\xe9 HTTP/1.1\r\nHost: Web.ACME.localhost.:1234\r\nX-MiXed:  a\tb \r\nCookie: a=\xe9\r\n' +
      'X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: Web.ACME.localhost.:1234\r\nForwarded: for=127.0.0.1;host="Web.ACME.localhost.:1234";proto=http\r\n\r\n',
  )
})

test('refuses every request that two parsers could read in two ways, and closes', async () => {
  await using closer = new AsyncDisposableStack()
  let reached = 0
  const port = await httpService(closer, (_, response) => {
    reached++
    response.end('reached')
  })
  const edge = await webTunnel(closer, port)
  const post = `POST / HTTP/1.1\r\n${host}`
  const corpus: [name: string, bytes: string, status: number][] = [
    ['content-length and chunked', `${post}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`, 400],
    ['chunked and content-length', `${post}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n`, 400],
    [
      'two transfer encodings',
      `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['an unknown transfer encoding', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400],
    ['a list of transfer encodings', `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 400],
    ['a quoted transfer encoding', `${post}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`, 400],
    ['a transfer encoding behind a vertical tab', `${post}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`, 400],
    ['transfer encoding in HTTP/1.0', `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ['a space before the colon', `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, 400],
    ['two content lengths that differ', `${post}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
    ['two content lengths that agree', `${post}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`, 400],
    ['a list of content lengths', `${post}Content-Length: 1, 1\r\n\r\na`, 400],
    ['a signed content length', `${post}Content-Length: +1\r\n\r\na`, 400],
    ['a negative content length', `${post}Content-Length: -1\r\n\r\na`, 400],
    ['a hexadecimal content length', `${post}Content-Length: 0x1\r\n\r\na`, 400],
    ['an empty content length', `${post}Content-Length:\r\n\r\n`, 400],
    ['a content length beyond counting', `${post}Content-Length: 99999999999999999999\r\n\r\n`, 400],
    ['a folded field', `GET / HTTP/1.1\r\n${host}X-A: 1\r\n folded\r\n\r\n`, 400],
    ['a folded first field', `GET / HTTP/1.1\r\n ${host}\r\n`, 400],
    ['bare line feeds', `GET / HTTP/1.1\nHost: web.acme.localhost\n\n`, 400],
    ['one bare line feed', `GET / HTTP/1.1\r\n${host}X-A: 1\nX-B: 2\r\n\r\n`, 400],
    ['a bare carriage return', `GET / HTTP/1.1\r\n${host}X-A: 1\rX-B: 2\r\n\r\n`, 400],
    ['a NUL in a value', `GET / HTTP/1.1\r\n${host}X-A: a\0b\r\n\r\n`, 400],
    ['a NUL in a name', `GET / HTTP/1.1\r\n${host}X\0A: b\r\n\r\n`, 400],
    ['a NUL in the target', `GET /\0 HTTP/1.1\r\n${host}\r\n`, 400],
    ['a field without a name', `GET / HTTP/1.1\r\n${host}: x\r\n\r\n`, 400],
    ['a field without a colon', `GET / HTTP/1.1\r\n${host}nonsense\r\n\r\n`, 400],
    ['no host', 'GET / HTTP/1.1\r\nX-A: 1\r\n\r\n', 400],
    ['two hosts', `GET / HTTP/1.1\r\n${host}Host: other.acme.localhost\r\n\r\n`, 400],
    ['two equal hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`, 400],
    ['an empty host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400],
    ['a host with a path', 'GET / HTTP/1.1\r\nHost: web.acme.localhost/x\r\n\r\n', 400],
    ['a host with credentials', 'GET / HTTP/1.1\r\nHost: a@web.acme.localhost\r\n\r\n', 400],
    ['a host with a list', 'GET / HTTP/1.1\r\nHost: web.acme.localhost, b\r\n\r\n', 400],
    ['a target of another host', `GET http://umbrella.localhost/ HTTP/1.1\r\n${host}\r\n`, 400],
    ['a target with credentials', `GET http://a@web.acme.localhost/ HTTP/1.1\r\n${host}\r\n`, 400],
    ['another scheme', `GET ftp://web.acme.localhost/ HTTP/1.1\r\n${host}\r\n`, 400],
    ['a relative target', `GET x HTTP/1.1\r\n${host}\r\n`, 400],
    ['an asterisk that is no OPTIONS', `GET * HTTP/1.1\r\n${host}\r\n`, 400],
    ['CONNECT', `CONNECT web.acme.localhost:443 HTTP/1.1\r\n${host}\r\n`, 400],
    ['two spaces in the request line', `GET  / HTTP/1.1\r\n${host}\r\n`, 400],
    ['a tab in the request line', `GET\t/ HTTP/1.1\r\n${host}\r\n`, 400],
    ['a space after the version', `GET / HTTP/1.1 \r\n${host}\r\n`, 400],
    ['HTTP/0.9', 'GET /\r\n\r\n', 400],
    ['HTTP/2 in a request line', `GET / HTTP/2.0\r\n${host}\r\n`, 505],
    ['a preface of HTTP/2 that turns out to be none', 'PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n', 505],
    ['HTTP/1.2', `GET / HTTP/1.2\r\n${host}\r\n`, 505],
    ['a lower-case version', `GET / http/1.1\r\n${host}\r\n`, 400],
    ['an empty line first', `\r\nGET / HTTP/1.1\r\n${host}\r\n`, 400],
    ['Connection that names the length', `${post}Content-Length: 1\r\nConnection: content-length\r\n\r\na`, 400],
    ['Connection that names the host', `GET / HTTP/1.1\r\n${host}Connection: Host\r\n\r\n`, 400],
    ['too many fields', `GET / HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(300)}\r\n`, 431],
    ['too large a head', `GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(70_000)}\r\n\r\n`, 431],
    ['a head that never ends', `GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(70_000)}`, 431],
  ]
  for (const [name, bytes, status] of corpus) {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(Buffer.from(bytes, 'latin1'))
    const answer = (await visitor.all).toString('latin1')
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), name)
    assert.equal(answer.match(/HTTP\/1\.1 \d\d\d /g)?.length, 1, `${name}: one answer only`)
    visitor.socket.destroy()
  }
  assert.equal(reached, 0)
})

test('refuses broken chunks, and what follows them reaches nobody', async () => {
  await using closer = new AsyncDisposableStack()
  const paths: string[] = []
  const port = await httpService(closer, (request, response) => {
    paths.push(request.url ?? '')
    request.resume()
    request.on('end', () => response.end('done'))
    request.on('error', () => undefined)
  })
  const edge = await webTunnel(closer, port)
  const smuggled = `GET /smuggled HTTP/1.1\r\n${host}\r\n`
  for (const chunks of [
    'G\r\n',
    '-1\r\n',
    '0x1\r\na\r\n0\r\n\r\n',
    '1;ext=1\r\na\r\n0\r\n\r\n',
    ' 1\r\na\r\n0\r\n\r\n',
    '1 \r\na\r\n0\r\n\r\n',
    '1\na\n0\n\n',
    '1\r\nab\r\n0\r\n\r\n',
    '1\r\na0\r\n\r\n',
    '\r\n\r\n',
    '10000000000000000\r\n',
    '0\r\nX: 1\n\r\n',
  ]) {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(`POST /first HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunks}${smuggled}`)
    const answer = (await visitor.all).toString('latin1')
    assert.match(answer, /^(HTTP\/1\.1 400 |$)/, JSON.stringify(chunks))
    visitor.socket.destroy()
  }
  assert.equal(paths.includes('/smuggled'), false)
})

test('passes chunked and counted bodies both ways, drops a request’s trailers, and serves pipelined requests in order', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await httpService(closer, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    response.setHeader('X-Trailers', JSON.stringify(request.trailers))
    response.write(`${request.method} ${request.url} `)
    response.end(body)
  })
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(
    `POST /1 HTTP/1.1\r\n${host}Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nX-T: 1\r\n\r\n` +
      `PUT /2 HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello` +
      `GET http://WEB.acme.localhost/3?x HTTP/1.1\r\n${host}\r\n` +
      `DELETE /4 HTTP/1.1\r\n${host}Content-Length: 0\r\nConnection: close\r\n\r\n`,
  )
  const answer = (await visitor.all).toString()
  const bodies = [...answer.matchAll(/(POST|PUT|GET|DELETE) (\S+) (?:\r\n[0-9a-f]+\r\n([^\r]*))?/g)].map((found) =>
    `${found[1]} ${found[2]} ${found[3] ?? ''}`.trim(),
  )
  assert.deepEqual(bodies, ['POST /1 abc0123456789', 'PUT /2 hello', 'GET /3?x', 'DELETE /4'])
  assert.equal(answer.match(/X-Trailers: \{\}/g)?.length, 4)
})

test('keeps to one connection to the service for the requests of one visitor', async () => {
  await using closer = new AsyncDisposableStack()
  const ports = new Set<number | undefined>()
  let served = 0
  const port = await httpService(closer, (request, response) => {
    ports.add(request.socket.remotePort)
    response.end(`Count: ${++served}`)
  })
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  for (let count = 1; count <= 5; count++) {
    visitor.socket.write(`GET / HTTP/1.1\r\n${host}\r\n`)
    await visitor.until(`Count: ${count}`)
  }
  assert.equal(ports.size, 1)
})

test('answers without a body where there is none: HEAD, 204, 304', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await httpService(closer, (request, response) => {
    if (request.url === '/204') response.writeHead(204).end()
    else if (request.url === '/304') response.writeHead(304, { 'Content-Length': '7' }).end()
    else response.writeHead(200, { 'Content-Length': '9' }).end(request.method === 'HEAD' ? undefined : 'ninebytes')
  })
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(
    `HEAD / HTTP/1.1\r\n${host}\r\nGET /204 HTTP/1.1\r\n${host}\r\nGET /304 HTTP/1.1\r\n${host}\r\nGET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
  )
  const answer = (await visitor.all).toString()
  assert.deepEqual(
    [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((found) => found[1]),
    ['200', '204', '304', '200'],
  )
  assert.ok(answer.endsWith('\r\n\r\nninebytes'))
})

test('delivers the first part of a stream before the service has the second', async () => {
  await using closer = new AsyncDisposableStack()
  let more: (() => void) | undefined
  const port = await httpService(closer, (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('data: first\n\n')
    more = () => response.end('data: second\n\n')
  })
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(`GET / HTTP/1.1\r\n${host}\r\n`)
  assert.ok(!(await visitor.until('data: first')).includes('second'))
  more?.()
  await visitor.until('data: second')
})

test('delivers a request’s body as it comes, and the 100 that asks for it', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await httpService(closer, (request, response) => {
    request.on('data', (chunk) => response.write(`got ${chunk};`))
    request.on('end', () => response.end('all'))
  })
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(`POST / HTTP/1.1\r\n${host}Content-Length: 6\r\nExpect: 100-continue\r\n\r\n`)
  await visitor.until('HTTP/1.1 100 Continue\r\n\r\n')
  visitor.socket.write('one')
  await visitor.until('got one;')
  visitor.socket.write('two')
  await visitor.until('all')
})

test('reads a response that ends with its connection, and says so', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await tcpService(closer, (socket) =>
    socket.once('data', () => socket.end('HTTP/1.0 200 Fine\r\nX-A: b\r\n\r\nuntil the end')),
  )
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(`GET / HTTP/1.1\r\n${host}\r\n`)
  assert.equal((await visitor.all).toString(), 'HTTP/1.1 200 Fine\r\nX-A: b\r\nConnection: close\r\n\r\nuntil the end')
})

test('never passes on a response whose end is in doubt, nor what follows a response', async () => {
  await using closer = new AsyncDisposableStack()
  let answer = ''
  const port = await tcpService(closer, (socket) => socket.on('data', () => socket.write(answer)))
  const edge = await webTunnel(closer, port)
  for (const bad of [
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  ]) {
    answer = bad
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(`GET / HTTP/1.1\r\n${host}\r\n`)
    assert.match((await visitor.all).toString(), /^HTTP\/1\.1 502 [\s\S]*service_answer_invalid/, JSON.stringify(bad))
  }
  answer = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned'
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(`GET / HTTP/1.1\r\n${host}\r\n`)
  await visitor.until('\r\n\r\na')
  visitor.socket.write(`GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
  assert.ok(!(await visitor.all).includes('poisoned'))
})

test('a WebSocket echoes through, and closes with its code', async () => {
  await using closer = new AsyncDisposableStack()
  const sockets = new WebSocketServer({ noServer: true })
  const upgrading = createServer()
  upgrading.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (peer) => {
      peer.on('message', (data, binary) => peer.send(data, { binary }))
    }),
  )
  await new Promise<void>((resolve) => upgrading.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    upgrading.closeAllConnections()
    upgrading.close()
  })
  const address = upgrading.address()
  assert.ok(address && typeof address === 'object')
  const edge = await webTunnel(closer, address.port)
  const client = new WebSocket(`ws://127.0.0.1:${edge.httpPort}/chat`, { headers: { Host: 'web.acme.localhost' } })
  await once(client, 'open')
  for (const text of ['hello', 'x'.repeat(300_000)]) {
    client.send(text)
    const [data] = await once(client, 'message')
    assert.equal(String(data), text)
  }
  client.close(4001, 'bye')
  const [code] = await once(client, 'close')
  assert.equal(code, 4001)
})

test('after an upgrade that the service refuses, nothing more of the visitor is passed on', async () => {
  await using closer = new AsyncDisposableStack()
  const seen: Buffer[] = []
  const port = await tcpService(closer, (socket) =>
    socket.on('data', (chunk) => {
      seen.push(chunk)
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
    }),
  )
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(
    `GET / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\nGET /smuggled HTTP/1.1\r\n${host}\r\n`,
  )
  assert.match((await visitor.all).toString(), /^HTTP\/1\.1 403 [\s\S]*Connection: close\r\n\r\n$/)
  assert.equal(Buffer.concat(seen).includes('smuggled'), false)
  assert.match(Buffer.concat(seen).toString(), /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/)
})

test('tells apart: no tunnel, agent away, service down, too many; as a page only to browsers, escaped', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, {}, { limits: { visitorsPerTunnelMax: 1 } })
  const ask = async (name: string, accept = '*/*'): Promise<string> => {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\nAccept: ${accept}\r\n\r\n`)
    return (await visitor.all).toString()
  }
  assert.match(await ask('nobody.acme.localhost'), /^HTTP\/1\.1 404 [\s\S]*"error":"tunnel_not_found"/)
  assert.match(
    await ask('nobody.acme.localhost', 'text/html,*/*'),
    /^HTTP\/1\.1 404 [\s\S]*Content-Type: text\/html[\s\S]*<h1>No tunnel here/,
  )
  const held: LinkStream[] = []
  const agent = await handAgent(closer, edge, acmeToken, (stream, head) => {
    if ((head as { tunnelId: string }).tunnelId === 'acme/down')
      stream.destroy(new LinkError('unreachable', 'secret local detail'))
    else held.push(stream)
  })
  await agent.open({ kind: 'http', name: 'down' })
  const down = await ask('down.acme.localhost')
  assert.match(down, /^HTTP\/1\.1 502 [\s\S]*"error":"service_unreachable"/)
  assert.equal(down.includes('secret'), false)
  await agent.open({ kind: 'http', name: 'full' })
  const first = await rawVisitor(closer, edge.httpPort)
  first.socket.write('GET / HTTP/1.1\r\nHost: full.acme.localhost\r\n\r\n')
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.match(await ask('full.acme.localhost'), /^HTTP\/1\.1 503 [\s\S]*"error":"over_limit"/)
  agent.link.close('going')
  await agent.link.closed
  assert.match((await first.all).toString(), /^(HTTP\/1\.1 50[23] |$)/)
  let away = ''
  while (!away.startsWith('HTTP/1.1 503')) away = await ask('down.acme.localhost')
  assert.match(away, /"error":"agent_offline"/)
})

test('a head that trickles in is cut off in time, however steadily it comes', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await httpService(closer, (_, response) => response.end())
  const edge = await webTunnel(closer, port, { headTimeoutMs: 300 })
  const slow = await rawVisitor(closer, edge.httpPort)
  slow.socket.write(`GET / HTTP/1.1\r\n${host}`)
  const drip = setInterval(() => slow.socket.write('X: 1\r\n'), 20)
  closer.defer(() => clearInterval(drip))
  assert.match((await slow.all).toString(), /^HTTP\/1\.1 408 /)
  clearInterval(drip)
})

test('one address cannot take all connections; others still get in', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await httpService(closer, (_, response) => response.end('fine'))
  const edge = await webTunnel(closer, port, { visitorsPerAddressMax: 2 })
  const greedy = [await rawVisitor(closer, edge.httpPort), await rawVisitor(closer, edge.httpPort)]
  for (const visitor of greedy) {
    visitor.socket.write(`GET / HTTP/1.1\r\n${host}\r\n`)
    await visitor.until('fine')
  }
  const third = await rawVisitor(closer, edge.httpPort)
  third.socket.write(`GET / HTTP/1.1\r\n${host}\r\n`)
  assert.match((await third.all).toString(), /^(HTTP\/1\.1 503 |$)/)
  greedy[0]?.socket.destroy()
  let answer = ''
  while (!answer.includes('fine')) {
    const next = await rawVisitor(closer, edge.httpPort)
    next.socket.write(`GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
    answer = (await next.all).toString()
  }
})

test('a burst of 300 visitors at once: every one is served', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await httpService(closer, (request, response) => response.end(`you asked ${request.url}`))
  const edge = await webTunnel(closer, port)
  const answers = await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const visitor = await rawVisitor(closer, edge.httpPort)
      visitor.socket.write(`GET /${index} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
      return (await visitor.all).toString()
    }),
  )
  answers.forEach((answer, index) => {
    assert.match(answer, /^HTTP\/1\.1 200 OK/)
    assert.ok(answer.endsWith(`you asked /${index}`))
  })
})

test('a large body comes whole through a slow reader', async () => {
  await using closer = new AsyncDisposableStack()
  const size = 20_000_000
  const port = await httpService(closer, (_, response) => {
    response.writeHead(200, { 'Content-Length': size })
    response.end(Buffer.alloc(size, 'z'))
  })
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.pause()
  visitor.socket.write(`GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
  setImmediate(() => visitor.socket.resume())
  const answer = await visitor.all
  assert.equal(answer.length - answer.indexOf('\r\n\r\n') - 4, size)
})

test('a service that keeps connections only shortly is asked again over a new one', async () => {
  await using closer = new AsyncDisposableStack()
  let served = 0
  const port = await tcpService(closer, (socket) => {
    let mine = 0
    socket.on('data', () => {
      if (++mine > 1) socket.destroy()
      else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${++served}`)
    })
  })
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(`GET / HTTP/1.1\r\n${host}\r\nGET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
  assert.match((await visitor.all).toString(), /\r\n\r\n1HTTP\/1\.1 200 [\s\S]*\r\n\r\n2$/)
})

test('the head of an answer does not wait for its body, and the first part of a body follows it whole, however large', async () => {
  await using closer = new AsyncDisposableStack()
  const large = 'x'.repeat(100_000)
  let sendBody: () => void = () => undefined
  const port = await tcpService(closer, (socket) =>
    socket.on('data', (chunk) => {
      if (chunk.toString('latin1').startsWith('GET /late')) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n')
        sendBody = () => socket.write('late')
      } else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n${large}`)
    }),
  )
  const edge = await webTunnel(closer, port)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(`GET /late HTTP/1.1\r\n${host}\r\n`)
  assert.equal(await visitor.until('\r\n\r\n'), 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n')
  sendBody()
  assert.match(await visitor.until('late'), /\r\n\r\nlate$/)
  visitor.socket.write(`GET /large HTTP/1.1\r\n${host}\r\n`)
  assert.ok((await visitor.until(large)).endsWith(`Content-Length: ${large.length}\r\n\r\n${large}`))
})
