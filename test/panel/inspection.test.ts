import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { addMember, startAcme } from '../world/panel.ts'
import { joinFakeNode } from '../world/panel-node.ts'

test('who is connected to the port of a server is for those who may see its ports, and cutting for those who may change them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-inspection-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await using world = await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') })
  await using _node = await joinFakeNode(world.acme)
  const { id } = await world.acme.createServer({ body: { name: 'Lobby', template: 'plain', start: false } })
  const serverId = id.slice('servers/'.length)
  const [allocation] = (await world.acme.allocations({ params: { serverId } })).allocations
  const workspace = await world.database.kysely.selectFrom('workspaces').select('id').executeTakeFirstOrThrow()
  const tunnel = 'tun_of_the_server'
  const row = { id: tunnel, workspace_id: workspace.id, name: 'lobby', kind: 'allocation', edge_port: 30_000 } as const
  const rest = { port_count: 1, entrance: null, allocation_id: allocation?.id ?? '', created_at: 1, deleted_at: null }
  await world.database.kysely
    .insertInto('tunnels')
    .values({ ...row, ...rest })
    .execute()

  const params = { tunnel, connection: 'edge_missing.x', request: 'edge_missing.x' }
  const nobody = { connections: [], total: 0, complete: true }
  assert.deepEqual(await world.acme.tunnelConnections({ params }), nobody)
  const bob = await addMember(world, 'bob@example.com')
  const asBob = world.client(bob.key)
  const asks = [
    () => asBob.tunnelConnections({ params }),
    () => asBob.tunnelRequests({ params }),
    () => asBob.tunnelRequest({ params }),
    () => asBob.tunnelCapture({ params }),
    () => asBob.replayTunnelRequest({ params, body: {} }),
    () => asBob.cutTunnelConnection({ params }),
  ]
  for (const ask of asks) await assert.rejects(ask, { code: 'not_found', message: `Tunnel ${tunnel} not found` })
  const { userId: subuser } = await world.acme.createSubuser({
    params: { serverId },
    body: { userEmail: 'bob@example.com', permissions: ['console.read'] },
  })
  for (const ask of asks) await assert.rejects(ask, { code: 'forbidden', message: /network\./ })
  await world.acme.updateSubuser({ params: { serverId, subuser }, body: { permissions: ['network.read'] } })
  assert.deepEqual(await asBob.tunnelConnections({ params }), nobody)
  for (const ask of asks.slice(-2)) await assert.rejects(ask, { code: 'forbidden', message: /network\.update/ })
  await world.acme.updateSubuser({
    params: { serverId, subuser },
    body: { permissions: ['network.read', 'network.update'] },
  })
  for (const ask of asks.slice(-2)) await assert.rejects(ask, { code: 'not_found', message: /its edge is away/ })
})
