import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
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
let admin: Person
let ada: Person
let node: JoinedFake
before(async () => {
  world = await startServersWorld()
  const home = await world.workspace('home')
  admin = await world.person('admin@example.com', { workspaceId: home, role: 'owner' }, { instanceAdmin: true })
  ada = await world.person('ada@example.com', { workspaceId: await world.workspace('acme'), role: 'owner' })
  node = await world.node(admin, { name: 'one', publicAddress: 'play.example.org', memoryMib: 20_000 })
})
after(() => world[Symbol.asyncDispose]())

const create = async (name: string, start = false) => {
  const { id } = await ada.api.createServer({ body: { name, template: 'paper', start } })
  const params = { serverId: keyOf(id) }
  const wanted = start ? 'running' : 'offline'
  await until(wanted, async () => (await ada.api.server({ params })).status === wanted)
  return params
}

describe('the limits of a server', () => {
  test('are the installation’s to change: its administrator can, the owner of the server cannot', async () => {
    const params = await create('Sized')
    await assert.rejects(
      ada.api.updateServerLimits({ params, body: { memory: 2048 } }),
      refused('forbidden', /Only an administrator of this installation/),
    )
    await assert.rejects(ada.api.serverLimits({ params }), refused('forbidden', /./))
    await assert.rejects(ada.api.instanceServers({}), refused('forbidden', /./))
    const { message, limits } = await admin.api.updateServerLimits({
      params,
      body: { memory: 2048, cpu: 1.5, allocations: 7 },
    })
    assert.equal(message, 'Limits updated; but node one cannot limit memory and CPU')
    assert.deepEqual(
      { ...limits, id: '' },
      {
        id: '',
        name: 'Sized',
        status: 'offline',
        suspended: false,
        workspace: 'acme',
        owner: 'ada@example.com',
        node: 'one',
        memory: 2048,
        disk: 2048,
        cpu: 1.5,
        allocations: 7,
        backups: 0,
        databases: 0,
        schedules: 0,
      },
    )
    assert.deepEqual(await admin.api.serverLimits({ params }), limits)
    assert.deepEqual((await ada.api.server({ params })).resources, { memory: 2048, disk: 2048, cpu: 1.5 })
    assert.deepEqual(node.servers.get(params.serverId)?.spec.resources, { memory: 2048, disk: 2048, cpu: 1.5 })
  })
  test('of a running server change at once, and the reply says so', async () => {
    const params = await create('Live', true)
    const { message } = await admin.api.updateServerLimits({ params, body: { disk: 3000 } })
    assert.match(message, /they hold now/)
    assert.equal(node.servers.get(params.serverId)?.spec.resources.disk, 3000)
  })
  test('wait for a node that is away', async () => {
    const away = await world.node(admin, { name: 'two', publicAddress: 'two.test', memoryMib: 30_000 })
    const params = await create('Far')
    await away.leave()
    await until('away', async () => (await ada.api.server({ params })).status === 'unknown')
    const { message } = await admin.api.updateServerLimits({ params, body: { disk: 4096 } })
    assert.match(message, /node two is away and takes them when it is back/)
    await away.connect()
    await until('told', () => away.servers.get(params.serverId)?.spec.resources.disk === 4096)
    await away.leave()
  })
  test('never promise more memory than the node has', async () => {
    const params = await create('Greedy')
    await assert.rejects(
      admin.api.updateServerLimits({ params, body: { memory: 19_999 } }),
      refused('conflict', /Node one has \d+ MiB for Greedy/),
    )
  })
  for (const [what, body] of [
    ['nothing at all', {}],
    ['no memory', { memory: 0 }],
    ['negative disk', { disk: -1 }],
    ['a fraction of a port', { allocations: 1.5 }],
    ['more ports than a node has', { allocations: 101 }],
    ['not even one port', { allocations: 0 }],
  ] as const)
    test(`cannot be ${what}`, async () => {
      const params = { serverId: '00000000' }
      await assert.rejects(admin.api.updateServerLimits({ params, body }), refused('invalid_request', /body/))
    })
  test('of a server that does not exist are not found', async () => {
    const params = { serverId: '00000000' }
    await assert.rejects(
      admin.api.updateServerLimits({ params, body: { allocations: 2 } }),
      refused('not_found', /Server 00000000/),
    )
    await assert.rejects(admin.api.serverLimits({ params }), refused('not_found', /Server 00000000/))
    await assert.rejects(
      admin.api.updateSuspension({ params, body: { suspended: true } }),
      refused('not_found', /Server 00000000/),
    )
  })
  test('are listed for the administrator, page by page', async () => {
    await create('Listed one')
    await create('Listed two')
    const all = (await admin.api.instanceServers({})).map(({ id }) => id)
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const reply: Response = await fetch(
        `${world.baseUrl}/instance/servers?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
        { headers: { authorization: `Bearer ${admin.token}` } },
      )
      const { data } = (await reply.json()) as { data: { id: string }[] }
      seen.push(...data.map(({ id }) => id))
      cursor = reply.headers.get('x-next-cursor')
    }
    assert.deepEqual(seen, all)
  })
})

describe('a suspended server', () => {
  test('is stopped, says so, and nothing but looking works, for its owner too', async () => {
    const params = await create('Unpaid', true)
    const socket = await ada.watch(params.serverId)
    const statuses: string[] = []
    const listening = (async () => {
      for await (const event of socket) if (event.type === 'status') statuses.push(event.status)
    })()
    const { message } = await admin.api.updateSuspension({ params, body: { suspended: true } })
    assert.match(message, /Unpaid is suspended and being stopped/)
    assert.equal(node.servers.get(params.serverId)?.spec.suspended, true)
    await until('told', () => statuses.includes('suspended'))
    socket.close()
    await listening
    assert.equal((await ada.api.server({ params })).status, 'suspended')
    assert.equal((await ada.api.startup({ params })).template, 'paper')
    assert.equal((await ada.api.allocations({ params })).allocations.length, 1)
    assert.ok((await ada.api.servers()).some(({ id }) => keyOf(id) === params.serverId))
    const [{ id } = { id: '' }] = (await ada.api.allocations({ params })).allocations
    const attempts = [
      () => ada.api.power({ params, body: { action: 'start' } }),
      () => ada.api.power({ params, body: { action: 'kill' } }),
      () => ada.api.consoleCommand({ params, body: { command: 'help' } }),
      () => ada.api.updateServer({ params, body: { name: 'Mine' } }),
      () => ada.api.reinstall({ params }),
      () => ada.api.deleteServer({ params }),
      () => ada.api.updateStartup({ params, body: { variables: {} } }),
      () => ada.api.createAllocation({ params }),
      () => ada.api.updateAllocation({ params: { ...params, allocation: id }, body: { notes: 'x' } }),
      () => ada.api.createSubuser({ params, body: { userEmail: 'x@example.com', permissions: [] } }),
    ]
    for (const attempt of attempts)
      await assert.rejects(attempt(), refused('forbidden', /Unpaid is suspended.*only be looked at/))
    const words = await admin.api.updateSuspension({ params, body: { suspended: false } })
    assert.match(words.message, /can be started/)
    assert.equal(node.servers.get(params.serverId)?.spec.suspended, false)
    await ada.api.updateServer({ params, body: { name: 'Paid' } })
  })
  test('keeps the time of its first suspension, and both can be said twice', async () => {
    const params = await create('Twice')
    const since = async () =>
      (
        await world.db.kysely.selectFrom('servers').select('suspended_at').where('id', '=', params.serverId).execute()
      )[0]?.suspended_at
    await admin.api.updateSuspension({ params, body: { suspended: true } })
    const first = await since()
    await admin.api.updateSuspension({ params, body: { suspended: true } })
    assert.equal(await since(), first)
    await admin.api.updateSuspension({ params, body: { suspended: false } })
    await admin.api.updateSuspension({ params, body: { suspended: false } })
    assert.equal(await since(), null)
  })
  test('is suspended by nobody but the installation’s administrators', async () => {
    const params = await create('Safe')
    await assert.rejects(
      ada.api.updateSuspension({ params, body: { suspended: true } }),
      refused('forbidden', /Only an administrator/),
    )
    assert.equal((await ada.api.server({ params })).status, 'offline')
  })
})
