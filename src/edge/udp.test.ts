import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { test } from 'node:test'
import { reservePort, reservePorts } from '../../test/ports.ts'
import type { UsageReport } from '../contract/edge.ts'
import { Metrics } from '../lib/metrics.ts'
import type { LinkStream } from '../link/index.ts'
import type { EdgeLimits } from './limits.ts'
import { acmeToken, eventually, type HandAgent, handAgent, type TestEdge, testEdge } from './testing/world.ts'

interface Head {
  tunnelId: string
  protocol: string
  address: string
  port: number
  localPort: number
  offset: number
}

/** An edge with one UDP tunnel, and what its service's end sees. */
async function gameTunnel(
  closer: AsyncDisposableStack,
  options: {
    ports?: number
    limits?: Partial<EdgeLimits>
    metrics?: Metrics
    answer?: (text: string, head: Head) => string | null
  } = {},
): Promise<{
  edge: TestEdge
  agent: HandAgent
  port: number
  flows: { head: Head; stream: LinkStream; heard: string[] }[]
}> {
  const { answer = (text) => `re: ${text}`, limits = {}, ports = 1, metrics } = options
  const edge = await testEdge(closer, {}, { limits, ...(metrics && { metrics }) })
  const flows: { head: Head; stream: LinkStream; heard: string[] }[] = []
  const agent = await handAgent(closer, edge, acmeToken, (stream, head) => {
    const flow = { head: head as Head, stream, heard: [] as string[] }
    flows.push(flow)
    stream.on('error', () => undefined)
    stream.resume()
    stream.onDatagram = (payload) => {
      const text = payload.toString('latin1')
      flow.heard.push(text)
      const reply = answer(text, flow.head)
      if (reply !== null) stream.sendDatagram(Buffer.from(reply, 'latin1'))
    }
  })
  const opened = await agent.open({ kind: 'udp', name: 'game', ports })
  const port = Number(/^udp:\/\/127\.0\.0\.1:(\d+)/.exec(String(opened.url))?.[1])
  return { edge, agent, port, flows }
}

/** A player: `ask` resolves to the next answer. */
async function player(closer: AsyncDisposableStack, localPort = 0) {
  const socket: Socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(localPort, '127.0.0.1', resolve))
  closer.defer(() => {
    socket.close()
  })
  const heard: string[] = []
  const takers: ((text: string) => void)[] = []
  socket.on('message', (payload) => {
    const text = payload.toString('latin1')
    heard.push(text)
    takers.shift()?.(text)
  })
  const send = (text: string, port: number): void => socket.send(Buffer.from(text, 'latin1'), port, '127.0.0.1')
  return {
    port: socket.address().port,
    heard,
    send,
    ask: (text: string, port: number): Promise<string> =>
      new Promise((resolve) => {
        takers.push(resolve)
        send(text, port)
      }),
  }
}

test('each visitor has a flow of their own, with datagrams as they were sent', async () => {
  await using closer = new AsyncDisposableStack()
  const { port, flows } = await gameTunnel(closer)
  const [ann, bob] = [await player(closer), await player(closer)]
  const long = 'x'.repeat(1_400)
  assert.equal(await ann.ask('hello', port), 're: hello')
  assert.equal(await bob.ask('', port), 're: ')
  assert.equal(await ann.ask(long, port), `re: ${long}`)
  assert.deepEqual(
    flows.map(({ head, heard }) => ({ ...head, heard })),
    [
      { player: ann, heard: ['hello', long] },
      { player: bob, heard: [''] },
    ].map(({ player: { port: own }, heard }) => ({
      tunnelId: 'acme/game',
      protocol: 'udp',
      address: '127.0.0.1',
      port: own,
      localAddress: '127.0.0.1',
      localPort: port,
      offset: 0,
      heard,
    })),
  )
})

test('a range of ports is one tunnel that knows which of them was meant', async () => {
  await using closer = new AsyncDisposableStack()
  const { port, flows } = await gameTunnel(closer, { ports: 3, answer: (_, { offset }) => `port ${offset}` })
  const ann = await player(closer)
  for (const offset of [2, 0, 1]) assert.equal(await ann.ask('which', port + offset), `port ${offset}`)
  assert.deepEqual(
    flows.map(({ head }) => head.localPort - port),
    [2, 0, 1],
  )
})

test('UDP and TCP tunnels share the numbers: one has both', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, { ports: await reservePorts(3) })
  const agent = await handAgent(closer, edge, acmeToken)
  const urls = [await agent.open({ kind: 'udp', name: 'a' }), await agent.open({ kind: 'tcp', name: 'b' })].map(
    ({ url }) => new URL(String(url).replace('udp:', 'tcp:')).port,
  )
  assert.equal(new Set(urls).size, 2)
  const wanted = await agent.open({ kind: 'tcp', name: 'c', port: Number(urls[0]) })
  assert.deepEqual([wanted.type, wanted.code], ['refused', 'taken'])
  const both = await agent.open({ kind: 'tcp+udp', name: 'd' })
  assert.equal(both.type, 'opened')
  for (const kind of ['tcp', 'udp', 'tcp+udp'] as const) {
    const second = await agent.open({ kind, name: 'e', port: Number(new URL(String(both.url)).port) })
    assert.deepEqual([second.type, second.code], ['refused', 'taken'])
  }
})

test('a flow ends when its visitor is silent, and a later datagram begins another one', async () => {
  await using closer = new AsyncDisposableStack()
  const { port, flows } = await gameTunnel(closer, { limits: { flowIdleMs: 50, unprovenFlowIdleMs: 50 } })
  const ann = await player(closer)
  // On a busy machine a flow may be over before its answer comes: then it is asked again.
  const answered = (text: string): Promise<void> =>
    eventually(async () => {
      ann.send(text, port)
      await new Promise((resolve) => setTimeout(resolve, 10))
      return ann.heard.includes(`re: ${text}`)
    }, 'an answer')
  await answered('one')
  const begun = flows.length
  await eventually(() => flows.every(({ stream }) => stream.destroyed), 'the flow ends')
  await answered('two')
  assert.ok(flows.length > begun)
})

test('when the agent ends a flow, the visitor’s next datagram begins another one', async () => {
  await using closer = new AsyncDisposableStack()
  const { port, flows } = await gameTunnel(closer)
  const ann = await player(closer)
  await ann.ask('one', port)
  flows[0]?.stream.destroy()
  await eventually(async () => {
    ann.send('two', port)
    await new Promise((resolve) => setImmediate(resolve))
    return flows.length === 2
  }, 'a new flow')
})

test('one source has only so many flows; neighbours on other ports of the machine are the same source', async () => {
  await using closer = new AsyncDisposableStack()
  const metrics = new Metrics()
  const { port, flows } = await gameTunnel(closer, { limits: { flowsPerSourceMax: 2 }, metrics })
  const players = [await player(closer), await player(closer), await player(closer)]
  for (const one of players.slice(0, 2)) await one.ask('hello', port)
  const [first, , third] = players
  third?.send('let me in', port)
  assert.equal(await first?.ask('still here', port), 're: still here')
  assert.equal(flows.length, 2)
  const dropped = (reason: string) => `pharos_edge_datagrams_dropped_total{reason="${reason}"}`
  await eventually(() => metrics.text().includes(`${dropped('flows')} 1\n`), 'the lost one is counted')
  for (const reason of ['share', 'forged', 'refused', 'unsent', 'link'])
    assert.ok(metrics.text().includes(`${dropped(reason)} 0\n`), reason)
})

test('the port is closed when the tunnel is, and opens again with it', async () => {
  await using closer = new AsyncDisposableStack()
  const { agent, port, flows } = await gameTunnel(closer)
  const ann = await player(closer)
  await ann.ask('hello', port)
  agent.link.send({ type: 'close', tunnelId: 'acme/game' })
  await eventually(() => flows[0]?.stream.destroyed === true, 'the flow is cut')
  await agent.open({ kind: 'udp', name: 'game' })
  assert.equal(await ann.ask('again', port), 're: again')
  assert.equal(flows.length, 2)
})

test('a UDP port that something else uses is refused', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await reservePort()
  const other = createSocket('udp4')
  await new Promise<void>((resolve) => other.bind(port, '127.0.0.1', resolve))
  closer.defer(() => {
    other.close()
  })
  const edge = await testEdge(closer, { ports: { first: port, last: port } })
  const agent = await handAgent(closer, edge, acmeToken)
  const refused = await agent.open({ kind: 'udp', name: 'game' })
  assert.deepEqual([refused.type, refused.code], ['refused', 'unavailable'])
})

test('UDP is counted: each flow as a connection, and the bytes of datagrams both ways', async () => {
  await using closer = new AsyncDisposableStack()
  const reports: UsageReport[] = []
  const port = await reservePort()
  const edge = await testEdge(
    closer,
    {},
    {
      reportEveryMs: 20,
      controlPlane: async () => ({
        verify: async () => ({ kind: 'key', keyId: 'k', workspaceId: 'acme', slug: 'acme' }),
        claim: async () => ({
          tunnelId: 'game',
          workspaceId: 'acme',
          name: 'game',
          entrances: [
            { kind: 'udp', port, ports: 1 },
            { kind: 'tcp', port, ports: 1 },
          ],
          url: `udp://127.0.0.1:${port}`,
        }),
        report: async (report) => {
          reports.push(report)
          return { rejected: [] }
        },
        reportOpen: async () => undefined,
        drain: async () => undefined,
        async [Symbol.asyncDispose]() {},
      }),
    },
  )
  const agent = await handAgent(closer, edge, acmeToken, (stream) => {
    stream.resume()
    stream.onDatagram = (payload) => stream.sendDatagram(Buffer.concat([payload, payload]))
  })
  await agent.open({ kind: 'udp', name: 'game' })
  const [ann, bob] = [await player(closer), await player(closer)]
  await ann.ask('12345', port)
  await ann.ask('1', port)
  await bob.ask('1234', port)
  await edge[Symbol.asyncDispose]()
  const { bytesIn, bytesOut, connections, requests } = reports.at(-1)?.counters[0] ?? assert.fail('no counter')
  assert.deepEqual(
    { bytesIn, bytesOut, connections, requests },
    { bytesIn: 10, bytesOut: 20, connections: 2, requests: 0 },
  )
})
