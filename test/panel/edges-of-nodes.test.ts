import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startAgent } from '../../src/agent/index.ts'
import { type Edge, EdgeConfig, startEdge } from '../../src/edge/index.ts'
import { rawVisitor, tcpService, tempFolder } from '../../src/edge/testing/world.ts'
import { silentLog } from '../../src/lib/log.ts'
import { handshakePacket, loginPacket } from '../../src/lib/testing/minecraft.ts'
import { tlsDialler } from '../../src/link/index.ts'
import { reservePorts } from '../ports.ts'
import { FakeNode } from '../world/fake-node.ts'
import { eventually, startAcme } from '../world/panel.ts'

/** A kind of server whose players find it by host name. */
const template = {
  id: 'craft',
  name: 'Craft',
  summary: 'A game',
  protocols: ['tcp'],
  entrance: 'minecraft',
  resources: { memory: 64, disk: 64, cpu: 1 },
  start: { command: ['true'] },
  stop: { by: 'command', command: 'stop' },
}

const closer = new AsyncDisposableStack()
let world: Awaited<ReturnType<typeof startAcme>>
let node: FakeNode
let nodeId: string
let near: Edge
let far: Edge
let credential: Awaited<ReturnType<typeof world.panel.registerLocalNode>>['credential']

before(async () => {
  const folder = await tempFolder(closer)
  const templatesDir = join(folder, 'kinds')
  await mkdir(join(templatesDir, template.id), { recursive: true })
  await writeFile(join(templatesDir, template.id, 'template.yaml'), JSON.stringify(template))
  world = closer.use(
    await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') }, { config: { templatesDir, port: 0 } }),
  )
  const panel = { host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin }
  const edge = async (name: string, region: string): Promise<Edge> => {
    const { credential } = await world.panel.registerLocalEdge(name)
    const config = EdgeConfig.parse({
      listenHost: '127.0.0.1',
      httpPort: 0,
      minecraftPort: 0,
      // Names that everybody can look up.
      base: `${name}.example.org`,
      dataDir: join(folder, name),
      panels: [panel],
      credential,
      ports: await reservePorts(4),
      region,
    })
    return closer.use(await startEdge(config, { log: silentLog }))
  }
  far = await edge('far', 'mars')
  near = await edge('near', 'default')
  const registered = await world.panel.registerLocalNode('machine')
  nodeId = registered.nodeId
  credential = registered.credential
  node = closer.use(new FakeNode({ dialler: tlsDialler(panel), credential: credential.reveal() }))
  await node.connect()
  await eventually(async () => (await world.acme.edges()).edges.length === 2, 'both edges are known')
})
after(() => closer.disposeAsync())

const told = (): string[] => (node.edges as { pin: string }[] | null)?.map(({ pin }) => pin) ?? []

test('a node links to the edges of its region alone, and follows its label; without one to those of the default region', async () => {
  await eventually(() => told().join() === near.pin, 'it is told of the default region')
  const label = (region?: string) =>
    world.acme.updateNode({ params: { node: nodeId }, body: { labels: region === undefined ? {} : { region } } })
  await label('mars')
  await eventually(() => told().join() === far.pin, 'it is told of its own region')
  const { id } = await world.acme.createServer({ body: { name: 'Red', template: 'craft', start: false } })
  const { allocations } = await world.acme.server({ params: { serverId: id.replace('servers/', '') } })
  assert.equal(allocations.length, 1)
  await label('venus')
  await eventually(() => told().join() === near.pin, 'where its region has no edge it is told of the default one')
  await label()
  assert.deepEqual(told(), [near.pin])
})

test('the host name of a server leads to its primary port, whichever that is, and the players of the former one stay', async () => {
  const { id } = await world.acme.createServer({ body: { name: 'Lobby', template: 'craft', start: false } })
  const params = { serverId: id.replace('servers/', '') }
  await eventually(async () => (await world.acme.server({ params })).status === 'offline', 'it is installed')
  await world.acme.createAllocation({ params })
  const [first, second] = (await world.acme.allocations({ params })).allocations
  assert.ok(first && second)
  const says = (word: string) =>
    tcpService(closer, (socket) => {
      socket.on('data', () => socket.write(word))
      socket.on('end', () => socket.end())
    })
  const [one, two] = [await says('one'), await says('two')]
  const opened: string[] = []
  closer.use(
    startAgent({
      edges: [{ host: '127.0.0.1', port: near.httpPort, pin: near.pin }],
      credential: () => credential,
      tunnels: [
        {
          id: 'one',
          request: { kind: 'allocation', allocation: first.id },
          target: { host: '127.0.0.1', port: one },
        },
        {
          id: 'two',
          request: { kind: 'allocation', allocation: second.id },
          target: { host: '127.0.0.1', port: two },
        },
      ],
      log: silentLog,
      onEvent: (event) => {
        if (event.type === 'opened') opened.push(event.id)
      },
    }),
  )
  await eventually(() => opened.length === 2, 'both ports are open')
  const { address } = await world.acme.server({ params })
  assert.equal(address, `lobby.acme.near.example.org:${near.minecraftPort}`)

  const play = async () => {
    const player = await rawVisitor(closer, near.minecraftPort ?? assert.fail('no Minecraft port'))
    player.socket.write(Buffer.concat([handshakePacket({ host: 'lobby.acme.near.example.org' }), loginPacket('Bob')]))
    return player
  }
  const staying = await play()
  await staying.until('one')
  await world.acme.makePrimary({ params: { ...params, allocation: second.id } })
  assert.equal((await world.acme.server({ params })).address, address)
  await eventually(async () => /two/.test(await (await play()).until(3)), 'the name leads to the other port')
  staying.socket.write('more')
  await staying.until('oneone')
  // Each port is still its own.
  const { port } = (await world.acme.allocations({ params })).allocations.find(({ primary }) => !primary) ?? first
  const byPort = await rawVisitor(closer, port)
  byPort.socket.write('x')
  await byPort.until('one')

  await world.acme.makePrimary({ params: { ...params, allocation: second.id } })
  await world.acme.makePrimary({ params: { ...params, allocation: first.id } })
  await eventually(async () => /one/.test(await (await play()).until(3)), 'the name is back')
})
