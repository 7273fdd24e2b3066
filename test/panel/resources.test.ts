import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ConformanceWorld, startConformanceWorld } from '../conformance/world.ts'

let world: ConformanceWorld
before(async () => {
  world = await startConformanceWorld()
})
after(() => world?.[Symbol.asyncDispose]())

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
  await api.createSchedule({
    params,
    body: { name: 'Nightly', cron: '0 4 * * *', tasks: [{ kind: 'wait', until: 'offline' }] },
  })
  await world.operator.api.updateServerLimits({
    params,
    body: { memory: 300, cpu: 2, allocations: 4, backups: 7, databases: 2 },
  })
  const now = await api.resources({ params })
  assert.deepEqual(now.allocations, { limit: 4, current: 2 })
  assert.deepEqual(now.backups, { limit: 7, current: 0 })
  assert.deepEqual(now.databases, { limit: 2, current: 0 })
  assert.equal(now.schedules.current, 1)
  assert.ok(now.schedules.limit >= 1)
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
  for (let tries = 0; (await seen())[0] === null && tries < 200; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
  assert.deepEqual(await seen(), [101, 5, 0.25])
})

test('an administrator may allow none at all, and then none can be made', async () => {
  const params = await made()
  await world.operator.api.updateServerLimits({ params, body: { backups: 0, databases: 0 } })
  await assert.rejects(world.ada.api.createBackup({ params }), { code: 'conflict' })
  await assert.rejects(world.ada.api.createDatabase({ params, body: { database: 'stats', remote: '%' } }), {
    code: 'conflict',
  })
})
