import assert from 'node:assert/strict'
import { testOnEachDatabase } from '../databases.ts'
import { FakeEdge } from '../world/fake-edge.ts'
import { eventually, startAcme } from '../world/panel.ts'

testOnEachDatabase(
  'an edge that does not know rules is refused tunnels that have them, and told to cut whom it cannot warn',
  async (database) => {
    await using world = await startAcme(database)
    await using older = await FakeEdge.register(world, 'older')
    await using newer = await FakeEdge.register(world, 'newer', { understands: ['access', 'warning'] })
    const agent = await older.panel.verifyAgent({ body: { credential: world.key, address: '192.0.2.1' } })
    const claim = (edge: FakeEdge) => edge.panel.claimTunnel({ body: { agent, tunnel: { kind: 'http', name: 'web' } } })
    const { tunnelId } = await claim(older)
    const params = { tunnel: tunnelId }

    await world.acme.putAccessUser({ params: { ...params, user: 'ada' }, body: { password: 'correct horse' } })
    await assert.rejects(claim(older), { code: 'rate_limited', message: /too old for tunnel web.*Upgrade the edge/ })
    const { settings } = await claim(newer)
    const [user] = settings?.access?.basic?.users ?? []
    assert.equal(user?.name, 'ada')
    assert.match(user?.hash ?? '', /^\$argon2id\$/)

    // What is kept of requests keeps nobody out: an older edge serves without it.
    await world.acme.updateTunnelAccess({ params, body: { basic: null } })
    assert.equal((await claim(older)).settings, undefined)

    await world.acme.putPlan({ params: { plan: 'standard' }, body: { warnsVisitors: true } })
    await eventually(() => older.revoked.some(({ of }) => of === 'workspace'), 'the older edge cuts the workspace')
    await eventually(
      () => newer.limits.get(agent.kind === 'key' ? agent.workspaceId : '')?.warningKey,
      'the newer edge warns',
    )
    await assert.rejects(claim(older), { code: 'rate_limited' })
    const { limits } = await claim(newer)
    assert.equal(limits?.warningKey?.length, 43)
  },
)
