import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Edge, EdgeConfig, startEdge } from '../../src/edge/index.ts'
import { httpService, rawVisitor, tcpService, tempFolder } from '../../src/edge/testing/world.ts'
import { silentLog } from '../../src/lib/log.ts'
import { reservePorts } from '../ports.ts'
import { Beam1Peer, type Message } from '../world/beam1-peer.ts'
import { eventually, startAcme } from '../world/panel.ts'

/** An agent that speaks `beam/1` with the API keys of a real panel: what it opens is a tunnel of the workspace like any other. */

const closer = new AsyncDisposableStack()
let world: Awaited<ReturnType<typeof startAcme>>
let edge: Edge

before(async () => {
  const folder = await tempFolder(closer)
  world = closer.use(await startAcme({ kind: 'sqlite', file: `${folder}/panel.db` }))
  const { credential } = await world.panel.registerLocalEdge('edge')
  edge = closer.use(
    await startEdge(
      EdgeConfig.parse({
        listenHost: '127.0.0.1',
        httpPort: 0,
        dataDir: `${folder}/edge`,
        panels: [{ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin }],
        credential,
        ports: await reservePorts(4),
      }),
      { log: silentLog, reportEveryMs: 50 },
    ),
  )
})
after(() => closer.disposeAsync())

async function agent(token: string): Promise<{ peer: Beam1Peer; answer: Message | null }> {
  const peer = await Beam1Peer.dial(edge.httpPort, { rejectUnauthorized: false })
  closer.defer(() => {
    peer.socket.destroy()
  })
  return { peer, answer: await peer.hello(token) }
}

test('its tunnels are the workspace’s, and what their visitors send and receive is its usage, to the byte', async () => {
  const service = await httpService(closer, (request, response) => {
    request.resume()
    request.on('end', () => response.end(Buffer.alloc(300_000)))
  })
  const game = await tcpService(closer, (socket) => socket.pipe(socket))
  const { peer, answer } = await agent(world.key)
  assert.deepEqual([answer?.type, answer?.slug], ['hello_ok', 'acme'])
  const opened = [await peer.register('web', service), await peer.register('game', game, { kind: 'tcp' })]
  assert.deepEqual(
    opened.map((message) => message?.type),
    ['registered', 'registered'],
  )
  const listed = (await world.acme.tunnels()).tunnels.map(({ name, kind }) => [name, kind]).toSorted()
  assert.deepEqual(listed, [
    ['game', 'tcp'],
    ['web', 'http'],
  ])
  const browser = await rawVisitor(closer, edge.httpPort)
  const request = `POST / HTTP/1.1\r\nHost: web.acme.localhost\r\nContent-Length: 200000\r\nConnection: close\r\n\r\n`
  browser.socket.write(request)
  browser.socket.write(Buffer.alloc(200_000))
  const received = (await browser.all).length
  const player = await rawVisitor(closer, Number(String(opened[1]?.url).split(':').at(-1)))
  player.socket.end(Buffer.alloc(50_000))
  assert.equal((await player.all).length, 50_000)
  await eventually(async () => {
    const { bytesIn, bytesOut } = await world.acme.usage({ query: {} })
    return bytesIn === request.length + 250_000 && bytesOut === received + 50_000
  }, 'all of it is the workspace’s usage')
  assert.deepEqual(peer.faults, [])
})

test('a name of another kind is refused in its own words, and so is the credential of a node', async () => {
  const { peer } = await agent(world.key)
  const refused = await peer.register('game', 1)
  assert.deepEqual([refused?.type, refused?.code, refused?.name], ['error', 'name_taken', 'game'])
  assert.match(String(refused?.message), /kept for a tunnel of kind tcp/)
  const { credential } = await world.panel.registerLocalNode('machine')
  const node = await agent(credential.reveal())
  assert.deepEqual([node.answer?.type, node.answer?.code], ['error', 'bad_token'])
  await node.peer.closed
})

test('a key that is revoked in the panel ends its session and visitors, and lets it in no more', async () => {
  const { id, token } = await world.acme.createToken({ body: { label: 'deployed' } })
  const service = await tcpService(closer, (socket) => socket.pipe(socket))
  const { peer } = await agent(token)
  const opened = await peer.register('echo', service, { kind: 'tcp' })
  const visitor = await rawVisitor(closer, Number(String(opened?.url).split(':').at(-1)))
  visitor.socket.write('hello')
  await visitor.until('hello')
  await world.acme.revokeToken({ params: { id } })
  await Promise.all([peer.closed, visitor.all])
  const again = await agent(token)
  assert.deepEqual([again.answer?.type, again.answer?.code], ['error', 'bad_token'])
})
