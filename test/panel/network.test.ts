import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type DatabaseConfig, isUniqueViolation } from '../../src/panel/db/index.ts'
import { testOnEachDatabase } from '../databases.ts'
import { refused } from '../refused.ts'
import {
  type JoinedFake,
  keyOf,
  type Person,
  type ServersWorld,
  startServersWorld,
  until,
} from '../world/servers-world.ts'

let world: ServersWorld
let workspaceId: string
let ada: Person
let node: JoinedFake
before(async () => {
  world = await startServersWorld()
  workspaceId = await world.workspace('acme')
  ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
})
after(() => world[Symbol.asyncDispose]())

const create = async (name: string, on = node.id) => {
  const { id } = await ada.api.createServer({ body: { name, template: 'paper', start: false, node: on } })
  const params = { serverId: keyOf(id) }
  await until('installed', async () => (await ada.api.server({ params })).status === 'offline')
  return params
}
const ports = async (params: { serverId: string }) => (await ada.api.allocations({ params })).allocations
const specPorts = (params: { serverId: string }, on = node) =>
  on.servers.get(params.serverId)?.spec.allocations.map(({ port }) => port)
const setLimit = (params: { serverId: string }, limit: number) =>
  world.db.kysely.updateTable('servers').set({ allocation_limit: limit }).where('id', '=', params.serverId).execute()

describe('adding a port', () => {
  test('answers as the document does, without a body too, and the node gets it', async () => {
    const params = await create('More')
    const reply = await fetch(`${world.baseUrl}/servers/${params.serverId}/network/allocations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ada.token}`, 'content-type': 'application/json' },
    })
    assert.equal(reply.status, 200)
    const { success, data } = (await reply.json()) as { success: boolean; data: Record<string, unknown> }
    assert.equal(success, true)
    assert.equal(data.message, 'Allocation added')
    const [primary, second] = await ports(params)
    assert.equal(data.allocationId, second?.id)
    assert.deepEqual(
      { ...second, id: '', port: 0, local: 0 },
      { id: '', ip: 'play.example.org', port: 0, primary: false, notes: null, local: 0 },
    )
    assert.deepEqual(specPorts(params), [primary?.local, second?.local])
  })
  test('passes over a port that some other program of the machine uses', async () => {
    const params = await create('Careful')
    const last = Math.max(
      ...(await world.db.kysely.selectFrom('allocations').select('port').execute()).map((row) => row.port),
    )
    node.foreignPorts.add(last + 1)
    const { allocation } = await ada.api.createAllocation({ params })
    assert.equal(allocation.local, last + 2)
    node.foreignPorts.clear()
  })
  test('reserves a port of an edge where the node has no public address, and gives it up again', async () => {
    const behind = await world.node(ada, { name: 'behind', ports: { first: 7000, last: 7010 } })
    const params = await create('Tunnelled', behind.id)
    const { allocation } = await ada.api.createAllocation({ params, body: { notes: 'voice' } })
    assert.equal(allocation.ip, 'edge.test')
    assert.ok(allocation.port >= 31_000 && allocation.port <= 31_099)
    assert.equal(allocation.local, 7001)
    assert.ok(behind.servers.get(params.serverId)?.spec.allocations.every(({ tunnel }) => tunnel))
    const standing = () =>
      world.db.kysely.selectFrom('tunnels').select('id').where('allocation_id', '=', allocation.id).execute()
    assert.equal((await standing()).length, 1)
    const closed: string[] = []
    const stop = world.changes.on((change) => change.of === 'tunnel' && closed.push(change.id))
    await ada.api.deleteAllocation({ params: { ...params, allocation: allocation.id } })
    stop()
    assert.equal(closed.length, 1)
    assert.equal((await standing()).length, 0)
    assert.deepEqual(specPorts(params, behind), [7000])
    await behind.leave()
  })
  test('is refused at the limit of the server, which the message names', async () => {
    const params = await create('Full')
    await setLimit(params, 2)
    await ada.api.createAllocation({ params })
    await assert.rejects(
      ada.api.createAllocation({ params }),
      refused('conflict', /Full has 2 ports and may have 2\. Remove one/),
    )
    assert.equal((await ports(params)).length, 2)
  })
  test('is refused where the pool of the node is empty, in words', async () => {
    const small = await world.node(ada, { name: 'tiny', publicAddress: 't.test', ports: { first: 7100, last: 7101 } })
    const params = await create('Crowded', small.id)
    small.foreignPorts.add(7101)
    await assert.rejects(
      ada.api.createAllocation({ params }),
      refused('conflict', /No port is free on node tiny \(7100 to 7101\)/),
    )
    small.foreignPorts.clear()
    await ada.api.createAllocation({ params })
    await assert.rejects(ada.api.createAllocation({ params }), refused('conflict', /No port is free on node tiny/))
    await small.leave()
  })
  test('works while the node is away, which learns it when it comes back', async () => {
    const fickle = await world.node(ada, {
      name: 'fickle',
      publicAddress: 'f.test',
      ports: { first: 7200, last: 7210 },
    })
    const params = await create('Patient', fickle.id)
    await fickle.leave()
    await until('away', async () => (await ada.api.server({ params })).status === 'unknown')
    await ada.api.createAllocation({ params })
    await fickle.connect()
    await until('told', () => specPorts(params, fickle)?.length === 2)
    await fickle.leave()
  })
})

describe('notes', () => {
  test('are kept, shown, and removed by the empty string', async () => {
    const params = await create('Noted')
    const [{ id, port } = { id: '', port: 0 }] = await ports(params)
    const note = (body?: { notes?: string }) =>
      ada.api.updateAllocation({ params: { ...params, allocation: id }, ...(body ? { body } : {}) })
    assert.deepEqual(await note({ notes: ' Main <b>port</b> ' }), { port, notes: 'Main <b>port</b>' })
    assert.equal((await ports(params))[0]?.notes, 'Main <b>port</b>')
    assert.equal((await ada.api.server({ params })).allocations[0]?.notes, 'Main <b>port</b>')
    assert.deepEqual(await note(), { port, notes: 'Main <b>port</b>' })
    assert.deepEqual(await note({ notes: '' }), { port, notes: null })
  })
  for (const [what, notes] of [
    ['more than 255 characters', 'x'.repeat(256)],
    ['a line break', 'a\nb'],
    ['an escape sequence', '\u001b[31mred'],
  ] as const)
    test(`with ${what} are refused`, async () => {
      const [params] = [{ serverId: (await create('Bad')).serverId }]
      const [allocation] = await ports(params)
      await assert.rejects(
        ada.api.updateAllocation({ params: { ...params, allocation: allocation?.id ?? '' }, body: { notes } }),
        refused('invalid_request', /body\.notes/),
      )
    })
})

describe('the primary port', () => {
  test('changes, and the node hears of it', async () => {
    const params = await create('Swap')
    const { allocation } = await ada.api.createAllocation({ params })
    const before = (await ports(params))[0]
    assert.deepEqual(await ada.api.makePrimary({ params: { ...params, allocation: allocation.id } }), {
      message: 'Primary allocation updated',
    })
    assert.deepEqual(
      (await ports(params)).map(({ id, primary }) => [id, primary]),
      [
        [allocation.id, true],
        [before?.id, false],
      ],
    )
    assert.deepEqual(specPorts(params), [allocation.local, before?.local])
    assert.equal((await ada.api.server({ params })).address, `play.example.org:${allocation.port}`)
  })
  test('cannot be removed', async () => {
    const params = await create('Kept')
    const [primary] = await ports(params)
    await assert.rejects(
      ada.api.deleteAllocation({ params: { ...params, allocation: primary?.id ?? '' } }),
      refused('conflict', /is the primary one of Kept.*make another port primary first/),
    )
  })
})

describe('a port of a running server', () => {
  test('can be neither removed nor exchanged, until it is stopped', async () => {
    const params = await create('Busy')
    const { allocation } = await ada.api.createAllocation({ params })
    const of = { params: { ...params, allocation: allocation.id } }
    await ada.api.power({ params, body: { action: 'start' } })
    await assert.rejects(
      ada.api.deleteAllocation(of),
      refused('conflict', /Cannot remove port \d+ of Busy\. .*stop it first/),
    )
    await assert.rejects(ada.api.changePort(of), refused('conflict', /Cannot change port/))
    await ada.api.power({ params, body: { action: 'stop' } })
    assert.deepEqual(await ada.api.deleteAllocation(of), { message: 'Allocation removed successfully' })
  })
  test('cannot be removed while its node is away, since nobody knows', async () => {
    const gone = await world.node(ada, { name: 'gone', publicAddress: 'g.test', ports: { first: 7300, last: 7310 } })
    const params = await create('Unknown', gone.id)
    const { allocation } = await ada.api.createAllocation({ params })
    await gone.leave()
    await until('away', async () => (await ada.api.server({ params })).status === 'unknown')
    await assert.rejects(
      ada.api.deleteAllocation({ params: { ...params, allocation: allocation.id } }),
      refused('conflict', /Its node is away/),
    )
  })
})

describe('a port that some other program has taken', () => {
  test('is exchanged for one that is free; id, notes and primacy stay', async () => {
    const params = await create('Robbed')
    const [primary] = await ports(params)
    assert.ok(primary)
    await ada.api.updateAllocation({ params: { ...params, allocation: primary.id }, body: { notes: 'game' } })
    node.foreignPorts.add(primary.local)
    const { message, allocation } = await ada.api.changePort({ params: { ...params, allocation: primary.id } })
    assert.match(message, /moved to port/)
    assert.notEqual(allocation.local, primary.local)
    assert.deepEqual([allocation.id, allocation.notes, allocation.primary], [primary.id, 'game', true])
    assert.deepEqual(specPorts(params), [allocation.local])
    const next = await create('Next')
    const given = await ada.api.createAllocation({ params: next })
    assert.notEqual(given.allocation.local, primary.local)
    node.foreignPorts.clear()
  })
  test('keeps the edge’s port that players know', async () => {
    const behind = await world.node(ada, { name: 'behind two', ports: { first: 7400, last: 7410 } })
    const params = await create('Known', behind.id)
    const [before] = await ports(params)
    const { allocation } = await ada.api.changePort({ params: { ...params, allocation: before?.id ?? '' } })
    assert.deepEqual([allocation.ip, allocation.port], [before?.ip, before?.port])
    assert.equal(allocation.local, 7401)
    await behind.leave()
  })
})

test('a port of another server is not found, whatever is asked of it', async () => {
  const mine = await create('Mine')
  const [theirs] = await ports(await create('Theirs'))
  const of = { params: { ...mine, allocation: theirs?.id ?? '' } }
  for (const attempt of [
    () => ada.api.updateAllocation({ ...of, body: { notes: 'x' } }),
    () => ada.api.updateAllocation(of),
    () => ada.api.deleteAllocation(of),
    () => ada.api.makePrimary(of),
    () => ada.api.changePort(of),
  ])
    await assert.rejects(attempt(), refused('not_found', /Allocation/))
  assert.equal((await ports(mine))[0]?.primary, true)
})

test('opening, changing and closing a port each need their own permission', async () => {
  const params = await create('Guarded')
  const { allocation } = await ada.api.createAllocation({ params })
  const outside = await world.workspace('outside')
  const bob = await world.person('bob@example.com', { workspaceId: outside, role: 'member' })
  await world.share(params.serverId, bob.userId, ['network.read'])
  const of = { params: { ...params, allocation: allocation.id } }
  for (const [permission, attempt] of [
    ['network.create', () => bob.api.createAllocation({ params })],
    ['network.update', () => bob.api.updateAllocation({ ...of, body: { notes: 'x' } })],
    ['network.update', () => bob.api.makePrimary(of)],
    ['network.update', () => bob.api.changePort(of)],
    ['network.delete', () => bob.api.deleteAllocation(of)],
  ] as const)
    await assert.rejects(attempt(), refused('forbidden', new RegExp(permission)))
  assert.equal((await bob.api.allocations({ params })).allocations.length, 2)
})

async function raced(config: DatabaseConfig) {
  const own = await startServersWorld(config)
  const id = await own.workspace('acme')
  const owner = await own.person('ada@example.com', { workspaceId: id, role: 'owner' }, { instanceAdmin: true })
  const machine = await own.node(owner, { name: 'one', publicAddress: 'p.test', ports: { first: 4000, last: 4009 } })
  const make = async (name: string) => {
    const { id: serverId } = await owner.api.createServer({ body: { name, template: 'paper', start: false } })
    return { serverId: keyOf(serverId) }
  }
  return { own, owner, machine, make }
}

testOnEachDatabase('fifty that race for the last port of a server: one wins', async (config) => {
  const { own, owner, make } = await raced(config)
  await using _ = own
  const params = await make('Race')
  await own.db.kysely.updateTable('servers').set({ allocation_limit: 2 }).execute()
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => owner.api.createAllocation({ params })))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of results)
    if (result.status === 'rejected') refused('conflict', /Race has 2 ports and may have 2/)(result.reason)
  assert.equal((await owner.api.allocations({ params })).allocations.length, 2)
})

testOnEachDatabase(
  'servers that race for the last ports of a node get each another one, and no more',
  async (config) => {
    const { own, owner, make } = await raced(config)
    await using _ = own
    const servers = await Promise.all(['A', 'B', 'C'].map(make))
    await own.db.kysely.updateTable('servers').set({ allocation_limit: 20 }).execute()
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, (_, n) => owner.api.createAllocation({ params: servers[n % 3] ?? { serverId: '' } })),
    )
    const won = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value.allocation.local)
    assert.equal(won.length, 7)
    assert.equal(new Set(won).size, 7)
    for (const result of results) if (result.status === 'rejected') refused('conflict', /./)(result.reason)
  },
)

testOnEachDatabase('whatever races, a server has exactly one primary port', async (config) => {
  const { own, owner, make } = await raced(config)
  await using _ = own
  const params = await make('Primary')
  for (let n = 0; n < 3; n += 1) await owner.api.createAllocation({ params })
  const { allocations } = await owner.api.allocations({ params })
  await Promise.allSettled(
    allocations.flatMap(({ id }) => [
      owner.api.makePrimary({ params: { ...params, allocation: id } }),
      owner.api.deleteAllocation({ params: { ...params, allocation: id } }),
    ]),
  )
  const left = await own.db.kysely.selectFrom('allocations').selectAll().execute()
  assert.equal(left.filter(({ primary_port }) => primary_port === 1).length, 1)
  const other = left.find(({ primary_port }) => primary_port === 0)
  const second = { ...(other ?? left[0]), id: 'alloc_second', port: 9999, primary_port: 1 } as (typeof left)[number]
  await assert.rejects(own.db.kysely.insertInto('allocations').values(second).execute(), isUniqueViolation)
})
