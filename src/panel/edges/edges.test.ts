import assert from 'node:assert/strict'
import { testOnEachDatabase, testOnPostgres } from '../../../test/databases.ts'
import { FakeEdge } from '../../../test/world/fake-edge.ts'
import { FakeNode } from '../../../test/world/fake-node.ts'
import {
  addMember,
  eventually,
  MovableClock,
  type PanelWorld,
  startAcme,
  startPanelWorld,
} from '../../../test/world/panel.ts'
import type { AgentIdentity } from '../../contract/edge.ts'
import type { TunnelRequest } from '../../contract/tunnel.ts'
import { dialLink, LinkError, tlsDialler } from '../../link/index.ts'

const verify = (edge: FakeEdge, credential: string) =>
  edge.panel.verifyAgent({ body: { credential, address: '192.0.2.1' } })
const claim = (edge: FakeEdge, agent: AgentIdentity, tunnel: TunnelRequest) =>
  edge.panel.claimTunnel({ body: { agent, tunnel } })

testOnEachDatabase('accepts an edge by its credential alone, and knows it again', async (database) => {
  await using world = await startAcme(database)
  const made = await world.acme.createEdge({ body: { name: 'fra' } })
  assert.deepEqual(made.panel, { port: world.panel.port, pin: world.panel.pin })
  await assert.rejects(world.acme.createEdge({ body: { name: 'fra' } }), { code: 'conflict' })
  await assert.rejects(FakeEdge.connect(world, made.id, 'phe_wrong'), { name: 'LinkError', code: 'unauthorized' })
  assert.equal((await world.acme.workspace()).provisioned, false)
  await using edge = await FakeEdge.connect(world, made.id, made.credential)
  const listed = await eventually(
    async () => (await world.acme.edges()).edges.find(({ online }) => online),
    'the edge is listed as one that is here',
  )
  assert.deepEqual(listed, {
    id: edge.id,
    host: 'edge.example.org',
    port: 4680,
    pin: 'pin-of-the-edge',
    base: 'tunnels.example.org',
    region: 'default',
    online: true,
  })
  const workspace = await eventually(async () => {
    const found = await world.acme.workspace()
    return found.provisioned ? found : null
  }, 'the workspace has a place for its tunnels')
  assert.deepEqual([workspace.provisioned, workspace.tunnelBase], [true, 'acme.tunnels.example.org'])
  edge.link.close('going away')
  await eventually(async () => !(await world.acme.workspace()).provisioned, 'the edge is away')
  await eventually(
    async () => (await world.acme.workspace()).tunnelBase === 'acme.tunnels.example.org',
    'what the edge said of itself is kept',
  )
  await eventually(async () => (await world.acme.edges()).edges[0]?.online === false, 'the edge is listed as away')
})

testOnEachDatabase('refuses a hello that is none, and streams that are not for its API', async (database) => {
  await using world = await startAcme(database)
  const hello = (value: unknown) =>
    dialLink({
      dialler: tlsDialler({ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin }),
      hello: value,
      events: { onStream: (stream) => stream.destroy() },
    })
  for (const bad of [null, {}, { role: 'edge' }, { role: 'admin', version: 1 }])
    await assert.rejects(hello(bad), { code: 'refused' })
  await using edge = await FakeEdge.register(world, 'edge')
  const stream = edge.link.open({ protocol: 'shell' })
  const error = await new Promise((resolve) => stream.once('error', resolve))
  assert.ok(error instanceof LinkError && error.code === 'refused')
})

testOnEachDatabase('tells an edge whose credential it has', async (database) => {
  await using world = await startAcme(database)
  await using edge = await FakeEdge.register(world, 'edge')
  const agent = await verify(edge, world.key)
  assert.equal(agent.kind === 'key' && agent.slug, 'acme')
  const node = await world.panel.registerLocalNode('box')
  assert.deepEqual(await verify(edge, node.credential.reveal()), { kind: 'node', nodeId: node.nodeId })
  const expiring = await world.acme.createToken()
  await world.acme.revokeToken({ params: { id: expiring.id } })
  for (const credential of ['phk_wrong', '', expiring.token])
    await assert.rejects(verify(edge, credential), { code: 'unauthorized' })
})

testOnEachDatabase('keeps a name and a port for the workspace, the same each time it is asked', async (database) => {
  await using world = await startAcme(database)
  await using edge = await FakeEdge.register(world, 'edge')
  const agent = await verify(edge, world.key)
  const web = await claim(edge, agent, { kind: 'http', name: 'web' })
  assert.deepEqual(web.entrances[0], {
    kind: 'http',
    hosts: ['web.acme.tunnels.example.org', 'web-acme.tunnels.example.org'],
  })
  assert.equal(web.url, 'http://web.acme.tunnels.example.org:4680')
  assert.deepEqual(await claim(edge, agent, { kind: 'http', name: 'web' }), web)
  const game = await claim(edge, agent, { kind: 'tcp', name: 'game' })
  assert.deepEqual(
    [game.entrances, game.url],
    [[{ kind: 'tcp', port: 30_000, ports: 1 }], 'tcp://edge.example.org:30000'],
  )
  assert.deepEqual(await claim(edge, agent, { kind: 'tcp', name: 'game' }), game)
  const moved = await claim(edge, agent, { kind: 'tcp', name: 'game', port: 30_003 })
  assert.deepEqual([moved.tunnelId, moved.url], [game.tunnelId, 'tcp://edge.example.org:30003'])
  await edge.panel.reportOpenTunnels({
    body: [{ tunnelId: web.tunnelId, since: 1_780_000_000_000, agentAddress: '192.0.2.1', connections: 3 }],
  })
  const { tunnels } = await world.acme.tunnels()
  assert.deepEqual(
    tunnels
      .map(({ name, kind, url, open, connections, serverId }) => ({ name, kind, url, open, connections, serverId }))
      .sort((a, b) => a.name.localeCompare(b.name)),
    [
      { name: 'game', kind: 'tcp', url: 'tcp://edge.example.org:30003', open: false, connections: 0, serverId: null },
      { name: 'web', kind: 'http', url: web.url, open: true, connections: 3, serverId: null },
    ],
  )
})

testOnEachDatabase('refuses what is taken, out of range, of another kind, or not for this agent', async (database) => {
  await using world = await startAcme(database)
  await using edge = await FakeEdge.register(world, 'edge')
  const bob = await addMember(world, 'bob@example.com')
  await world.client(bob.key).createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
  const reply = await fetch(`${world.api}/tokens`, {
    method: 'POST',
    headers: { cookie: bob.cookie, origin: new URL(world.api).origin, 'x-pharos-workspace': 'bobs' },
  })
  const agent = await verify(edge, world.key)
  const other = await verify(edge, ((await reply.json()) as { token: string }).token)
  assert.ok(agent.kind === 'key' && other.kind === 'key')
  await claim(edge, agent, { kind: 'tcp', name: 'game', port: 30_001 })
  await claim(edge, agent, { kind: 'http', name: 'web' })
  const elsewhere = await claim(edge, other, { kind: 'http', name: 'web' })
  assert.equal(elsewhere.url, 'http://web.bobs.tunnels.example.org:4680')
  const node = { kind: 'node', nodeId: 'node_1' } as const
  for (const [who, request, code] of [
    [other, { kind: 'tcp', name: 'mine', port: 30_001 }, 'conflict'],
    [agent, { kind: 'tcp', name: 'low', port: 22 }, 'invalid_request'],
    [agent, { kind: 'tcp', name: 'web' }, 'conflict'],
    [agent, { kind: 'http', name: 'game' }, 'conflict'],
    [agent, { kind: 'http', name: 'Web' }, 'invalid_request'],
    [agent, { kind: 'allocation', allocation: 'alloc_1' }, 'forbidden'],
    [node, { kind: 'http', name: 'web' }, 'forbidden'],
    [node, { kind: 'allocation', allocation: 'alloc_1' }, 'not_found'],
    [{ ...agent, workspaceId: other.workspaceId }, { kind: 'http', name: 'mine' }, 'unauthorized'],
    [{ ...agent, keyId: 'tok_none' }, { kind: 'http', name: 'mine' }, 'unauthorized'],
  ] as const)
    await assert.rejects(claim(edge, who, request), { code }, JSON.stringify(request))
  for (let port = 0; port < 4; port++) await claim(edge, agent, { kind: 'tcp', name: `more-${port}` })
  await assert.rejects(claim(edge, agent, { kind: 'tcp', name: 'full' }), { code: 'conflict' })
})

testOnEachDatabase('gives a port to one of several that want it at the same moment', async (database) => {
  await using world = await startAcme(database)
  await using edge = await FakeEdge.register(world, 'edge')
  const agent = await verify(edge, world.key)
  const outcomes = await Promise.allSettled(
    ['a', 'b', 'c'].map((name) => claim(edge, agent, { kind: 'tcp', name, port: 30_002 })),
  )
  assert.deepEqual(
    outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : [])),
    ['conflict', 'conflict'],
  )
  const same = await Promise.all([1, 2, 3].map(() => claim(edge, agent, { kind: 'http', name: 'web' })))
  assert.equal(new Set(same.map(({ tunnelId }) => tunnelId)).size, 1)
})

testOnEachDatabase('opens a server’s port for the node that runs it, and for no other', async (database) => {
  await using world = await startAcme(database)
  await using edge = await FakeEdge.register(world, 'edge')
  const box = await world.panel.registerLocalNode('box')
  const other = await world.panel.registerLocalNode('other')
  const dialler = tlsDialler({ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin })
  await using node = new FakeNode({ dialler, credential: box.credential.reveal() })
  await node.connect()
  const lobby = await world.acme.createServer({ body: { name: 'My Lobby!', template: 'plain', node: box.nodeId } })
  assert.equal(lobby.address, 'edge.example.org:30000')
  const [tunnel] = (await world.acme.tunnels()).tunnels
  assert.deepEqual([tunnel?.serverId, tunnel?.open], [lobby.id, false])
  const { id: tunnelId, name } = tunnel ?? { id: '', name: '' }
  const request = { kind: 'allocation', allocation: lobby.allocations[0]?.id ?? '' } as const
  const grant = await claim(edge, { kind: 'node', nodeId: box.nodeId }, request)
  assert.deepEqual([grant.tunnelId, grant.url], [tunnelId, 'tcp://edge.example.org:30000'])
  await assert.rejects(claim(edge, { kind: 'node', nodeId: other.nodeId }, request), { code: 'not_found' })
  await assert.rejects(claim(edge, await verify(edge, world.key), { kind: 'tcp', name }), {
    code: 'conflict',
  })
  await assert.rejects(world.acme.deleteTunnel({ params: { tunnel: tunnelId } }), { code: 'conflict' })
  await world.database.kysely.updateTable('workspaces').set({ suspended_at: 1 }).execute()
  await assert.rejects(claim(edge, { kind: 'node', nodeId: box.nodeId }, request), { code: 'rate_limited' })
})

testOnEachDatabase('closes a tunnel for good: its port is free, its name keeps its usage', async (database) => {
  await using world = await startAcme(database)
  await using edge = await FakeEdge.register(world, 'edge')
  const agent = await verify(edge, world.key)
  const game = await claim(edge, agent, { kind: 'tcp', name: 'game', port: 30_004 })
  const bob = await addMember(world, 'bob@example.com')
  await world.client(bob.key).createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
  const foreign = await fetch(`${world.api}/tunnels/${game.tunnelId}`, {
    method: 'DELETE',
    headers: { cookie: bob.cookie, origin: new URL(world.api).origin, 'x-pharos-workspace': 'bobs' },
  })
  assert.equal(foreign.status, 404)
  const remove = (tunnel: string) => world.acme.deleteTunnel({ params: { tunnel } })
  assert.deepEqual(await remove('game'), { id: game.tunnelId, closed: true })
  for (const gone of ['game', game.tunnelId]) await assert.rejects(remove(gone), { code: 'not_found' })
  assert.deepEqual((await world.acme.tunnels()).tunnels, [])
  await eventually(
    () => edge.revoked.some((told) => told.of === 'tunnel' && told.tunnelId === game.tunnelId),
    'the edge is told',
  )
  await claim(edge, agent, { kind: 'tcp', name: 'other', port: 30_004 })
  const again = await claim(edge, agent, { kind: 'http', name: 'game' })
  assert.equal(again.tunnelId, game.tunnelId)
  assert.deepEqual(await remove(game.tunnelId), { id: game.tunnelId, closed: true })
})

testOnEachDatabase(
  'tells every edge at once whose key was revoked, who was removed, which node is gone',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    await using one = await FakeEdge.register(world, 'one')
    await using two = await FakeEdge.register(world, 'two')
    const told = (what: object, by = one) =>
      eventually(
        () => by.revoked.some((revocation) => JSON.stringify(revocation) === JSON.stringify(what)),
        JSON.stringify(what),
      )
    const { id } = await world.acme.createToken()
    await world.acme.revokeToken({ params: { id } })
    await told({ of: 'key', keyId: id })
    await told({ of: 'key', keyId: id }, two)
    const bob = await addMember(world, 'bob@example.com')
    const { tokens } = await world.acme.tokens()
    const bobs = tokens.find(({ createdBy }) => createdBy === 'bob@example.com')?.id ?? ''
    await world.acme.removeMember({ params: { member: bob.userId } })
    await told({ of: 'key', keyId: bobs })
    const { node } = await world.acme.createNode({ body: { name: 'box' } })
    await world.acme.deleteNode({ params: { node: node.id } })
    await told({ of: 'node', nodeId: node.id })
    const short = await world.acme.createToken({ body: { expiresAt: new Date(clock.now() + 60_000).toISOString() } })
    clock.advance(60_000)
    await told({ of: 'key', keyId: short.id })
    const { id: workspaceId } = await world.database.kysely
      .selectFrom('workspaces')
      .select('id')
      .executeTakeFirstOrThrow()
    await world.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { suspended: true } })
    await told({ of: 'workspace', workspaceId })
  },
)

testOnEachDatabase('ends the link of an edge that is removed, or comes back over another link', async (database) => {
  await using world = await startAcme(database)
  const { id, credential } = await world.acme.createEdge({ body: { name: 'edge' } })
  await using older = await FakeEdge.connect(world, id, credential)
  await using newer = await FakeEdge.connect(world, id, credential)
  await older.link.closed
  assert.equal((await verify(newer, world.key)).kind, 'key')
  assert.deepEqual(await world.acme.deleteEdge({ params: { edge: id } }), { id, removed: true })
  await newer.link.closed
  await assert.rejects(FakeEdge.connect(world, id, credential), { code: 'unauthorized' })
  await assert.rejects(world.acme.deleteEdge({ params: { edge: id } }), { code: 'not_found' })
})

testOnEachDatabase(
  'gives the edge of its own process a new credential each time; the one before stops working',
  async (database) => {
    await using world = await startAcme(database)
    const first = await world.panel.registerLocalEdge('local')
    await using edge = await FakeEdge.connect(world, first.edgeId, first.credential.reveal())
    const second = await world.panel.registerLocalEdge('local')
    assert.equal(second.edgeId, first.edgeId)
    await edge.link.closed
    await assert.rejects(FakeEdge.connect(world, first.edgeId, first.credential.reveal()), { code: 'unauthorized' })
    await using again = await FakeEdge.connect(world, second.edgeId, second.credential.reveal())
    assert.equal((await verify(again, world.key)).kind, 'key')
  },
)

testOnPostgres('tells edges what another panel on the same database has revoked', async (database) => {
  await using world = await startAcme(database)
  await using second: PanelWorld = await startPanelWorld(database, { beside: world })
  await using edge = await FakeEdge.register(second, 'edge')
  const { id, token } = await world.acme.createToken()
  assert.equal((await second.client(token).workspace()).slug, 'acme')
  await world.acme.revokeToken({ params: { id } })
  await eventually(() => edge.revoked.some((told) => told.of === 'key' && told.keyId === id), 'the edge is told')
  await assert.rejects(second.client(token).workspace(), { code: 'unauthorized' })
})
