import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import {
  acmeToken,
  eventually,
  forwardTo,
  handAgent,
  rawVisitor,
  tcpService,
  testEdge,
  umbrellaToken,
} from '../../src/edge/testing/world.ts'
import { LinkError } from '../../src/link/index.ts'

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
