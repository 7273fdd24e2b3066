import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { sql } from 'kysely'
import { type ConformanceWorld, startConformanceWorld } from '../conformance/world.ts'
import { startAcme } from '../world/panel.ts'
import { joinFakeNode } from '../world/panel-node.ts'
import { until } from '../world/servers-world.ts'

let world: ConformanceWorld
before(async () => {
  world = await startConformanceWorld()
})
after(() => world?.[Symbol.asyncDispose]())

const nightly = {
  name: 'Nightly',
  cron: '0 4 * * *',
  tasks: [{ kind: 'wait' as const, until: 'offline' as const }],
}

const made = async () => {
  world.passMinutes()
  return { serverId: (await world.server()).replace('servers/', '') }
}

test('the limits of a server and what it has of each are counted where they are, field for field as documented', async () => {
  const params = await made()
  const { api } = world.ada
  const before = await api.resources({ params })
  assert.deepEqual(
    [before.databases.current, before.allocations.current, before.backups.current, before.schedules.current],
    [0, 1, 0, 0],
  )
  assert.equal(before.server.name, 'Shared')
  await api.createAllocation({ params })
  await api.createSchedule({ params, body: nightly })
  await world.operator.api.updateServerLimits({
    params,
    body: { memory: 300, cpu: 2, allocations: 4, backups: 7, databases: 2, schedules: 3 },
  })
  const now = await api.resources({ params })
  assert.deepEqual(now.allocations, { limit: 4, current: 2 })
  assert.deepEqual(now.backups, { limit: 7, current: 0 })
  assert.deepEqual(now.databases, { limit: 2, current: 0 })
  assert.deepEqual(now.schedules, { limit: 3, current: 1 })
  assert.deepEqual([now.memory.limit, now.cpu.limit], [300, 2])
  assert.equal((await api.backupSettings({ params })).limit, 7)
})

test('what it uses is told in the units of its limits, and null while the node has not said it', async () => {
  const params = await made()
  const { api } = world.ada
  assert.deepEqual((await api.resources({ params })).memory.current, null)
  const state = world.node.servers.get(params.serverId)?.state
  assert.ok(state)
  const usage = { memoryBytes: 100 * 1_048_576 + 1, cpuCores: 0.25, diskBytes: 5 * 1_048_576 }
  const rest = { networkRxBytes: null, networkTxBytes: null, processes: 1 }
  world.node.tell({ type: 'state', state: { ...state, usage: { ...usage, ...rest } } })
  const seen = async () => {
    const { memory, disk, cpu } = await api.resources({ params })
    return [memory.current, disk.current, cpu.current]
  }
  await until('the node has said it', async () => (await seen())[0] !== null)
  assert.deepEqual(await seen(), [101, 5, 0.25])
})

test('an administrator may allow none at all, and then none can be made', async () => {
  const params = await made()
  await world.operator.api.updateServerLimits({ params, body: { backups: 0, databases: 0, schedules: 0 } })
  await assert.rejects(world.ada.api.createBackup({ params }), { code: 'conflict' })
  await assert.rejects(world.ada.api.createDatabase({ params, body: { database: 'stats', remote: '%' } }), {
    code: 'conflict',
  })
  await assert.rejects(world.ada.api.createSchedule({ params, body: nightly }), { code: 'conflict' })
})

test('of several limits in one request all change, or none, also where the last one cannot be written', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-limits-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await using own = await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') })
  await using _node = await joinFakeNode(own.acme)
  const { id } = await own.acme.createServer({ body: { name: 'Lobby', template: 'plain', start: false } })
  const params = { serverId: id.replace('servers/', '') }
  const body = { cpu: 2, allocations: 9, backups: 9, databases: 9, schedules: 9 }
  const before = await own.acme.serverLimits({ params })
  await sql`create trigger broken before insert on schedule_limits begin select raise(abort, 'disk error'); end`.execute(
    own.database.kysely,
  )
  await assert.rejects(own.acme.updateServerLimits({ params, body }), { code: 'internal' })
  const without = { ...before, status: '' }
  assert.deepEqual({ ...(await own.acme.serverLimits({ params })), status: '' }, without)
  await sql`drop trigger broken`.execute(own.database.kysely)
  const { limits } = await own.acme.updateServerLimits({ params, body })
  assert.deepEqual({ ...limits, status: '' }, { ...without, ...body })
})
