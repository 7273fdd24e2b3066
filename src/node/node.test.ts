import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createClient } from '../client/index.ts'
import { type NodeEvent, NodeHello, nodeOperations, nodeSockets } from '../contract/node.ts'
import { AgentHello, AgentMessage, type EdgeMessage } from '../contract/tunnel.ts'
import { linkSend, openLinkSocket } from '../http/index.ts'
import { silentLog } from '../lib/log.ts'
import { acceptLinks, type Link, LinkError, listenLinks, loadIdentity } from '../link/index.ts'
import { startNode } from './node.ts'
import { makeSpec } from './testing/world.ts'

/** A node, and a panel of this test that it has linked to. */
async function linked(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-start-'))
  const closer = new AsyncDisposableStack()
  t.after(async () => {
    await closer.disposeAsync()
    await rm(folder, { recursive: true, force: true })
  })
  const identity = await loadIdentity(join(folder, 'panel'))
  let arrived: (link: Link) => void = () => undefined
  const arrival = new Promise<Link>((resolve) => {
    arrived = resolve
  })
  const acceptor = closer.use(
    acceptLinks({
      log: silentLog,
      greet: async (hello) => {
        if (NodeHello.parse(hello).credential !== 'phc_right') throw new LinkError('unauthorized', 'unknown node')
        return { welcome: {}, events: { onStream: (stream) => void stream.destroy() }, opened: arrived }
      },
    }),
  )
  const port = closer.use(await listenLinks({ host: '127.0.0.1', port: 0, identity, acceptor, log: silentLog }))
  const start = async () =>
    closer.use(
      await startNode(
        {
          dataDir: join(folder, 'node'),
          panels: [{ host: '127.0.0.1', port: port.port, pin: identity.pin }],
          credential: 'phc_right',
        },
        { log: silentLog },
      ),
    )
  await start()
  const link = await arrival
  const client = createClient(nodeOperations, { baseUrl: '', send: linkSend(() => link), checkReplies: true })
  closer.defer(async () => {
    for (const { id } of await client.servers({}).catch(() => [])) await client.removeServer({ params: { server: id } })
  })
  return { client, link, folder, closer }
}

test('a panel creates, starts, reads and removes a server over the link that the node dialled', async (t) => {
  const { client, link } = await linked(t)
  const facts = await client.facts({})
  assert.ok(facts.memoryBytes > 0 && facts.diskFreeBytes > 0)
  const spec = await makeSpec()
  const server = spec.id
  const ending = new AbortController()
  const events = await openLinkSocket(link, nodeSockets.events, {}, ending.signal)
  const phases: string[] = []
  const reading = (async () => {
    for await (const event of events as AsyncIterable<NodeEvent>) {
      if (event.type !== 'state' || event.state.id !== server) continue
      if (phases.at(-1) !== event.state.phase) phases.push(event.state.phase)
      if (event.state.phase === 'offline' && phases.length === 2)
        await client.power({ params: { server }, body: { action: 'start' } })
      if (event.state.phase === 'running') {
        await client.command({ params: { server }, body: { command: 'echo over the link' } })
        break
      }
    }
  })()
  await client.putServer({ params: { server }, body: spec })
  await reading
  assert.deepEqual(phases, ['installing', 'offline', 'starting', 'running'])
  const texts: string[] = []
  for await (const lines of await openLinkSocket(
    link,
    nodeSockets.consoleLines,
    { params: { server }, query: { backlog: 100 } },
    ending.signal,
  )) {
    texts.push(...lines.map((line) => line.text))
    if (texts.includes('echo over the link')) break
  }
  assert.ok(texts.includes('Ready to play'))
  ending.abort()
  const page = await client.console({ params: { server }, query: { size: 1 } })
  assert.equal(page[0]?.text, 'echo over the link')
  await client.removeServer({ params: { server } })
  await client.removeServer({ params: { server } })
  assert.deepEqual(await client.servers({}), [])
})

test('refuses what does not fit, with words for people', async (t) => {
  const { client } = await linked(t)
  const spec = await makeSpec()
  const missing = { server: '00000000' }
  await assert.rejects(client.server({ params: missing }), { code: 'not_found' })
  await assert.rejects(client.power({ params: missing, body: { action: 'start' } }), { code: 'not_found' })
  await assert.rejects(client.console({ params: missing, query: { size: 10 } }), { code: 'not_found' })
  await assert.rejects(client.putServer({ params: missing, body: spec }), /spec calls/)
  await client.putServer({ params: { server: spec.id }, body: spec })
  await assert.rejects(client.command({ params: { server: spec.id }, body: { command: 'x' } }), { code: 'conflict' })
  await assert.rejects(client.reinstall({ params: { server: spec.id } }), (error: Error) =>
    /install/.test(error.message),
  )
})

test('opens a tunnel for each port that wants one, on every edge that it is told of', async (t) => {
  const { client, closer, folder } = await linked(t)
  const identity = await loadIdentity(join(folder, 'edge'))
  const wanted: string[] = []
  let agent: Link | null = null
  let opened: () => void = () => undefined
  const open = new Promise<void>((resolve) => {
    opened = resolve
  })
  const acceptor = closer.use(
    acceptLinks({
      log: silentLog,
      greet: async (hello) => {
        assert.equal(AgentHello.parse(hello).credential, 'phc_right')
        return {
          welcome: { edge: 'edge', slug: null },
          events: {
            onStream: (stream) => void stream.destroy(),
            onMessage(message, link) {
              const parsed = AgentMessage.parse(message)
              if (parsed.type !== 'open' || parsed.tunnel.kind !== 'allocation') return
              wanted.push(parsed.tunnel.allocation)
              agent = link
              link.send({
                type: 'opened',
                ref: parsed.ref,
                tunnelId: 'tunnel-1',
                url: 'tcp://edge:1',
              } satisfies EdgeMessage)
              opened()
            },
          },
        }
      },
    }),
  )
  const edge = closer.use(await listenLinks({ host: '127.0.0.1', port: 0, identity, acceptor, log: silentLog }))
  const base = await makeSpec({
    start: {
      command: [
        'node',
        '-e',
        "require('net').createServer((socket) => socket.once('data', (heard) => socket.end('hello from the server to ' + heard))).listen(process.env.SERVER_PORT, '127.0.0.1', () => console.log('Ready'))",
      ],
      ready: 'Ready',
    },
    proxyProtocol: 'v1',
  })
  const [allocation] = base.allocations
  const spec = { ...base, allocations: [{ id: 'public', port: allocation?.port ?? 0, tunnel: true }] }
  await client.putServer({ params: { server: spec.id }, body: spec })
  await client.putEdges({ body: [{ id: 'e', host: '127.0.0.1', port: edge.port, pin: identity.pin }] })
  await open
  assert.deepEqual(wanted, ['public'])

  const phase = async (expected: string): Promise<void> => {
    for (;;) {
      const state = await client.server({ params: { server: spec.id } })
      if (state.phase === expected) return
      assert.notEqual(state.phase, 'install_failed', state.message ?? '')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  await phase('offline')
  await client.power({ params: { server: spec.id }, body: { action: 'start' } })
  await phase('running')
  const stream = (agent as Link | null)?.open({
    tunnelId: 'tunnel-1',
    protocol: 'tcp',
    address: '203.0.113.9',
    port: 4000,
    localAddress: '192.0.2.1',
    localPort: 30_000,
    offset: 0,
  })
  let text = ''
  if (stream) for await (const chunk of stream) text += String(chunk)
  assert.equal(text, 'hello from the server to PROXY TCP4 203.0.113.9 192.0.2.1 4000 30000\r\n')
})
