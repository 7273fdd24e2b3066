import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { TunnelRequest } from '../../src/contract/tunnel.ts'
import { AccessDesk } from '../../src/edge/access/desk.ts'
import { Counters } from '../../src/edge/counters.ts'
import { Traffic } from '../../src/edge/inspection/index.ts'
import { edgeLimits } from '../../src/edge/limits.ts'
import { Routing } from '../../src/edge/routing.ts'
import { Sessions } from '../../src/edge/sessions.ts'
import { Shares } from '../../src/edge/shares.ts'
import {
  acmeToken,
  endpointOf,
  eventually,
  forwardTo,
  handAgent,
  rawVisitor,
  type TestEdge,
  tcpService,
  tempFolder,
  testEdge,
  umbrellaToken,
} from '../../src/edge/testing/world.ts'
import { openTokensFile } from '../../src/edge/tokens-file.ts'
import type { Tunnel } from '../../src/edge/tunnel.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { LinkError } from '../../src/link/index.ts'
import { firstLine } from '../children.ts'

/** Agents against the running edge: the rows of the list of attacks on tunnels that are about who may have one. */

const unauthorized = (error: unknown): boolean => error instanceof LinkError && error.code === 'unauthorized'
const game = { kind: 'tcp', name: 'game' } as const
const portOf = (opened: Record<string, unknown>): number => Number(String(opened.url).split(':').at(-1))

async function echo(closer: AsyncDisposableStack): Promise<number> {
  return tcpService(closer, (socket) => {
    socket.pipe(socket)
  })
}

test('a tunnel ends with the right to it, in the middle of a visitor’s stream (S3)', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(await echo(closer)))
  const other = await handAgent(closer, edge, umbrellaToken, forwardTo(await echo(closer)))
  const mine = await rawVisitor(closer, portOf(await agent.open(game)))
  const theirs = await rawVisitor(closer, portOf(await other.open(game)))
  for (const visitor of [mine, theirs]) {
    visitor.socket.write('hello')
    await visitor.until('hello')
  }
  await writeFile(edge.tokensFile, JSON.stringify({ [umbrellaToken]: 'umbrella' }))
  await mine.all
  await agent.link.closed
  await assert.rejects(handAgent(closer, edge, acmeToken), unauthorized)
  theirs.socket.write(' again')
  await theirs.until('hello again')
})

test('a token that comes back serves again under the same address, without another edge or agent (S3)', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const first = await handAgent(closer, edge, acmeToken)
  const opened = await first.open(game)
  await writeFile(edge.tokensFile, JSON.stringify({ [umbrellaToken]: 'umbrella' }))
  await first.link.closed
  const stranger = await handAgent(closer, edge, umbrellaToken)
  assert.equal((await stranger.open({ ...game, port: portOf(opened) })).code, 'taken')
  await writeFile(edge.tokensFile, JSON.stringify({ [umbrellaToken]: 'umbrella', [acmeToken]: 'acme' }))
  await eventually(async () => {
    try {
      const again = await handAgent(closer, edge, acmeToken)
      return (await again.open(game)).url === opened.url
    } catch (error) {
      if (unauthorized(error)) return false
      throw error
    }
  }, 'the token is known again')
})

test('tokens that nobody has are refused without a trace: no session, no tunnel, no name (S13, S24)', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, {}, { limits: { sessionsMax: 2, greetingsMax: 2 } })
  for (const guess of [
    'x',
    '__proto__',
    'constructor',
    acmeToken.slice(0, -1),
    `${acmeToken} `,
    acmeToken.toUpperCase(),
  ])
    for (let count = 0; count < 5; count++) await assert.rejects(handAgent(closer, edge, guess), unauthorized, guess)
  const agent = await handAgent(closer, edge, acmeToken)
  assert.equal((await agent.open(game)).type, 'opened')
})

test('an agent that comes back owns its address at once, while its old link is still there (S21)', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, {}, { limits: { sessionsPerCredentialMax: 30 } })
  const service = await echo(closer)
  const links = []
  let port = 0
  for (let count = 0; count < 20; count++) {
    const agent = await handAgent(closer, edge, acmeToken, forwardTo(service))
    const opened = await agent.open(game)
    assert.equal(opened.type, 'opened')
    if (count > 0) assert.equal(portOf(opened), port)
    port = portOf(opened)
    links.push(agent.link)
  }
  for (const link of links.slice(0, -1)) link.close('late')
  const visitor = await rawVisitor(closer, port)
  visitor.socket.write('still mine')
  await visitor.until('still mine')
})

test('an agent is asked for the tunnels and ports that it opened, and for nothing else (S18)', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const heads: unknown[] = []
  const agent = await handAgent(closer, edge, acmeToken, (stream, head) => {
    heads.push(head)
    stream.destroy()
  })
  const opened = await agent.open({ kind: 'tcp', name: 'range', ports: 2 })
  const [first = 0] = String(opened.url).split(':').at(-1)?.split('-').map(Number) ?? []
  for (const port of [first, first + 1]) await (await rawVisitor(closer, port)).all
  assert.deepEqual(
    heads.map((head) => {
      const { tunnelId, localPort, offset, ...rest } = head as Record<string, unknown>
      assert.deepEqual(Object.keys(rest).sort(), ['address', 'localAddress', 'port', 'protocol'])
      return [tunnelId, localPort, offset]
    }),
    [
      ['acme/range', first, 0],
      ['acme/range', first + 1, 1],
    ],
  )
})

test('a burst of 300 requests within a second gets 300 answers', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const service = await tcpService(closer, (socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'))
  })
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(service))
  await agent.open({ kind: 'http', name: 'web' })
  const answers = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const visitor = await rawVisitor(closer, edge.httpPort)
      visitor.socket.write('GET / HTTP/1.1\r\nHost: web.acme.localhost\r\nConnection: close\r\n\r\n')
      return (await visitor.all).toString().slice(0, 12)
    }),
  )
  assert.deepEqual([...new Set(answers)], ['HTTP/1.1 200'])
})

test('fifty thousand tokens that nobody has leave nothing in memory (S13)', async () => {
  await using closer = new AsyncDisposableStack()
  const dataDir = await tempFolder(closer)
  const tokensFile = join(dataDir, 'tokens.json')
  await writeFile(tokensFile, JSON.stringify({ [acmeToken]: 'acme' }))
  const counters = closer.use(new Counters(join(dataDir, 'usage.counters'), { clock: systemClock, log: silentLog }))
  const sessions: Sessions = new Sessions({
    controlPlane: () => controlPlane,
    routing: new Routing<Tunnel>(),
    ingresses: { ports: {}, hosts: new Set() },
    counters,
    shares: new Shares({ contended: () => false }),
    release: { charge: () => undefined },
    traffic: closer.use(new Traffic(systemClock)),
    desk: new AccessDesk({ now: Date.now, log: silentLog, isReachable: () => false, reportUrl: () => null }),
    limits: edgeLimits,
    clock: systemClock,
    log: silentLog,
    host: 'edge',
  })
  const controlPlane = closer.use(
    await openTokensFile({
      path: tokensFile,
      dataDir,
      ports: { first: 20_000, last: 20_000 },
      host: 'edge',
      base: 'localhost',
      hostUrl: () => '',
      orders: sessions,
      log: silentLog,
    }),
  )
  const guess = async (): Promise<void> => {
    // Long ones: if each were kept, they would be 25 MB.
    const credential = randomBytes(256).toString('hex').slice(0, 500)
    const hello = { role: 'agent', version: 1, credential, software: 'test' }
    await assert.rejects(sessions.greet(hello, { remoteAddress: '192.0.2.1' }), unauthorized)
  }
  for (let count = 0; count < 1_000; count++) await guess()
  const before = heapUsed()
  for (let count = 0; count < 50_000; count++) await guess()
  const grown = heapUsed() - before
  assert.ok(grown < 10_000_000, `the heap has grown by ${grown} bytes`)
  assert.equal(sessions.count, 0)
})

test('the name of an agent that is stopped is usable from another one at once, and its visitors do not hang (S21)', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const stopped = await agentProcess(closer, edge, game, await echo(closer))
  const port = Number(stopped.url.split(':').at(-1))
  const early = await rawVisitor(closer, port)
  early.socket.write('hello')
  await early.until('hello')
  stopped.child.kill('SIGSTOP')
  const stuck = await rawVisitor(closer, port)
  stuck.socket.write('is anybody there')
  const other = await handAgent(closer, edge, acmeToken, forwardTo(await echo(closer)))
  const opened = await other.open(game)
  assert.deepEqual([opened.type, portOf(opened)], ['opened', port])
  await early.all
  assert.equal((await stuck.all).length, 0)
  const visitor = await rawVisitor(closer, port)
  visitor.socket.write('hello again')
  await visitor.until('hello again')
})

test('an agent of a pool that is stopped loses its visitors, and the others of the pool serve whoever comes (S21)', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const request = { ...game, pool: true }
  const stopped = await agentProcess(closer, edge, request, await echo(closer))
  const other = await handAgent(closer, edge, acmeToken, forwardTo(await echo(closer)))
  const port = portOf(await other.open(request))
  stopped.child.kill('SIGSTOP')
  const visitors = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const visitor = await rawVisitor(closer, port)
      visitor.socket.write('hello')
      return visitor
    }),
  )
  // Each is answered, or told by a reset once the edge knows that the agent is gone; none waits for ever.
  const fates = await Promise.all(
    visitors.map((visitor) =>
      visitor.until('hello').then(
        () => 'answered',
        () => 'cut',
      ),
    ),
  )
  assert.ok(fates.filter((fate) => fate === 'answered').length >= 2, fates.join())
  const late = await rawVisitor(closer, port)
  late.socket.write('hello')
  await late.until('hello')
})

test('a thousand reconnects leave neither sockets nor memory behind (S21)', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const reconnect = async (): Promise<void> => {
    await using one = new AsyncDisposableStack()
    const agent = await handAgent(one, edge, acmeToken)
    assert.equal((await agent.open(game)).type, 'opened')
    agent.link.close('and again')
    await agent.link.closed
  }
  const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length
  for (let count = 0; count < 100; count++) await reconnect()
  const [files, heap] = [await openFiles(), heapUsed()]
  for (let count = 0; count < 1_000; count++) await reconnect()
  // Sockets close a moment after their link.
  await eventually(async () => (await openFiles()) <= files + 10, 'the sockets are closed')
  await eventually(() => heapUsed() - heap < 10_000_000, 'the memory is given back')
})

/** Bytes, after everything that nobody needs is gone. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void // what the flag puts there
  collect()
  return process.memoryUsage().heapUsed
}

async function agentProcess(
  closer: AsyncDisposableStack,
  edge: TestEdge,
  request: TunnelRequest,
  port: number,
): Promise<{ child: ChildProcess; url: string }> {
  const program = join(import.meta.dirname, '../world/agent-process.ts')
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  closer.defer(() => {
    child.kill('SIGKILL')
  })
  const target = { host: '127.0.0.1', port }
  child.stdin.end(JSON.stringify({ edge: endpointOf(edge), token: acmeToken, request, target }))
  return { child, url: await firstLine(child) }
}
