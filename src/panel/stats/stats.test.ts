import assert from 'node:assert/strict'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { ManualClock } from '../../../test/world/manual-clock.ts'
import { keyOf, startServersWorld, until } from '../../../test/world/servers-world.ts'
import { silentLog } from '../../lib/log.ts'
import { Signal } from '../../lib/signals.ts'
import type { DatabaseConfig } from '../db/index.ts'
import type { ServerNews } from '../servers/index.ts'
import { Stats } from './index.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const noon = Date.UTC(2026, 5, 1, 12)
const usage = (more: object = {}) => ({
  cpuCores: 0.5,
  memoryBytes: 1000,
  diskBytes: 5,
  networkRxBytes: 0,
  networkTxBytes: null,
  processes: 1,
  ...more,
})

async function startWorld(config: DatabaseConfig) {
  const clock = new ManualClock(noon)
  const world = await startServersWorld(config, clock)
  try {
    const workspaceId = await world.workspace('acme')
    const ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
    const node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
    const { id } = await ada.api.createServer({ body: { name: 'Lobby', template: 'paper' } })
    const params = { serverId: keyOf(id) }
    await until('running', async () => (await ada.api.server({ params })).status === 'running')
    const { stats } = world
    return {
      ...world,
      clock,
      ada,
      node,
      params,
      stats,
      /** The node measures, and the panel has heard of it. */
      async measure(more: Partial<ReturnType<typeof usage>> = {}) {
        const heard = new Promise<void>((resolve) => {
          const stop = world.servers.news.on((news) => {
            if (news.type !== 'usage') return
            stop()
            resolve()
          })
        })
        node.tell({ type: 'usage', id: params.serverId, usage: usage(more) })
        await heard
      },
      [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    }
  } catch (error) {
    await world[Symbol.asyncDispose]()
    throw error
  }
}

testOnEachDatabase('keeps what a server used, a point a minute, with gaps where it used nothing', async (config) => {
  await using world = await startWorld(config)
  const { ada, params, clock, stats } = world
  await world.measure({ cpuCores: 0.25, networkRxBytes: 100 })
  clock.advance(2000)
  await world.measure({ cpuCores: 0.75, memoryBytes: 3000, networkRxBytes: 150 })
  clock.setTo(noon + 2 * minuteMs)
  await world.measure({ diskBytes: 9, networkRxBytes: 160 })
  clock.setTo(noon + 3 * minuteMs)
  await stats.flush()
  const graph = await ada.api.serverStats({ params, query: { range: '1h' } })
  assert.deepEqual([graph.stepSeconds, graph.to, graph.at.length], [60, '2026-06-01T12:03:00.000Z', 60])
  assert.deepEqual(
    graph.at.slice(-3),
    [noon, noon + minuteMs, noon + 2 * minuteMs].map((at) => at / 1000),
  )
  assert.deepEqual(graph.cpu.average.slice(-4), [null, 0.5, null, 0.5])
  assert.deepEqual(graph.cpu.peak.slice(-3), [0.75, null, 0.5])
  assert.deepEqual(graph.memory.average.slice(-3), [2000, null, 1000])
  assert.deepEqual(graph.memory.peak.slice(-3), [3000, null, 1000])
  assert.deepEqual(graph.disk.slice(-3), [5, null, 9])
  assert.deepEqual(graph.networkRx.slice(-3), [50, null, 10])
  assert.deepEqual(graph.networkTx.slice(-3), [null, null, null])
  for (const series of [graph.disk, graph.networkRx, graph.networkTx, graph.cpu.peak]) assert.equal(series.length, 60)
})

testOnEachDatabase('days are made of five minutes, months of hours, and what is too old goes', async (config) => {
  await using world = await startWorld(config)
  const { ada, params, clock, stats, db } = world
  for (let minute = 0; minute < 70; minute++) {
    clock.setTo(noon + minute * minuteMs)
    await world.measure({ cpuCores: minute < 60 ? 1 : 2 })
    await stats.flush()
  }
  clock.setTo(noon + 2 * hourMs)
  await stats.flush()
  const week = await ada.api.serverStats({ params, query: { range: '7d' } })
  assert.equal(week.at.length, 2016)
  assert.deepEqual(
    week.cpu.average.filter((value) => value !== null),
    [...Array(12).fill(1), 2, 2],
  )
  const month = await ada.api.serverStats({ params, query: { range: '30d' } })
  assert.deepEqual(month.cpu.average.slice(-3), [null, 1, 2])
  clock.advance(25 * hourMs)
  await stats.flush()
  const steps = async () =>
    (await db.kysely.selectFrom('server_stats').select('step').distinct().orderBy('step').execute()).map(
      ({ step }) => step / minuteMs,
    )
  assert.deepEqual(await steps(), [5, 60])
  clock.advance(8 * 24 * hourMs)
  await stats.flush()
  assert.deepEqual(await steps(), [60])
  clock.advance(90 * 24 * hourMs)
  await stats.flush()
  assert.deepEqual(await steps(), [])
})

testOnEachDatabase(
  'two panels that saw the same minutes count them once; the one that saw more is believed',
  async (config) => {
    await using world = await startWorld(config)
    const { db, clock, params } = world
    const news = [new Signal<ServerNews>(), new Signal<ServerNews>()]
    const panels = news.map((one) => new Stats({ db, clock, log: silentLog, servers: { news: one } }))
    const tell = (which: number, cpuCores: number) =>
      news[which]?.emit({
        type: 'usage',
        serverId: params.serverId,
        usage: { ...usage({ cpuCores }), uptimeSeconds: 1, players: null },
      })
    for (let second = 0; second < 60; second += 2) {
      clock.setTo(noon + second * 1000)
      tell(0, 1)
      if (second > 40) tell(1, 4)
    }
    clock.setTo(noon + minuteMs)
    await Promise.all(panels.map((panel) => panel.flush()))
    for (const panel of panels) await panel[Symbol.asyncDispose]()
    const rows = await db.kysely.selectFrom('server_stats').select(['step', 'samples', 'cpu_average']).execute()
    assert.deepEqual(
      rows.toSorted((left, right) => left.step - right.step).map(({ samples, cpu_average }) => [samples, cpu_average]),
      [
        [30, 1000],
        [30, 1000],
        [30, 1000],
      ],
    )
  },
)

testOnEachDatabase('a deleted server takes its history along and spoils no other', async (config) => {
  await using world = await startWorld(config)
  const { ada, params, clock, stats, db } = world
  await world.measure()
  clock.advance(minuteMs)
  await stats.flush()
  await world.measure()
  await ada.api.deleteServer({ params })
  clock.advance(minuteMs)
  await stats.flush()
  assert.deepEqual(await db.kysely.selectFrom('server_stats').selectAll().execute(), [])
  await assert.rejects(ada.api.serverStats({ params }), { code: 'not_found' })
})

testOnEachDatabase(
  'shows nobody the history of a server that they cannot see; refuses other ranges',
  async (config) => {
    await using world = await startWorld(config)
    const { ada, params } = world
    const stranger = await world.person('eve@example.com', {
      workspaceId: await world.workspace('evil'),
      role: 'owner',
    })
    await assert.rejects(stranger.api.serverStats({ params }), { code: 'not_found' })
    // Other ranges do not compile.
    for (const range of ['', '2h', '100y', "1h' or 1=1"])
      await assert.rejects(ada.api.serverStats({ params, query: { range: range as '1h' } }), {
        code: 'invalid_request',
      })
    assert.equal((await ada.api.serverStats({ params })).at.length, 1440)
  },
)
