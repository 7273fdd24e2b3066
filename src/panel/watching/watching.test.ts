import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { ManualClock } from '../../../test/world/manual-clock.ts'
import { keyOf, startServersWorld, until } from '../../../test/world/servers-world.ts'
import type { Incident, Players } from '../../contract/node-watching.ts'
import type { DatabaseConfig } from '../db/index.ts'

const noon = Date.UTC(2026, 5, 1, 12)
const day = 24 * 60 * 60_000
const crash = (id: string, at: number, more: Partial<Incident> = {}): Incident => ({
  ...{ id, kind: 'crash', at, message: 'It crashed with code 1', code: 1, signal: null, outOfMemory: false },
  ...{ restarts: false, lines: ['last words'], ...more },
})
const players = (more: Partial<Players> = {}): Players => ({
  ...{ online: 3, max: 20, names: ['ada', 'bob'], description: 'Hello', version: '1.21', latencyMs: 4, at: noon },
  ...more,
})

async function startWorld(config: DatabaseConfig | 'sqlite') {
  const clock = new ManualClock(noon)
  const world = await startServersWorld(config, clock)
  try {
    const workspaceId = await world.workspace('acme')
    const ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
    const max = await world.person('max@example.com', { workspaceId, role: 'member' })
    const node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
    const { id } = await ada.api.createServer({ body: { name: 'Lobby', template: 'paper' } })
    const key = keyOf(id)
    const params = { serverId: key }
    await until('running', async () => (await ada.api.server({ params })).status === 'running')
    const listed = (count: number) =>
      until(`${count} incidents`, async () => {
        const found = await ada.api.crashes({ params })
        return found.length === count ? found : null
      })
    return {
      ...world,
      clock,
      ada,
      max,
      node,
      key,
      params,
      listed,
      [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    }
  } catch (error) {
    await world[Symbol.asyncDispose]()
    throw error
  }
}

test('who plays is shown with the server, its limits and its live usage, and goes when it stops', async () => {
  await using world = await startWorld('sqlite')
  const { ada, node, key, params } = world
  const unknown = await ada.api.players({ params })
  assert.deepEqual([unknown.at, unknown.online], [null, null])
  assert.match(unknown.message ?? '', /not asked who plays/)
  const usage = {
    cpuCores: 1,
    memoryBytes: 1,
    diskBytes: 1,
    networkRxBytes: null,
    networkTxBytes: null,
    processes: 1,
  }
  node.tell({ type: 'usage', id: key, usage })
  node.tell({ type: 'players', id: key, players: players() })
  const known = await until('players', async () => {
    const found = await ada.api.players({ params })
    return found.at === null ? null : found
  })
  assert.deepEqual(known, { ...players(), at: '2026-06-01T12:00:00.000Z', message: null })
  assert.deepEqual((await ada.api.server({ params })).usage?.players, { online: 3, max: 20 })
  node.tell({ type: 'players', id: key, players: players({ online: null, max: null, names: [] }) })
  await until('a game that does not say', async () => (await ada.api.players({ params })).online === null)
  assert.equal((await ada.api.server({ params })).usage?.players, null)
  await ada.api.power({ params, body: { action: 'stop' } })
  await until('gone', async () => (await ada.api.players({ params })).at === null)
  node.tell({ type: 'players', id: key, players: players() })
  node.tell({ type: 'incident', id: key, incident: crash('after', noon) })
  await world.listed(1)
  assert.equal((await ada.api.players({ params })).at, null)
})

testOnEachDatabase(
  'crashes are listed newest first, with their last lines, to those who may read the console',
  async (config) => {
    await using world = await startWorld(config)
    const { ada, max, node, key, params } = world
    assert.deepEqual(await ada.api.crashes({ params }), [])
    node.tell({ type: 'incident', id: key, incident: crash('a1', noon - day) })
    node.tell({
      type: 'incident',
      id: key,
      incident: crash('a2', noon, { code: null, signal: 'SIGKILL', outOfMemory: true, lines: ['\u001b[2Jevil\u202e'] }),
    })
    // The same again, as another panel or a link that came back tells it.
    node.tell({ type: 'incident', id: key, incident: crash('a2', noon) })
    node.tell({ type: 'incident', id: key, incident: crash('old', noon - 100 * day) })
    node.tell({ type: 'incident', id: 'ffffffff', incident: crash('foreign', noon) })
    node.tell({ type: 'incident', id: key, incident: crash('a3', noon + 30 * day) })
    const found = await world.listed(3)
    assert.deepEqual(
      found.map(({ id, at, signal, outOfMemory, lines }) => [id, at, signal, outOfMemory, lines]).toSorted(),
      [
        ['a1', '2026-05-31T12:00:00.000Z', null, false, ['last words']],
        ['a2', '2026-06-01T12:00:00.000Z', 'SIGKILL', true, ['evil']],
        // A clock that is ahead moves nothing into the future.
        ['a3', '2026-06-01T12:00:00.000Z', null, false, ['last words']],
      ],
    )
    assert.equal(found.at(-1)?.id, 'a1')
    await assert.rejects(max.api.crashes({ params }), { code: 'not_found' })
    await world.share(key, max.userId, ['files.read'])
    await world.changes.publish({ of: 'subuser', serverId: key, userId: max.userId })
    await assert.rejects(max.api.crashes({ params }), { code: 'forbidden' })
    assert.equal((await max.api.players({ params })).online, null)
  },
)

testOnEachDatabase(
  'what happened while no panel listened is asked for when the node is back, and kept once',
  async (config) => {
    await using world = await startWorld(config)
    const { node, key } = world
    await node.leave()
    for (let n = 0; n < 70; n++) node.incidents.push({ id: key, incident: crash(`c${n}`, noon - 70 + n) })
    await node.connect()
    const found = await until('the newest', async () => {
      const crashes = await world.ada.api.crashes({ params: world.params })
      return crashes[0]?.id === 'c69' ? crashes : null
    })
    assert.deepEqual([found.length, found.at(-1)?.id], [50, 'c20'])
  },
)

testOnEachDatabase('a hang stands in the activity, and is told to whoever listens, once', async () => {
  await using world = await startWorld('sqlite')
  const { node, key, watching, activity } = world
  const told: string[] = []
  watching.happened.on(({ incident, server }) => told.push(`${server.name} ${incident.kind} ${incident.id}`))
  const hang = crash('h1', noon, { kind: 'hang', restarts: true, message: 'It has not answered', code: null })
  node.tell({ type: 'incident', id: key, incident: hang })
  node.tell({ type: 'incident', id: key, incident: hang })
  node.tell({ type: 'incident', id: key, incident: crash('c1', noon) })
  await until('told', () => told.length === 2)
  assert.deepEqual(told, ['Lobby hang h1', 'Lobby crash c1'])
  const { entries } = await activity.page({ column: 'server_id', id: key }, {})
  assert.deepEqual(
    entries.map(({ operation, subject, user_id }) => [operation, subject, user_id]),
    [['watchdogRestart', 'It has not answered', null]],
  )
})

testOnEachDatabase('a server that sleeps is shown as such, and each nap is in its activity once', async (config) => {
  await using world = await startWorld(config)
  const { ada, max, node, key, params } = world
  assert.deepEqual((await ada.api.server({ params })).wakeOnConnect, { enabled: false, idleMinutes: 15 })
  assert.equal(node.servers.get(key)?.spec.wake, undefined)
  await assert.rejects(max.api.updateServer({ params, body: { wakeOnConnect: { enabled: true } } }), {
    code: 'not_found',
  })
  for (const wakeOnConnect of [{}, { idleMinutes: 0 }, { idleMinutes: 1441 }, { idleMinutes: 1.5 }])
    await assert.rejects(ada.api.updateServer({ params, body: { wakeOnConnect } }), { code: 'invalid_request' })
  const on = await ada.api.updateServer({ params, body: { wakeOnConnect: { enabled: true, idleMinutes: 5 } } })
  assert.deepEqual(on.wakeOnConnect, { enabled: true, idleMinutes: 5 })
  assert.deepEqual(node.servers.get(key)?.spec.wake, { idleMinutes: 5 })

  const state = node.servers.get(key)?.state ?? assert.fail()
  const slept = {
    id: '00000001',
    kind: 'slept',
    at: noon - 60_000,
    why: 'No players for 5 minutes',
    address: null,
  } as const
  const woke = {
    id: '00000002',
    kind: 'woke',
    at: noon - 1000,
    why: 'Bob\u001b[2J joined',
    address: '203.0.113.7',
  } as const
  const ahead = { ...woke, id: '00000003', at: noon + day }
  const tell = (naps: NonNullable<typeof state.naps>) =>
    node.tell({ type: 'state', state: { ...state, phase: 'sleeping', since: noon, message: 'Sleeping: x', naps } })
  tell([slept])
  await until('asleep', async () => (await ada.api.server({ params })).status === 'sleeping')
  // Each state tells them again, and so does a link that comes back.
  tell([slept, woke, ahead])
  tell([slept, woke, ahead])
  const entries = () =>
    world.db.kysely
      .selectFrom('activity')
      .select(['operation', 'subject', 'address', 'at'])
      .where('operation', 'like', 'server%')
      .where('server_id', '=', key)
      .orderBy('id')
      .execute()
  await until('both', async () => (await entries()).length >= 2)
  tell([slept, woke])
  await ada.api.power({ params, body: { action: 'start' } })
  assert.deepEqual(
    (await entries()).map(({ operation, subject, address, at }) => [operation, subject, address, Number(at)]),
    [
      ['serverSlept', 'No players for 5 minutes', null, noon - 60_000],
      ['serverWoke', 'Bob joined', '203.0.113.7', noon - 1000],
    ],
  )
})
