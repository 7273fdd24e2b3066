import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkError, type LinkStream } from '../link/index.ts'
import type { Edge } from './edge.ts'
import { acmeToken, eventually, type HandAgent, handAgent, rawVisitor, testEdge } from './testing/world.ts'

/** An agent of the pool `game` that says its name to each visitor, then what the visitor says. */
async function member(closer: AsyncDisposableStack, edge: Edge, name: string, pool = true) {
  const served: LinkStream[] = []
  const agent = await handAgent(closer, edge, acmeToken, (stream) => {
    served.push(stream)
    stream.on('error', () => undefined)
    stream.write(`${name}:`)
    stream.pipe(stream)
  })
  return { agent, served, opened: await agent.open({ kind: 'tcp', name: 'game', ...(pool && { pool }) }) }
}

const portOf = (opened: Record<string, unknown>): number => Number(String(opened.url).split(':').at(-1))

async function visit(closer: AsyncDisposableStack, port: number) {
  const visitor = await rawVisitor(closer, port)
  return { visitor, name: (await visitor.until(':')).slice(0, 1) }
}

test('agents that share a name get the next visitor by who has the fewest', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const a = await member(closer, edge, 'a')
  const b = await member(closer, edge, 'b')
  const port = portOf(a.opened)
  assert.equal(portOf(b.opened), port)
  const visits = []
  for (let count = 0; count < 6; count++) visits.push(await visit(closer, port))
  assert.deepEqual([a.served.length, b.served.length], [3, 3])
  for (const { visitor, name } of visits) if (name === 'a') visitor.socket.destroy()
  await eventually(() => a.served.every((stream) => stream.destroyed), 'the edge lets them go')
  const names = [await visit(closer, port), await visit(closer, port)].map(({ name }) => name)
  assert.deepEqual(names, ['a', 'a'])
})

test('one agent lost loses its own visitors alone', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const a = await member(closer, edge, 'a')
  await member(closer, edge, 'b')
  const port = portOf(a.opened)
  const visits = [await visit(closer, port), await visit(closer, port)]
  a.agent.link.close('gone')
  const [ofA, ofB] = ['a', 'b'].map((name) => visits.find((one) => one.name === name)?.visitor ?? assert.fail(name))
  await ofA?.all
  ofB?.socket.write('still here')
  await ofB?.until('still here')
  assert.equal((await visit(closer, port)).name, 'b')
})

test('an agent whose service is not well gets visitors only while nobody else’s is', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const a = await member(closer, edge, 'a')
  const b = await member(closer, edge, 'b')
  const port = portOf(a.opened)
  await say(a.agent, { type: 'health', tunnelId: 'acme/game', healthy: false })
  const names = []
  for (let count = 0; count < 3; count++) names.push((await visit(closer, port)).name)
  assert.deepEqual(names, ['b', 'b', 'b'])
  await say(b.agent, { type: 'health', tunnelId: 'acme/game', healthy: false })
  assert.equal((await visit(closer, port)).name, 'a')
})

test('a visitor whose stream is refused goes over to another agent with everything it has said', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  let refused = 0
  const broken = await handAgent(closer, edge, acmeToken, (stream) => {
    stream.on('error', () => undefined)
    // Only once it has heard something: the edge must say it again.
    stream.once('data', () => {
      refused++
      stream.destroy(new LinkError('unreachable', 'nothing listens there'))
    })
  })
  const opened = await broken.open({ kind: 'tcp', name: 'game', pool: true })
  await member(closer, edge, 'b')
  await (async () => {
    for (let count = 0; refused === 0; count++) {
      const visitor = await rawVisitor(closer, portOf(opened))
      visitor.socket.write(`hello ${count}`)
      assert.match(await visitor.until(`hello ${count}`), new RegExp(`^b:hello ${count}$`))
      visitor.socket.destroy()
    }
  })()
  assert.equal(refused, 1)
})

test('a visitor that a service has seen is not sent to another one', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const a = await member(closer, edge, 'a')
  const b = await member(closer, edge, 'b')
  const { visitor, name } = await visit(closer, portOf(a.opened))
  const [serving, other] = name === 'a' ? [a, b] : [b, a]
  serving.served[0]?.destroy(new LinkError('unreachable', 'gone'))
  assert.equal((await visitor.all).toString(), `${name}:`)
  assert.equal(other.served.length, 0)
})

test('when no agent can reach its service the visitor is reset', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const away = (stream: LinkStream): void => {
    stream.on('error', () => undefined)
    stream.destroy(new LinkError('unreachable', 'nothing listens there'))
  }
  const one = await handAgent(closer, edge, acmeToken, away)
  const two = await handAgent(closer, edge, acmeToken, away)
  const opened = await one.open({ kind: 'tcp', name: 'game', pool: true })
  await two.open({ kind: 'tcp', name: 'game', pool: true })
  assert.equal((await (await rawVisitor(closer, portOf(opened))).all).length, 0)
})

test('an agent that does not want to share takes the name over, and nobody joins it unasked', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const a = await member(closer, edge, 'a')
  const b = await member(closer, edge, 'b')
  const alone = await member(closer, edge, 'c', false)
  for (const { agent } of [a, b]) assert.equal((await agent.next()).type, 'closed')
  assert.equal((await visit(closer, portOf(alone.opened))).name, 'c')
  await member(closer, edge, 'd')
  assert.equal((await alone.agent.next()).type, 'closed')
  assert.equal((await visit(closer, portOf(alone.opened))).name, 'd')
})

test('refuses more agents of one pool than there may be', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, {}, { limits: { agentsPerTunnelMax: 2 } })
  for (const name of ['a', 'b']) await member(closer, edge, name)
  const { opened } = await member(closer, edge, 'c')
  assert.deepEqual([opened.type, opened.code], ['refused', 'limit'])
})

/** Sends a message and waits until the edge has read it: its answer to the next one comes after that. */
async function say(agent: HandAgent, message: unknown): Promise<void> {
  agent.link.send(message)
  await agent.open({ kind: 'http', name: 'after' })
}
