import assert from 'node:assert/strict'
import type { AgentIdentity } from '../../src/contract/edge.ts'
import type { TunnelRequest } from '../../src/contract/tunnel.ts'
import { testOnEachDatabase } from '../databases.ts'
import { FakeEdge } from '../world/fake-edge.ts'
import { addMember, eventually, MovableClock, startAcme } from '../world/panel.ts'

/** What edges and agents may make a panel believe: the rows of the list of attacks on tunnels that it decides. */

const dayMs = 86_400_000

/** A panel with an edge, the key's agent of acme, and one of a workspace of strangers. */
async function tenants(database: Parameters<typeof startAcme>[0], clock = new MovableClock(Date.UTC(2026, 5, 3, 9))) {
  const world = await startAcme(database, { clock })
  const edge = await FakeEdge.register(world, 'edge')
  const verify = (credential: string) => edge.panel.verifyAgent({ body: { credential, address: '192.0.2.1' } })
  const bob = await addMember(world, 'bob@example.com')
  await world.client(bob.key).createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
  const reply = await fetch(`${world.api}/tokens`, {
    method: 'POST',
    headers: { cookie: bob.cookie, origin: new URL(world.api).origin, 'x-pharos-workspace': 'bobs' },
  })
  const bobsKey = ((await reply.json()) as { token: string }).token
  const close = world[Symbol.asyncDispose]
  return {
    ...world,
    clock,
    edge,
    verify,
    agent: await verify(world.key),
    stranger: await verify(bobsKey),
    strangersKey: bobsKey,
    claim: (agent: AgentIdentity, tunnel: TunnelRequest, by = edge) =>
      by.panel.claimTunnel({ body: { agent, tunnel } }),
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]()
      await close()
    },
  }
}

const counterOf = (
  grant: { tunnelId: string; workspaceId: string },
  clock: MovableClock,
  counts: Partial<Record<'bytesIn' | 'bytesOut' | 'connections' | 'requests', number>>,
) => ({
  tunnelId: grant.tunnelId,
  workspaceId: grant.workspaceId,
  day: clock.now() - (clock.now() % dayMs),
  bytesIn: 0,
  bytesOut: 0,
  connections: 0,
  requests: 0,
  ...counts,
  lastSeen: clock.now(),
})

testOnEachDatabase(
  'a port that was given up is nobody else’s for thirty days, and its workspace’s again at once (S15)',
  async (database) => {
    await using world = await tenants(database)
    const { agent, stranger, claim, clock } = world
    const mine = await claim(agent, { kind: 'tcp', name: 'game', port: 30_002 })
    await world.acme.deleteTunnel({ params: { tunnel: mine.tunnelId } })
    await assert.rejects(claim(stranger, { kind: 'tcp', name: 'trap', port: 30_002 }), { code: 'conflict' })
    await assert.rejects(claim(stranger, { kind: 'udp', name: 'trap', port: 30_002 }), { code: 'conflict' })
    await assert.rejects(claim(stranger, { kind: 'tcp', name: 'trap', port: 30_001, ports: 2 }), { code: 'conflict' })
    const offered = await claim(stranger, { kind: 'tcp', name: 'trap' })
    assert.notEqual(offered.url, mine.url)
    const back = await claim(agent, { kind: 'tcp', name: 'game' })
    assert.deepEqual([back.url, back.tunnelId], [mine.url, mine.tunnelId])
    await world.acme.deleteTunnel({ params: { tunnel: back.tunnelId } })
    clock.advance(30 * dayMs - 1)
    await assert.rejects(claim(stranger, { kind: 'tcp', name: 'late', port: 30_002 }), { code: 'conflict' })
    clock.advance(1)
    assert.equal((await claim(stranger, { kind: 'tcp', name: 'late', port: 30_002 })).url, mine.url)
  },
)

testOnEachDatabase('one number is one tunnel’s for TCP and UDP, and no range overlaps another', async (database) => {
  await using world = await tenants(database)
  const { agent, stranger, claim } = world
  await claim(agent, { kind: 'udp', name: 'voice', port: 30_001, ports: 3 })
  for (const request of [
    { kind: 'tcp', name: 'a', port: 30_003 },
    { kind: 'tcp+udp', name: 'a', port: 30_002 },
    { kind: 'udp', name: 'a', port: 30_000, ports: 2 },
    { kind: 'tcp', name: 'a', ports: 2 },
  ] as const)
    await assert.rejects(claim(stranger, request), { code: 'conflict' }, JSON.stringify(request))
  await assert.rejects(claim(stranger, { kind: 'tcp', name: 'a', port: 30_004, ports: 2 }), { code: 'invalid_request' })
  const left = [await claim(stranger, { kind: 'tcp', name: 'a' }), await claim(stranger, { kind: 'tcp', name: 'b' })]
  assert.deepEqual(
    left.map(({ url }) => url),
    ['tcp://edge.example.org:30000', 'tcp://edge.example.org:30004'],
  )
})

testOnEachDatabase('an edge’s word counts only for tunnels that it was given (S23)', async (database) => {
  await using world = await tenants(database)
  const { agent, claim, clock } = world
  const web = await claim(agent, { kind: 'http', name: 'web' })
  await using thief = await FakeEdge.register(world, 'thief')
  const report = { epoch: 'e1', counters: [counterOf(web, clock, { bytesOut: 1_000_000 })], peaks: [] }
  assert.deepEqual(await thief.panel.reportUsage({ body: report }), { accepted: 0, rejected: [web.tunnelId] })
  assert.equal((await world.acme.usage()).totalBytes, 0)
  await claim(agent, { kind: 'http', name: 'web' }, thief)
  assert.deepEqual(await thief.panel.reportUsage({ body: report }), { accepted: 1, rejected: [] })
  assert.equal((await world.acme.usage()).totalBytes, 1_000_000)
})

testOnEachDatabase('a record that cannot be kept is set aside alone (S14)', async (database) => {
  await using world = await tenants(database)
  const { agent, claim, clock, edge } = world
  const web = await claim(agent, { kind: 'http', name: 'web' })
  const good = counterOf(web, clock, { bytesIn: 7 })
  const bad = [
    { ...good, tunnelId: 'tun_\u0000' },
    { ...good, tunnelId: '\ud800' },
    { ...good, tunnelId: 'x'.repeat(8192) },
    { ...good, workspaceId: 'ws\u0000' },
    { ...good, bytesIn: 2 ** 60 },
    { ...good, bytesIn: -1 },
    { ...good, day: 0.5 },
    { ...good, extra: true },
    'text',
    null,
  ]
  const peaks = [{ workspaceId: 'ws\u0000', day: good.day, peakTunnels: 1 }, 5]
  const reply = await edge.panel.reportUsage({ body: { epoch: 'e1', counters: [...bad, good], peaks } })
  assert.equal(reply.accepted, 1)
  assert.equal((await world.acme.usage()).totalBytes, 7)
})

testOnEachDatabase('nobody opens a tunnel without being somebody (S24)', async (database) => {
  await using world = await tenants(database)
  for (const credential of ['', 'phk_nothing', 'undefined', `${world.key}x`, world.key.slice(0, -1)])
    await assert.rejects(world.verify(credential), { code: 'unauthorized' }, credential)
  for (const agent of [
    { kind: 'key', keyId: 'tok_none', workspaceId: 'ws_none', slug: 'acme' },
    { ...world.stranger, workspaceId: (world.agent as { workspaceId: string }).workspaceId },
  ] as AgentIdentity[])
    await assert.rejects(world.claim(agent, { kind: 'http', name: 'web' }), { code: 'unauthorized' })
})

testOnEachDatabase(
  'a suspended workspace opens nothing, and does again with the same key once it is let back (S19)',
  async (database) => {
    await using world = await tenants(database)
    const { stranger, strangersKey, edge, claim } = world
    const { workspaceId } = await claim(stranger, { kind: 'http', name: 'web' })
    const suspend = (suspended: boolean) =>
      world.acme.putWorkspacePlan({ params: { slug: 'bobs' }, body: { suspended } })
    await suspend(true)
    await eventually(
      () => edge.revoked.some((told) => told.of === 'workspace' && told.workspaceId === workspaceId),
      'the edge is told to cut it off',
    )
    // For now: agents of a suspended workspace go on asking, those of a revoked key do not.
    await assert.rejects(world.verify(strangersKey), { code: 'rate_limited', message: /bobs is suspended/ })
    await assert.rejects(claim(stranger, { kind: 'http', name: 'web' }), { code: 'rate_limited' })
    await claim(world.agent, { kind: 'http', name: 'web' })
    await suspend(false)
    assert.deepEqual(await world.verify(strangersKey), stranger)
    await claim(stranger, { kind: 'http', name: 'web' })
  },
)

testOnEachDatabase(
  'a workspace that has used up its month is over quota on every edge until the month or the plan changes',
  async (database) => {
    await using world = await tenants(database)
    const { agent, claim, clock, edge } = world
    await using other = await FakeEdge.register(world, 'other')
    const web = await claim(agent, { kind: 'http', name: 'web' })
    const report = (bytesIn: number) =>
      edge.panel.reportUsage({ body: { epoch: 'e1', counters: [counterOf(web, clock, { bytesIn })], peaks: [] } })
    const told = (overQuota: boolean, by: FakeEdge) =>
      eventually(() => by.limits.get(web.workspaceId)?.overQuota === overQuota, `over quota: ${overQuota}`)
    await world.acme.putPlan({ params: { plan: 'standard' }, body: { bytesPerMonth: 1000, connections: 5 } })
    await told(false, edge)
    await report(999)
    await report(1000)
    for (const one of [edge, other]) await told(true, one)
    assert.deepEqual((await claim(agent, { kind: 'http', name: 'web' })).limits, {
      connections: 5,
      bytesPerSecond: null,
      overQuota: true,
    })
    await world.acme.putPlan({ params: { plan: 'standard' }, body: { bytesPerMonth: 2000 } })
    for (const one of [edge, other]) await told(false, one)
    await report(2000)
    await told(true, other)
    clock.advance(28 * dayMs)
    await report(1)
    for (const one of [edge, other]) await told(false, one)
    const plans = (await world.acme.plans()).plans.map(({ name, bytesPerMonth }) => [name, bytesPerMonth])
    assert.deepEqual(plans, [
      ['standard', 2000],
      ['enterprise', null],
    ])
  },
)

testOnEachDatabase('a plan’s number of tunnels holds for names, and takes none away', async (database) => {
  await using world = await tenants(database)
  const { agent, claim } = world
  for (const name of ['a', 'b']) await claim(agent, { kind: 'http', name })
  await world.acme.putPlan({ params: { plan: 'standard' }, body: { tunnels: 1 } })
  await assert.rejects(claim(agent, { kind: 'http', name: 'c' }), { code: 'forbidden' })
  await claim(agent, { kind: 'http', name: 'b' })
})

testOnEachDatabase('edges learn of the others of their region, and a draining one is not listed', async (database) => {
  await using world = await tenants(database)
  await using second = await FakeEdge.register(world, 'second', { host: 'second.example.org' })
  await using far = await FakeEdge.register(world, 'far', { host: 'far.example.org', region: 'far' })
  const hosts = (edge: FakeEdge) =>
    edge.edges
      .map(({ host }) => host)
      .sort()
      .join(' ')
  for (const edge of [world.edge, second])
    await eventually(() => hosts(edge) === 'edge.example.org second.example.org', 'both of the region')
  await eventually(() => hosts(far) === 'far.example.org', 'the other region')
  await second.panel.drain({ body: {} })
  await eventually(() => hosts(world.edge) === 'edge.example.org', 'the draining one is gone')
  const listed = (await world.acme.edges()).edges.map(({ host }) => host)
  assert.deepEqual(listed.sort(), ['edge.example.org', 'far.example.org'])
})
