import assert from 'node:assert/strict'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { EdgeLimits } from '../../src/edge/limits.ts'
import { clientHello } from '../../src/edge/testing/client-hello.ts'
import {
  acmeToken,
  eventually,
  forwardTo,
  handAgent,
  rawVisitor,
  type TestEdge,
  tcpService,
  testEdge,
  umbrellaToken,
} from '../../src/edge/testing/world.ts'
import { handshakePacket } from '../../src/lib/testing/minecraft.ts'
import type { LinkStream } from '../../src/link/index.ts'
import { protocolName } from '../../src/link/wire.ts'

/** Visitors against the running edge: the rows S1 to S25 of the list of attacks on tunnels that are about what comes in. */

/** An edge with `web` of acme and of umbrella: two strangers. `seen` is what reached each. */
async function twoTenants(
  closer: AsyncDisposableStack,
  answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
): Promise<{ edge: TestEdge; seen: Record<'acme' | 'umbrella', string>; ask(bytes: string): Promise<string> }> {
  const edge = await testEdge(closer)
  const seen = { acme: '', umbrella: '' }
  for (const [slug, token] of [
    ['acme', acmeToken],
    ['umbrella', umbrellaToken],
  ] as const) {
    const port = await tcpService(closer, (socket) =>
      socket.on('data', (chunk) => {
        seen[slug] += chunk.toString('latin1')
        socket.write(answer, 'latin1')
      }),
    )
    const agent = await handAgent(closer, edge, token, forwardTo(port))
    await agent.open({ kind: 'http', name: 'web' })
  }
  return {
    edge,
    seen,
    async ask(bytes) {
      const visitor = await rawVisitor(closer, edge.httpPort)
      visitor.socket.write(Buffer.from(bytes, 'latin1'))
      return (await visitor.all).toString('latin1')
    },
  }
}

const mine = 'Host: web.acme.localhost\r\n'
const close = 'Connection: close\r\n\r\n'

test('nothing but the Host chooses the tunnel: no credential, no field, no form of the target (S1)', async () => {
  await using closer = new AsyncDisposableStack()
  const { seen, ask } = await twoTenants(closer)
  const other = 'web.umbrella.localhost'
  for (const field of [
    `X-Forwarded-Host: ${other}`,
    `Forwarded: host=${other}`,
    `X-Host: ${other}`,
    `X-Original-Host: ${other}`,
    `X-Original-URL: http://${other}/`,
    `X-Rewrite-URL: /other`,
    'Authorization: Basic dW1icmVsbGE6eA==',
    'Proxy-Authorization: Basic dW1icmVsbGE6eA==',
  ])
    assert.match(await ask(`GET /${field.split(':')[0]} HTTP/1.1\r\n${mine}${field}\r\n${close}`), /^HTTP\/1\.1 200 /)
  for (const head of [
    `GET http://${other}/ HTTP/1.1\r\n${mine}`,
    `GET //${other}@web.acme.localhost HTTP/1.1\r\n${mine}Host: ${other}\r\n`,
    `GET https://web.acme.localhost@${other}/ HTTP/1.1\r\n${mine}`,
    `CONNECT ${other}:80 HTTP/1.1\r\n${mine}`,
    `GET / HTTP/1.1\r\n${mine} ${other}\r\n`,
  ])
    assert.match(await ask(`${head}${close}`), /^HTTP\/1\.1 400 /, head)
  assert.equal(seen.umbrella, '')
})

test('an upgrade to HTTP/2 without TLS is not passed on, so nothing is tunnelled past the edge’s rules (S2)', async () => {
  await using closer = new AsyncDisposableStack()
  const { seen, ask } = await twoTenants(closer)
  const settings = 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'
  for (const upgrade of ['h2c', 'H2C, websocket', 'websocket, h2c', 'tls/1.0'])
    await ask(
      `GET / HTTP/1.1\r\n${mine}${settings}Upgrade: ${upgrade}\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    )
  assert.doesNotMatch(seen.acme, /upgrade:|http2-settings|h2c|PRI \*/i)
})

test('no visitor says who they are: every field that claims it is removed, and ours cannot be (S8)', async () => {
  await using closer = new AsyncDisposableStack()
  const { seen, ask } = await twoTenants(closer)
  const claims = [
    ...['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Server'],
    ...[
      'X-Forwarded',
      'Forwarded',
      'Forwarded-For',
      'X-Original-Forwarded-For',
      'X-Real-IP',
      'Client-IP',
      'X-Client-IP',
    ],
    ...[
      'True-Client-IP',
      'X-Cluster-Client-IP',
      'CF-Connecting-IP',
      'Fastly-Client-IP',
      'Fly-Client-IP',
      'X-Remote-Addr',
    ],
    ...['X-Originating-IP', 'X-Azure-ClientIP', 'X-Envoy-External-Address', 'WL-Proxy-Client-IP', 'X_FORWARDED_FOR'],
  ]
  await ask(
    `GET / HTTP/1.1\r\n${mine}${claims.map((name) => `${name}: 6.6.6.6\r\n`).join('')}` +
      'Connection: close, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Forwarded\r\n\r\n',
  )
  assert.ok(seen.acme.startsWith('GET / '))
  assert.doesNotMatch(seen.acme, /6\.6\.6\.6/)
  assert.match(seen.acme, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/)
  assert.match(seen.acme, /\r\nForwarded: for=127\.0\.0\.1;host="web\.acme\.localhost";proto=http\r\n/)
})

test('pages of the edge repeat nothing of a visitor unescaped, and what a visitor may send at once is bounded (S10)', async () => {
  await using closer = new AsyncDisposableStack()
  const { ask, seen } = await twoTenants(closer)
  for (const name of ['<script>alert(1)</script>', 'a"onload=x', "a'b", 'a&lt;b', 'x.localhost/<b>']) {
    const page = await ask(`GET /<b> HTTP/1.1\r\nHost: ${name}\r\nAccept: text/html\r\n${close}`)
    assert.match(page, /^HTTP\/1\.1 40[04] /)
    assert.doesNotMatch(page, /<script|onload=|<b>/)
  }
  const page = await ask(`GET / HTTP/1.1\r\nHost: nobody.localhost\r\nAccept: text/html\r\n${close}`)
  assert.match(page, /\r\nContent-Security-Policy: default-src 'none'/)
  assert.match(await ask(`GET / HTTP/1.1\r\n${mine}Cookie: ${'c=d; '.repeat(14_000)}\r\n${close}`), /^HTTP\/1\.1 431 /)
  assert.equal(seen.acme, '')
})

test('a request whose end is in doubt is refused with its connection, and no second one slips in behind it (S11)', async () => {
  await using closer = new AsyncDisposableStack()
  const { ask, seen } = await twoTenants(closer)
  const slipped = 'GET /smuggled HTTP/1.1\r\nHost: web.acme.localhost\r\n\r\n'
  const chunked = 'Transfer-Encoding: chunked\r\n'
  for (const [fields, body] of [
    ['Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${slipped}`],
    [`${chunked}${chunked}`, `0\r\n\r\n${slipped}`],
    ['Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${slipped}`],
    ['Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${slipped}`],
    ['Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${slipped}`],
    ['Transfer-Encoding : chunked\r\n', `0\r\n\r\n${slipped}`],
    ['Transfer-Encoding:\x0bchunked\r\n', `0\r\n\r\n${slipped}`],
    ['X: y\r\n Transfer-Encoding: chunked\r\n', `0\r\n\r\n${slipped}`],
    ['X: y\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${slipped}`],
    ['Content-Length: 0\r\nContent-Length: 60\r\n', slipped],
    ['Content-Length: 5, 5\r\n', `hello${slipped}`],
    ['Content-Length: +5\r\n', `hello${slipped}`],
    ['Content-Length: 0x5\r\n', `hello${slipped}`],
    ['Content-Length: -1\r\n', slipped],
    ['Connection: Content-Length\r\nContent-Length: 60\r\n', slipped],
  ] as const) {
    const answer = await ask(`DELETE /ambiguous HTTP/1.1\r\n${mine}${fields}\r\n${body}`)
    assert.match(answer, /^HTTP\/1\.1 400 /, fields)
    assert.equal(answer.split('HTTP/1.1 ').length, 2, `one answer to ${fields}`)
  }
  // A service that refuses to switch protocols must not hear what was meant for the protocol that never began.
  const websocket = 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
  await ask(`GET /switch HTTP/1.1\r\n${mine}${websocket}Connection: Upgrade\r\n\r\n${slipped}`)
  assert.match(seen.acme, /^GET \/switch /)
  assert.doesNotMatch(seen.acme, /smuggled|ambiguous/)
})

test('a tunnel sets no cookies for its siblings (S16)', async () => {
  await using closer = new AsyncDisposableStack()
  const cookies = 'Set-Cookie: a=1; Domain=localhost; Path=/\r\nSet-Cookie: b=2; Domain=acme.localhost\r\n'
  const { ask } = await twoTenants(closer, `HTTP/1.1 200 OK\r\n${cookies}Content-Length: 0\r\n\r\n`)
  const answer = await ask(`GET / HTTP/1.1\r\n${mine}${close}`)
  assert.match(answer, /\r\nSet-Cookie: a=1; Path=\/\r\nSet-Cookie: b=2; Domain=acme\.localhost\r\n/)
})

test('the target reaches the service byte for byte, whatever a path might mean (S25)', async () => {
  await using closer = new AsyncDisposableStack()
  const { seen, ask } = await twoTenants(closer)
  const targets = [
    '//',
    '/a/../b',
    '/a/./b/',
    '/%2F',
    '/%2e%2e/%2E',
    '/a//b///',
    '/..',
    '/\\',
    '/%00',
    '/a;b=c/..;/d',
    '/?',
    '/?a=/../&&',
    '/\xff',
  ]
  for (const target of targets) await ask(`GET ${target} HTTP/1.1\r\n${mine}${close}`)
  const reached = [...seen.acme.matchAll(/^GET (\S+) HTTP/gm)].map(([, target]) => target)
  assert.deepEqual(reached, targets)
})

/** An edge whose limits on strangers are low, with a linked agent. */
async function besieged(closer: AsyncDisposableStack, limits: Partial<EdgeLimits>) {
  const edge = await testEdge(closer, { minecraftPort: 0 }, { limits })
  const agent = await handAgent(closer, edge, acmeToken, (stream) => stream.end('served'))
  for (const kind of ['tcp', 'tls', 'minecraft'] as const) await agent.open({ kind, name: kind })
  const minecraftPort = edge.minecraftPort ?? assert.fail('no Minecraft port')
  return { edge, agent, minecraftPort }
}

/** Connects and sends the beginning of something. */
async function holdOpen(
  closer: AsyncDisposableStack,
  port: number,
  first: Buffer,
  localAddress = '127.0.0.1',
): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  closer.defer(() => {
    socket.destroy()
  })
  socket.on('error', () => undefined)
  socket.resume()
  await once(socket, 'connect')
  socket.write(first)
  return socket
}

/** Resolves once the connection is over, by a reset too. */
const closing = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })

const halfHello = clientHello({ serverNames: ['tls.acme.localhost'] }).subarray(0, 40)
const halfHandshake = handshakePacket({ host: 'minecraft.acme.localhost' }).subarray(0, 9)

async function tlsIsServed(closer: AsyncDisposableStack, edge: TestEdge): Promise<void> {
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(clientHello({ serverNames: ['tls.acme.localhost'] }))
  await visitor.until('served')
}

test('half a first message is waited for only so long, on every way in, however steadily it trickles (S20)', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, minecraftPort } = await besieged(closer, { helloTimeoutMs: 300, headTimeoutMs: 300, lingerMs: 100 })
  const slow = [
    await holdOpen(closer, edge.httpPort, halfHello),
    await holdOpen(closer, minecraftPort, halfHandshake),
    await holdOpen(closer, minecraftPort, Buffer.alloc(0)),
    await holdOpen(closer, edge.httpPort, Buffer.from('GET / HTTP/1.1\r\nHost: a.localhost\r\n')),
    await holdOpen(closer, edge.httpPort, Buffer.alloc(0)),
  ]
  const drips = [Buffer.from([0]), null, null, Buffer.from('X: y\r\n'), null]
  const drip = setInterval(() => {
    for (const [index, bytes] of drips.entries()) if (bytes && slow[index]?.writable) slow[index].write(bytes)
  }, 20)
  closer.defer(() => clearInterval(drip))
  await Promise.all(slow.map(closing))
})

test('many half-open connections shut out nobody: the oldest makes room, visitors and agents get in (S20)', async () => {
  await using closer = new AsyncDisposableStack()
  const limits = { openingsMax: 20, helloTimeoutMs: 600_000 }
  const { edge, agent, minecraftPort } = await besieged(closer, limits)
  const held: Socket[] = []
  for (let index = 0; index < 60; index++)
    held.push(
      index % 2 === 0
        ? await holdOpen(closer, edge.httpPort, halfHello)
        : await holdOpen(closer, minecraftPort, halfHandshake),
    )
  await Promise.all(held.slice(0, 40).map(closing))
  await tlsIsServed(closer, edge)
  const player = await rawVisitor(closer, minecraftPort)
  player.socket.write(handshakePacket({ host: 'minecraft.acme.localhost' }))
  await player.until('served')
  const later = await handAgent(closer, edge, umbrellaToken)
  assert.equal((await later.open({ kind: 'http', name: 'web' })).type, 'opened')
  assert.equal((await agent.open({ kind: 'http', name: 'web' })).type, 'opened')
})

test('one source holds only its share of half-open connections, and another source is not touched (S20)', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await besieged(closer, { openingsPerSourceMax: 3, helloTimeoutMs: 600_000 })
  const greedy = '127.0.0.2'
  const held = [0, 1, 2].map(() => holdOpen(closer, edge.httpPort, halfHello, greedy))
  await Promise.all(held)
  const more = await holdOpen(closer, edge.httpPort, halfHello, greedy)
  await closing(more)
  await tlsIsServed(closer, edge)
})

test('connections that speak TLS as a link and then say nothing do not keep agents out (S20)', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, agent } = await besieged(closer, {})
  const silent = async (): Promise<TLSSocket> => {
    const socket = connectTls({
      port: edge.httpPort,
      host: '127.0.0.1',
      ALPNProtocols: [protocolName],
      rejectUnauthorized: false,
    })
    closer.defer(() => {
      socket.destroy()
    })
    socket.on('error', () => undefined)
    await once(socket, 'secureConnect')
    return socket
  }
  // More than an acceptor of links waits for at once.
  const first = await silent()
  for (let batch = 0; batch < 26; batch++) await Promise.all(Array.from({ length: 10 }, silent))
  await closing(first)
  const later = await handAgent(closer, edge, umbrellaToken)
  assert.equal((await later.open({ kind: 'http', name: 'web' })).type, 'opened')
  assert.equal((await agent.open({ kind: 'http', name: 'web' })).type, 'opened')
})

/** An edge with two UDP tunnels, `one` and `two`, whose service answers what it is told to. */
async function udpTunnels(
  closer: AsyncDisposableStack,
  limits: Partial<EdgeLimits>,
  answer: (text: string) => string | null,
) {
  const edge = await testEdge(closer, {}, { limits })
  const streams: LinkStream[] = []
  const agent = await handAgent(closer, edge, acmeToken, (stream) => {
    streams.push(stream)
    stream.on('error', () => undefined)
    stream.resume()
    stream.onDatagram = (payload) => {
      const reply = answer(payload.toString())
      if (reply !== null) stream.sendDatagram(Buffer.from(reply))
    }
  })
  const portOf = async (name: string): Promise<number> =>
    Number(/:(\d+)$/.exec(String((await agent.open({ kind: 'udp', name })).url))?.[1])
  return { one: await portOf('one'), two: await portOf('two'), streams }
}

async function sender(
  closer: AsyncDisposableStack,
  address = '127.0.0.1',
  port = 0,
): Promise<{ socket: UdpSocket; heard: string[] }> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(port, address, resolve))
  closer.defer(() => {
    socket.close()
  })
  const heard: string[] = []
  socket.on('message', (payload) => heard.push(payload.toString()))
  return { socket, heard }
}

const sendTo = (socket: UdpSocket, port: number, text: string): Promise<void> =>
  new Promise((resolve) => socket.send(text, port, '127.0.0.1', () => resolve()))

test('the edge itself answers no datagram: nothing comes back but what a service sends (S22)', async () => {
  await using closer = new AsyncDisposableStack()
  const { one, streams } = await udpTunnels(closer, {}, (text) => (text === 'say something' ? 'something' : null))
  const victim = await sender(closer)
  // What servers of games, names and clocks are asked with forged addresses.
  for (const text of [
    '\xff\xff\xff\xffTSource Engine Query',
    '\x01\x00\x00\x00',
    '\xfe\xfd\x09',
    '',
    'x'.repeat(1_400),
  ])
    await sendTo(victim.socket, one, text)
  await sendTo(victim.socket, one, 'say something')
  await eventually(() => victim.heard.length > 0, 'the service answers')
  assert.deepEqual(victim.heard, ['something'])
  assert.equal(streams.length, 1)
})

test('forged sources without number cost a bounded number of flows, and a player who was answered keeps theirs (S22)', async () => {
  await using closer = new AsyncDisposableStack()
  const limits = { flowsMax: 5, flowsPerTunnelMax: 5, flowsPerSourceMax: 1_000, newFlowsPerPrefixBurst: 1_000 }
  const { one, streams } = await udpTunnels(closer, limits, (text) => `re: ${text}`)
  const player = await sender(closer)
  const talk = async (text: string): Promise<void> => {
    await sendTo(player.socket, one, text)
    await eventually(() => player.heard.includes(`re: ${text}`), 'an answer')
  }
  await talk('hello')
  await talk('it is me')
  for (let forged = 0; forged < 60; forged++) {
    const { socket } = await sender(closer)
    await sendTo(socket, one, 'forged')
  }
  await talk('still here')
  await eventually(() => streams.filter(({ destroyed }) => !destroyed).length <= 5, 'old flows have made room')
  assert.equal(streams[0]?.destroyed, false)
})

test('one neighbourhood begins only so many flows at once (S22)', async () => {
  await using closer = new AsyncDisposableStack()
  const limits = { newFlowsPerPrefixPerSecond: 0, newFlowsPerPrefixBurst: 3 }
  const { one, two, streams } = await udpTunnels(closer, limits, (text) => `re: ${text}`)
  const senders = []
  for (let host = 1; host <= 10; host++) senders.push(await sender(closer, `127.0.0.${host}`))
  for (const [index, { socket }] of senders.entries()) await sendTo(socket, index % 2 === 0 ? one : two, 'hello')
  const elsewhere = await sender(closer, '127.0.1.1')
  await sendTo(elsewhere.socket, one, 'hello')
  await eventually(() => elsewhere.heard.length > 0, 'another neighbourhood is served')
  assert.equal(streams.length, 4)
})

test('two services that answer everything cannot be set on each other through the edge (S22)', async () => {
  await using closer = new AsyncDisposableStack()
  const { one, two, streams } = await udpTunnels(closer, {}, (text) => `re: ${text}`)
  // Says that it comes from the other tunnel's own port.
  const forger = await sender(closer, '127.0.0.2', two)
  await sendTo(forger.socket, one, 'start')
  const honest = await sender(closer)
  await sendTo(honest.socket, one, 'hello')
  await eventually(() => honest.heard.length > 0, 'an answer')
  assert.deepEqual(forger.heard, [])
  assert.equal(streams.length, 1)
})
