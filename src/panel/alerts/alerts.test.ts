import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../test/world/manual-clock.ts'
import { startServersWorld, until } from '../../../test/world/servers-world.ts'
import type { WebhookEventName } from '../../contract/api/webhooks.ts'
import type { ServerState } from '../../contract/node.ts'
import { silentLog } from '../../lib/log.ts'
import type { WebhookEvent } from '../webhooks/index.ts'
import { Alerts } from './index.ts'
import { levelsEveryMs } from './limits.ts'
import { fullness, stateEvent } from './rules.ts'

const noon = Date.UTC(2026, 5, 1, 12)

const state = (more: Partial<ServerState>): ServerState => ({
  ...{ id: '1a7ce997', revision: 1, phase: 'offline', since: noon, message: null, lastExit: null, usage: null },
  ...more,
})
const exit = (crashed: boolean, at = noon) => ({ code: 0, signal: null, outOfMemory: false, crashed, at })

test('a state is an event where people want to hear of it: after an orderly end, not after a crash or an installation', () => {
  assert.equal(stateEvent(state({ phase: 'running' })), 'server.started')
  assert.equal(stateEvent(state({ phase: 'install_failed' })), 'server.install_failed')
  assert.equal(stateEvent(state({ lastExit: exit(false) })), 'server.stopped')
  assert.equal(stateEvent(state({ lastExit: exit(true) })), null)
  assert.equal(stateEvent(state({})), null)
  // Installed again, long after it ran.
  assert.equal(stateEvent(state({ lastExit: exit(false, noon - 60_000) })), null)
  for (const phase of ['installing', 'starting', 'stopping', 'restoring'] as const)
    assert.equal(stateEvent(state({ phase, lastExit: exit(false) })), null)
})

test('something that goes up and down around its limit is told of once', () => {
  let before: string | undefined
  const seen = [0.5, 0.91, 0.88, 0.92, 0.84, 0.89, 0.95].map((share) => (before = fullness(share * 100, 100, before)))
  assert.deepEqual(seen, ['ok', 'nearly', 'nearly', 'nearly', 'ok', 'ok', 'nearly'])
  assert.equal(fullness(5, 0, undefined), 'ok')
})

/** Alerts over a real panel database and a real link, with webhooks that want everything and remember what they were told. */
async function startWorld() {
  const clock = new ManualClock(noon)
  const world = await startServersWorld('sqlite', clock)
  const workspaceId = await world.workspace('acme')
  const ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  const node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
  const { id } = await ada.api.createServer({ body: { name: 'Lobby', template: 'paper' } })
  const params = { serverId: id.slice('servers/'.length) }
  await until('it runs', async () => (await ada.api.server({ params })).status === 'running')
  const told: WebhookEvent[] = []
  let month = { used: 0, most: 100 }
  const open = new Set<string>()
  const wanted = { now: true }
  const alerts = new Alerts({
    ...{ db: world.db, clock, log: silentLog, nodes: world.nodes, states: world.servers.world.states },
    watching: world.watching,
    plans: { monthOf: async () => new Map([[workspaceId, month]]) },
    openTunnels: () => open,
    webhooks: {
      wantedBy: async () => new Set(wanted.now ? [workspaceId] : []),
      enqueue: async (_trx, event) => void told.push(event),
      emit: async (event) => void told.push(event),
    },
  })
  return {
    ...world,
    ...{ clock, ada, node, key: id.slice('servers/'.length), workspaceId, told, alerts, open, wanted },
    useMonth: (used: number) => {
      month = { ...month, used }
    },
    events: (): WebhookEventName[] => told.map(({ event }) => event),
    async [Symbol.asyncDispose]() {
      await alerts[Symbol.asyncDispose]()
      await world[Symbol.asyncDispose]()
    },
  }
}

test('a disk, a quota, a node and a tunnel are told of when they change, once, and again when they do so again', async () => {
  await using world = await startWorld()
  const { alerts, clock, node, key, told, open, db, workspaceId } = world
  const usage = (diskMib: number) => ({
    ...{ cpuCores: 1, memoryBytes: 1, networkRxBytes: null, networkTxBytes: null, processes: 1 },
    diskBytes: diskMib * 1_048_576,
  })
  const uses = async (diskMib: number): Promise<void> => {
    node.tell({ type: 'usage', id: key, usage: usage(diskMib) })
    await until(
      'the panel knows',
      () => world.servers.world.states.of(node.id, key)?.usage?.diskBytes === diskMib * 1_048_576,
    )
  }
  const tunnel = {
    id: 'tun_1',
    workspace_id: workspaceId,
    name: 'web',
    kind: 'http',
    port_count: 0,
    created_at: 1,
  } as const
  await db.kysely
    .insertInto('tunnels')
    .values({ ...tunnel, ...{ edge_port: null, entrance: null, allocation_id: null, deleted_at: null } })
    .execute()
  const levels = async (): Promise<WebhookEventName[]> => {
    told.length = 0
    await alerts.lookAtLevels()
    return world.events()
  }
  await uses(10)
  assert.deepEqual(await levels(), [])
  await uses(1900)
  world.useMonth(95)
  open.add('tun_1')
  assert.deepEqual((await levels()).toSorted(), ['disk.nearly_full', 'quota.nearly_used', 'tunnel.up'])
  assert.deepEqual(await levels(), [])
  await node.leave()
  open.clear()
  clock.advance(levelsEveryMs)
  assert.deepEqual(await levels(), [])
  told.length = 0
  // When it was seen last is written down a moment after it has gone.
  await until('both are away', async () => {
    clock.advance(120_000)
    await alerts.lookAtLevels()
    return told.length >= 2
  })
  assert.deepEqual(world.events().toSorted(), ['node.away', 'tunnel.down'])
  assert.match(told.find(({ event }) => event === 'node.away')?.message ?? '', /Node one is away/)
  assert.deepEqual(await levels(), [])
  await node.connect()
  open.add('tun_1')
  await until('it is here', () => world.nodes.online(node.id) !== null)
  await uses(10)
  assert.deepEqual((await levels()).toSorted(), ['node.back', 'tunnel.up'])
  await uses(2000)
  assert.deepEqual(await levels(), ['disk.nearly_full'])
})

test('nobody who wants nothing costs a look at anything', async () => {
  await using world = await startWorld()
  world.wanted.now = false
  world.useMonth(100)
  await world.alerts.lookAtLevels()
  await world.alerts.look()
  assert.deepEqual(world.told, [])
})

test('what ended while nobody looked is told: crashes, backups and schedules, each with a key of its own', async () => {
  await using world = await startWorld()
  const { db, key, alerts, node, told, ada } = world
  await alerts.look()
  told.length = 0
  const crash = {
    ...{ kind: 'crash' as const, message: 'It crashed', code: 1, signal: null },
    ...{ outOfMemory: false, restarts: false },
  }
  node.tell({ type: 'incident', id: key, incident: { ...crash, id: 'c1', at: noon, lines: [] } })
  await until('the crash', () => told.length === 1)
  const row = {
    ...{
      server_id: key,
      node_id: node.id,
      ignored: '',
      format: 'zstd' as const,
      place: '{}',
      locked: 0,
      replaces: null,
    },
    ...{ bytes: 0, files: 0, size: null, checksum: null, created_at: 1, completed_at: noon, deleted_at: null },
  } as const
  await db.kysely
    .insertInto('backups')
    .values([
      { ...row, id: 'bak_1', name: 'good', state: 'ready', message: null },
      { ...row, id: 'bak_2', name: 'bad', state: 'failed', message: 'no room' },
      { ...row, id: 'bak_3', name: 'unfinished', state: 'running', message: null, completed_at: null },
    ])
    .execute()
  const { id } = await ada.api.createSchedule({
    params: { serverId: key },
    body: { name: 'Nightly', cron: '0 4 * * *', tasks: [{ kind: 'command', command: 'x' }] },
  })
  const run = {
    ...{ schedule_id: id, cause: 'cron' as const, due_at: 1, started_at: 1, ended_at: noon, missed: 0 },
    ...{ editor_id: 'x', tasks: '[]', panel: null, seen_at: null },
  } as const
  await db.kysely
    .insertInto('schedule_runs')
    .values([
      { ...run, id: 'run_1', state: 'failed', message: 'it is off' },
      { ...run, id: 'run_2', due_at: 2, state: 'done', message: null },
    ])
    .execute()
  await alerts.look()
  await alerts.look()
  assert.deepEqual(
    told.map(({ event, key: name }) => [event, name]),
    [
      ['server.crashed', `incident:${key}:c1`],
      ['backup.completed', 'backup:bak_1:ready'],
      ['backup.failed', 'backup:bak_2:failed'],
      ['schedule.failed', 'run:run_1'],
    ],
  )
  assert.match(told[2]?.message ?? '', /Backup bad of server Lobby failed: no room/)
})
