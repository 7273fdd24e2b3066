import assert from 'node:assert/strict'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { FakeEdge } from '../../../test/world/fake-edge.ts'
import { addMember, MovableClock, startAcme } from '../../../test/world/panel.ts'

const dayMs = 86_400_000
const none = { bytesIn: 0, bytesOut: 0, connections: 0, requests: 0 }

async function startTunnels(
  database: Parameters<typeof startAcme>[0],
  clock = new MovableClock(Date.UTC(2026, 5, 3, 9, 30)),
) {
  const world = await startAcme(database, { clock })
  const edge = await FakeEdge.register(world, 'edge')
  const agent = await edge.panel.verifyAgent({ body: { credential: world.key, address: '192.0.2.1' } })
  const claim = (tunnel: Parameters<typeof edge.panel.claimTunnel>[0]['body']['tunnel']) =>
    edge.panel.claimTunnel({ body: { agent, tunnel } })
  const web = await claim({ kind: 'http', name: 'web' })
  const game = await claim({ kind: 'tcp', name: 'game' })
  const close = world[Symbol.asyncDispose]
  return {
    ...world,
    clock,
    edge,
    web,
    game,
    today: Date.UTC(2026, 5, 3),
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]()
      await close()
    },
  }
}

testOnEachDatabase('answers with zeros before anything was counted', async (database) => {
  await using world = await startAcme(database)
  assert.deepEqual(await world.acme.usage(), {
    totalBytes: 0,
    peakTunnels: 0,
    eventCount: 0,
    lastSeen: null,
    ...none,
    series: [],
    tunnels: [],
  })
})

testOnEachDatabase('adds up what edges report, with the fields and the days of the API document', async (database) => {
  await using world = await startTunnels(database)
  const { web, game, today, clock } = world
  const counter = (grant: typeof web, day: number, counts: Partial<typeof none>, lastSeen = clock.now()) => ({
    tunnelId: grant.tunnelId,
    workspaceId: grant.workspaceId,
    day,
    ...none,
    ...counts,
    lastSeen,
  })
  const report = {
    epoch: 'e1',
    counters: [
      counter(web, today, { bytesIn: 10, bytesOut: 20, connections: 2, requests: 5 }),
      counter(game, today, { bytesIn: 100, bytesOut: 200, connections: 3 }),
      counter(web, today - dayMs, { bytesIn: 1, requests: 1, connections: 1 }, clock.now() - dayMs),
    ],
    peaks: [
      { workspaceId: web.workspaceId, day: today, peakTunnels: 2 },
      { workspaceId: web.workspaceId, day: today - dayMs, peakTunnels: 4 },
    ],
  }
  assert.deepEqual(await world.edge.panel.reportUsage({ body: report }), { accepted: 3, rejected: [] })
  const usage = await world.acme.usage()
  assert.deepEqual(usage, {
    totalBytes: 331,
    peakTunnels: 4,
    eventCount: 9,
    lastSeen: '2026-06-03T09:30:00.000Z',
    bytesIn: 111,
    bytesOut: 220,
    connections: 6,
    requests: 6,
    series: [
      { day: '2026-06-02T00:00:00.000Z', bytes: 1, peakTunnels: 4, ...none, bytesIn: 1, connections: 1, requests: 1 },
      {
        day: '2026-06-03T00:00:00.000Z',
        bytes: 330,
        peakTunnels: 2,
        bytesIn: 110,
        bytesOut: 220,
        connections: 5,
        requests: 5,
      },
    ],
    tunnels: [
      { id: game.tunnelId, name: 'game', bytes: 300, bytesIn: 100, bytesOut: 200, connections: 3, requests: 0 },
      { id: web.tunnelId, name: 'web', bytes: 31, bytesIn: 11, bytesOut: 20, connections: 3, requests: 6 },
    ],
  })
  const oneDay = await world.acme.usage({ query: { days: '1' } })
  assert.deepEqual([oneDay.totalBytes, oneDay.series.length, oneDay.peakTunnels], [330, 1, 2])
  clock.advance(29 * dayMs)
  assert.equal((await world.acme.usage()).totalBytes, 330)
  clock.advance(dayMs)
  assert.deepEqual((await world.acme.usage()).series, [])
  assert.equal((await world.acme.usage({ query: { days: '365' } })).totalBytes, 331)
})

testOnEachDatabase(
  'counts a repeated, late or reordered report once, and a new epoch in addition',
  async (database) => {
    await using world = await startTunnels(database)
    const { web, today, clock } = world
    const report = (epoch: string, bytesIn: number) =>
      world.edge.panel.reportUsage({
        body: {
          epoch,
          counters: [
            {
              tunnelId: web.tunnelId,
              workspaceId: web.workspaceId,
              day: today,
              ...none,
              bytesIn,
              lastSeen: clock.now(),
            },
          ],
          peaks: [{ workspaceId: web.workspaceId, day: today, peakTunnels: bytesIn }],
        },
      })
    await Promise.all([report('a', 5), report('a', 9), report('a', 7)])
    await report('a', 9)
    await report('a', 2)
    assert.equal((await world.acme.usage()).totalBytes, 9)
    await report('b', 3)
    const usage = await world.acme.usage()
    assert.deepEqual([usage.totalBytes, usage.peakTunnels], [12, 9])
  },
)

testOnEachDatabase(
  'sets aside counters of unknown or foreign tunnels, and of days that are none or not yet',
  async (database) => {
    await using world = await startTunnels(database)
    const { web, today, clock } = world
    const bob = await addMember(world, 'bob@example.com')
    await world.client(bob.key).createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
    const { id } = await world.database.kysely
      .selectFrom('workspaces')
      .select('id')
      .where('slug', '=', 'bobs')
      .executeTakeFirstOrThrow()
    const good = {
      tunnelId: web.tunnelId,
      workspaceId: web.workspaceId,
      day: today,
      ...none,
      bytesIn: 1,
      lastSeen: clock.now() + 9 * dayMs,
    }
    const report = (counter: typeof good) =>
      world.edge.panel.reportUsage({
        body: {
          epoch: 'e',
          counters: [counter, good, good],
          peaks: [{ workspaceId: 'wsp_none', day: today, peakTunnels: 9 }],
        },
      })
    for (const bad of [
      { tunnelId: 'tun_none' },
      { workspaceId: id },
      { day: today + 1 },
      { day: today + 2 * dayMs },
      { day: -dayMs },
    ]) {
      const { accepted, rejected } = await report({ ...good, ...bad })
      assert.deepEqual([accepted, rejected], [2, [bad.tunnelId ?? web.tunnelId]])
    }
    const usage = await world.acme.usage()
    assert.equal(usage.totalBytes, 1)
    assert.equal(usage.lastSeen, new Date(clock.now()).toISOString(), 'never in the future')
    const foreign = await fetch(`${world.api}/usage`, { headers: { cookie: bob.cookie, 'x-pharos-workspace': 'bobs' } })
    assert.equal(((await foreign.json()) as { totalBytes: number }).totalBytes, 0)
  },
)

testOnEachDatabase('refuses a number of days that is none from 1 to 365', async (database) => {
  await using world = await startAcme(database)
  for (const days of ['0', '366', '-1', '1.5', 'x', '', '1e2', '9'.repeat(30)]) {
    const reply = await fetch(`${world.api}/usage?days=${days}`, { headers: { authorization: `Bearer ${world.key}` } })
    const body = (await reply.json()) as { error: string; details: { where: string }[] }
    assert.equal(reply.status, 400, days)
    assert.deepEqual([body.error, body.details[0]?.where], ['invalid_request', 'query.days'])
  }
})
