import assert from 'node:assert/strict'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { dialLink } from '../../src/link/index.ts'
import { testOnEachDatabase } from '../databases.ts'
import { keyOf, startServersWorld, until } from '../world/servers-world.ts'

testOnEachDatabase('a server lives: made, started, listed, shared, watched, deleted', async (config) => {
  await using world = await startServersWorld(config)
  const workspaceId = await world.workspace('acme')
  const ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  const bob = await world.person('bob@example.com', { workspaceId, role: 'member' })
  const node = await world.node(ada, { name: 'one' })
  const { id, createdAt } = await ada.api.createServer({
    body: { name: 'Lobby', template: 'paper', resources: { cpu: 0.5 } },
  })
  const params = { serverId: keyOf(id) }
  await until('running', async () => (await ada.api.server({ params })).status === 'running')
  assert.deepEqual(
    (await ada.api.servers()).map(({ address, ...rest }) => rest),
    [{ id, name: 'Lobby', status: 'running', memory: 1024, disk: 2048, cpu: 0.5, template: 'paper', createdAt }],
  )
  assert.deepEqual(await bob.api.servers(), [])
  await ada.api.createSubuser({ params, body: { userEmail: 'bob@example.com', permissions: ['console.read'] } })
  assert.equal((await bob.api.servers()).length, 1)
  const socket = await bob.watch(keyOf(id))
  for await (const event of socket) if (event.type === 'console') break
  socket.close()
  await ada.api.updateServer({ params, body: { name: 'Renamed', restartOnCrash: false } })
  assert.equal(node.servers.get(keyOf(id))?.spec.name, 'Renamed')
  assert.equal((await ada.api.node({ params: { node: node.id } })).servers, 1)
  await ada.api.deleteServer({ params })
  assert.deepEqual(await ada.api.servers(), [])
  for (const table of ['servers', 'allocations', 'subusers'] as const)
    assert.deepEqual(await world.db.kysely.selectFrom(table).selectAll().execute(), [])
})

testOnEachDatabase('creations that race for ports get each another one, and no more than there are', async (config) => {
  await using world = await startServersWorld(config)
  const workspaceId = await world.workspace('acme')
  const ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  await world.node(ada, { name: 'small', ports: { first: 4000, last: 4003 } })
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, () => ada.api.createServer({ body: { name: 'Race', template: 'paper' } })),
  )
  const made = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value)
  assert.deepEqual(made.map(({ allocations }) => allocations[0]?.local).sort(), [4000, 4001, 4002, 4003])
  assert.equal(new Set(made.map(({ address }) => address)).size, 4)
  for (const result of results)
    if (result.status === 'rejected') assert.match(result.reason.message, /No port is free on small/)
})

testOnEachDatabase('creations that race for memory never promise more than there is', async (config) => {
  await using world = await startServersWorld(config)
  const workspaceId = await world.workspace('acme')
  const ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  await world.node(ada, { name: 'tight', memoryMib: 2500 })
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, () => ada.api.createServer({ body: { name: 'Race', template: 'paper' } })),
  )
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 2)
})

testOnEachDatabase('one join token lets one machine in, however many show it at once', async (config) => {
  await using world = await startServersWorld(config)
  const workspaceId = await world.workspace('acme')
  const ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  const { joinToken } = await ada.api.createNode({ body: { name: 'raced' } })
  const { secret } = decodeJoinToken(joinToken)
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, () =>
      dialLink({
        dialler: world.dialler,
        hello: { role: 'join', version: 1, secret, software: 'fake' },
        events: { onStream: (stream) => stream.destroy() },
      }),
    ),
  )
  const links = results.filter((result) => result.status === 'fulfilled')
  assert.equal(links.length, 1)
  for (const { value } of links) value.close('done')
})

testOnEachDatabase(
  'deleting twice at once succeeds once, and nodes are chosen by the memory they have left',
  async (config) => {
    await using world = await startServersWorld(config)
    const workspaceId = await world.workspace('acme')
    const ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
    await world.node(ada, { name: 'big', memoryMib: 4096 })
    await world.node(ada, { name: 'bigger', memoryMib: 5000 })
    const where: string[] = []
    const made: string[] = []
    for (let n = 0; n < 4; n += 1) {
      const server = await ada.api.createServer({ body: { name: `S${n}`, template: 'paper' } })
      where.push(server.node.name)
      made.push(keyOf(server.id))
    }
    assert.deepEqual(where, ['bigger', 'big', 'bigger', 'big'])
    const params = { serverId: made[0] ?? '' }
    const results = await Promise.allSettled([ada.api.deleteServer({ params }), ada.api.deleteServer({ params })])
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  },
)

testOnEachDatabase('panels that share a database show and obey the same', async (config, t) => {
  if (config.kind === 'sqlite') {
    t.skip('one panel alone uses an SQLite file')
    return
  }
  await using first = await startServersWorld(config)
  await using second = await startServersWorld(config)
  const workspaceId = await first.workspace('acme')
  const ada = await first.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  const there = second.seenBy(ada)
  const node = await first.node(ada, { name: 'one' })
  await node.connect(second.dialler)
  const { id } = await ada.api.createServer({ body: { name: 'Everywhere', template: 'paper' } })
  const params = { serverId: keyOf(id) }
  await until('running on both', async () => (await there.api.server({ params })).status === 'running')
  const socket = await there.watch(keyOf(id))
  const seen: string[] = []
  const ended = (async () => {
    for await (const event of socket) seen.push(event.type)
  })()
  await until('live', () => seen.includes('console'))
  await there.api.power({ params, body: { action: 'stop' } })
  await until('offline on both', async () => (await ada.api.server({ params })).status === 'offline')
  await ada.api.deleteServer({ params })
  await ended
  assert.ok(seen.includes('deleted'))
  assert.deepEqual(await there.api.servers(), [])
  assert.equal(node.servers.size, 0)
})
