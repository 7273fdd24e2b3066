import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { ManualClock } from '../../../test/world/manual-clock.ts'
import { keyOf, type Person, startServersWorld, until } from '../../../test/world/servers-world.ts'
import type { ServerPermission } from '../../contract/permissions.ts'
import { silentLog } from '../../lib/log.ts'
import type { DatabaseConfig } from '../db/index.ts'
import { Schedules } from './index.ts'
import { aliveMaxMs, lateMaxMs, runsKeptMax, schedulesPerServer } from './limits.ts'

const minuteMs = 60_000
/** One second before four in the morning in Berlin, in winter. */
const before4 = Date.UTC(2026, 0, 15, 2, 59, 59)
const nightly = { name: 'Nightly', cron: '0 4 * * *', timeZone: 'Europe/Berlin' } as const
const restart = { kind: 'power', action: 'restart' } as const

/** A running server of Ada's, at one second before four. */
async function startWorld(config: DatabaseConfig | 'sqlite' = 'sqlite') {
  const clock = new ManualClock(before4)
  const world = await startServersWorld(config, clock)
  try {
    const workspaceId = await world.workspace('acme')
    const ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
    const bob = await world.person('bob@example.com', { workspaceId, role: 'member' })
    const node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
    const newServer = async () => {
      const { id } = await ada.api.createServer({ body: { name: 'Lobby', template: 'paper' } })
      const params = { serverId: keyOf(id) }
      await until('running', async () => (await ada.api.server({ params })).status === 'running')
      return params
    }
    const params = await newServer()
    node.asked.length = 0
    const { timetable } = world.schedules
    return {
      ...world,
      clock,
      ada,
      bob,
      node,
      params,
      newServer,
      /** Lets the time come, and whatever is due end. */
      async goTo(now: number) {
        clock.setTo(now)
        await timetable.look()
        await timetable.idle()
      },
      async runs(schedule: string) {
        return ada.api.scheduleRuns({ params: { ...params, schedule } })
      },
      async give(person: Person, permissions: ServerPermission[]) {
        await ada.api.createSubuser({ params, body: { userEmail: person.email, permissions } })
      },
      asked: (what: string) => node.asked.filter((ask) => ask.startsWith(what)),
      [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    }
  } catch (error) {
    await world[Symbol.asyncDispose]()
    throw error
  }
}

testOnEachDatabase('a schedule runs at its time, once, and tells how each task went', async (config) => {
  await using world = await startWorld(config)
  const { ada, params } = world
  const tasks = [
    { kind: 'command', command: 'say restarting' },
    restart,
    { kind: 'wait', until: 'running', timeoutSeconds: 60 },
  ] as const
  const made = await ada.api.createSchedule({ params, body: { ...nightly, tasks: [...tasks] } })
  assert.deepEqual(made.nextRuns, [
    '2026-01-15T03:00:00.000Z',
    '2026-01-16T03:00:00.000Z',
    '2026-01-17T03:00:00.000Z',
    '2026-01-18T03:00:00.000Z',
    '2026-01-19T03:00:00.000Z',
  ])
  assert.deepEqual([made.lastRun, made.by, made.missed], [null, 'ada@example.com', 'skip'])
  await world.goTo(before4 + 999)
  assert.deepEqual(await world.runs(made.id), [])
  await world.goTo(before4 + 1000)
  await world.goTo(before4 + 1001)
  const [run, ...others] = await world.runs(made.id)
  assert.deepEqual(others, [])
  assert.deepEqual([run?.state, run?.cause, run?.dueAt], ['done', 'cron', '2026-01-15T03:00:00.000Z'])
  assert.deepEqual(
    run?.tasks.map(({ task, state }) => [task.kind, state]),
    [
      ['command', 'done'],
      ['power', 'done'],
      ['wait', 'done'],
    ],
  )
  assert.deepEqual(world.asked('command').length, 1)
  assert.deepEqual(world.asked('power restart').length, 1)
  const now = await ada.api.schedule({ params: { ...params, schedule: made.id } })
  assert.deepEqual([now.nextRunAt, now.lastRun?.id], ['2026-01-16T03:00:00.000Z', run?.id])
  const acts = await world.activity.page({ column: 'server_id', id: params.serverId }, { limit: 10 })
  assert.deepEqual(
    acts.entries.map(({ operation, email, via, subject }) => [operation, email, via, subject]),
    [
      ['power', 'ada@example.com', 'schedule', 'Nightly'],
      ['consoleCommand', 'ada@example.com', 'schedule', 'Nightly'],
    ],
  )
})

testOnEachDatabase('two panels never run one run twice', async (config) => {
  await using world = await startWorld(config)
  const { ada, params, db, clock, access, servers, consoles, backups, activity } = world
  const ids: string[] = []
  for (let n = 0; n < 5; n++)
    ids.push((await ada.api.createSchedule({ params, body: { ...nightly, tasks: [restart] } })).id)
  const rivals = Array.from(
    { length: 3 },
    () => new Schedules({ db, clock, log: silentLog, access, servers, consoles, backups, activity }),
  )
  try {
    for (let day = 0; day < 3; day++) {
      clock.setTo(before4 + 1000 + day * 24 * 60 * minuteMs)
      const tables = [world.schedules, ...rivals].map(({ timetable }) => timetable)
      await Promise.all(tables.map((timetable) => timetable.look()))
      await Promise.all(tables.map((timetable) => timetable.idle()))
    }
    for (const id of ids)
      assert.deepEqual(
        (await world.runs(id)).map(({ state }) => state),
        ['done', 'done', 'done'],
      )
    assert.equal(world.asked('power restart').length, 15)
  } finally {
    for (const rival of rivals) await rival[Symbol.asyncDispose]()
  }
})

testOnEachDatabase(
  'a run that the panel was not there for is recorded, or runs late, as the schedule says',
  async (config) => {
    await using world = await startWorld(config)
    const { ada, params } = world
    const skip = await ada.api.createSchedule({ params, body: { ...nightly, tasks: [restart] } })
    const late = await ada.api.createSchedule({ params, body: { ...nightly, missed: 'run_once', tasks: [restart] } })
    // Nobody looks for two days and a bit.
    await world.goTo(before4 + 1000 + 2 * 24 * 60 * minuteMs + lateMaxMs + 1)
    const shown = async (id: string) =>
      (await world.runs(id)).map(({ state, dueAt, missed, startedAt }) => [state, dueAt, missed, startedAt !== null])
    assert.deepEqual(await shown(skip.id), [['missed', '2026-01-17T03:00:00.000Z', 3, false]])
    assert.deepEqual(await shown(late.id), [
      ['done', '2026-01-17T03:00:00.000Z', 0, true],
      ['missed', '2026-01-16T03:00:00.000Z', 2, false],
    ])
    assert.match((await world.runs(late.id))[0]?.message ?? '', /late/)
    assert.equal(world.asked('power restart').length, 1)
    const { nextRunAt } = await ada.api.schedule({ params: { ...params, schedule: skip.id } })
    assert.equal(nextRunAt, '2026-01-18T03:00:00.000Z')
  },
)

testOnEachDatabase(
  'a run whose panel died is recorded as interrupted, with its task, and not taken up again',
  async (config) => {
    await using world = await startWorld(config)
    const { ada, params, db, clock, access, servers, consoles, backups, activity } = world
    const made = await ada.api.createSchedule({
      params,
      body: {
        ...nightly,
        tasks: [
          { kind: 'command', command: 'say bye' },
          { ...restart, delaySeconds: 600 },
        ],
      },
    })
    clock.advance(1000)
    await world.schedules.timetable.look()
    await clock.asleep(600_000)
    // Its panel says nothing any more: as if it had been killed.
    await db.kysely
      .updateTable('schedule_runs')
      .set({ seen_at: clock.now() - aliveMaxMs - 1 })
      .execute()
    await using other = new Schedules({ db, clock, log: silentLog, access, servers, consoles, backups, activity })
    await other.timetable.look()
    const [run] = await world.runs(made.id)
    assert.equal(run?.state, 'interrupted')
    assert.match(run?.message ?? '', /before task 2/)
    assert.deepEqual(
      run?.tasks.map(({ state }) => state),
      ['done', 'not_run'],
    )
    // The first panel was only slow: what it still holds is no longer its own.
    clock.advance(600_000)
    await world.schedules.timetable.idle()
    assert.deepEqual(world.asked('power'), [])
    assert.deepEqual(await world.runs(made.id), [run])
  },
)

test('a panel that stops writes down where its runs were', async () => {
  await using world = await startWorld()
  const { ada, params, db, clock, access, servers, consoles, backups, activity } = world
  const made = await ada.api.createSchedule({
    params,
    body: { ...nightly, tasks: [{ kind: 'wait', until: 'offline' }, restart] },
  })
  const stopping = new Schedules({ db, clock, log: silentLog, access, servers, consoles, backups, activity })
  await stopping.timetable.takeNow(params.serverId, made.id)
  await clock.asleep(300_000)
  await stopping[Symbol.asyncDispose]()
  const [run] = await world.runs(made.id)
  assert.deepEqual([run?.state, run?.tasks.map(({ state }) => state)], ['interrupted', ['interrupted', 'not_run']])
  assert.match(run?.message ?? '', /during task 1/)
})

testOnEachDatabase('nobody schedules what they may not do', async (config) => {
  await using world = await startWorld(config)
  const { ada, bob, params } = world
  await world.give(bob, ['schedules.read', 'schedules.create', 'schedules.update', 'console.write'])
  const say = { kind: 'command', command: 'say hi' } as const
  await assert.rejects(bob.api.createSchedule({ params, body: { ...nightly, tasks: [say, restart] } }), {
    code: 'forbidden',
    message: /control\.restart/,
  })
  const own = await bob.api.createSchedule({ params, body: { ...nightly, tasks: [say] } })
  const schedule = { ...params, schedule: own.id }
  await assert.rejects(bob.api.updateSchedule({ params: schedule, body: { tasks: [restart] } }), { code: 'forbidden' })
  const adas = await ada.api.createSchedule({ params, body: { ...nightly, tasks: [restart] } })
  // Even a new name would make it act with Bob's permissions.
  for (const body of [{ name: 'Mine' }, { enabled: false }, {}])
    await assert.rejects(bob.api.updateSchedule({ params: { ...params, schedule: adas.id }, body }), {
      code: 'forbidden',
    })
  assert.equal((await bob.api.schedule({ params: { ...params, schedule: adas.id } })).by, 'ada@example.com')
  await bob.api.updateSchedule({ params: schedule, body: { name: 'Mine' } })
})

testOnEachDatabase('a run acts with what its last editor may do at that moment', async (config) => {
  await using world = await startWorld(config)
  const { ada, bob, params } = world
  await world.give(bob, ['schedules.create', 'control.restart', 'console.write'])
  const made = await bob.api.createSchedule({
    params,
    body: {
      ...nightly,
      tasks: [
        { kind: 'command', command: 'say hi' },
        { ...restart, delaySeconds: 70 },
      ],
    },
  })
  world.clock.advance(1000)
  await world.schedules.timetable.look()
  await world.clock.asleep(70_000)
  await ada.api.updateSubuser({ params: { ...params, subuser: bob.userId }, body: { permissions: ['console.write'] } })
  world.clock.advance(70_000)
  await world.schedules.timetable.idle()
  const [run] = await world.runs(made.id)
  assert.deepEqual([run?.state, run?.tasks.map(({ state }) => state)], ['failed', ['done', 'failed']])
  assert.match(run?.message ?? '', /Task 2 failed: bob@example.com no longer holds control\.restart/)
  await ada.api.deleteSubuser({ params: { ...params, subuser: bob.userId } })
  await world.goTo(before4 + 1000 + 24 * 60 * minuteMs)
  const [next] = await world.runs(made.id)
  assert.equal(next?.state, 'failed')
  assert.match(next?.message ?? '', /bob@example.com can no longer use this server/)
  assert.deepEqual(world.asked('power'), [])
  // Whoever saves it lends it their permissions.
  await ada.api.updateSchedule({ params: { ...params, schedule: made.id }, body: { tasks: [restart] } })
  await world.goTo(before4 + 1000 + 2 * 24 * 60 * minuteMs)
  assert.deepEqual([(await world.runs(made.id))[0]?.state, world.asked('power').length], ['done', 1])
})

testOnEachDatabase('many who race for the last schedule: one wins (CVE-2025-69198)', async (config) => {
  await using world = await startWorld(config)
  const { ada, params } = world
  const create = () => ada.api.createSchedule({ params, body: { ...nightly, tasks: [restart] } })
  for (let n = 1; n < schedulesPerServer; n++) await create()
  const racing = await Promise.allSettled(Array.from({ length: 8 }, create))
  assert.equal(racing.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of racing)
    if (result.status === 'rejected') assert.match(result.reason.message, /has 10 schedules, and may have 10/)
  assert.equal((await ada.api.schedules({ params })).length, schedulesPerServer)
})

test('skips a run whose server is not running where it asks for that, and says so', async () => {
  await using world = await startWorld()
  const { ada, params } = world
  const made = await ada.api.createSchedule({ params, body: { ...nightly, onlyWhenRunning: true, tasks: [restart] } })
  world.node.enter(params.serverId, 'offline')
  await until('offline', async () => (await ada.api.server({ params })).status === 'offline')
  await world.goTo(before4 + 1000)
  const [run] = await world.runs(made.id)
  assert.deepEqual([run?.state, run?.message], ['skipped', 'Lobby was not running: it is offline.'])
  assert.deepEqual(world.asked('power'), [])
})

test('skips a run while the one before is still going; a run by hand is refused then', async () => {
  await using world = await startWorld()
  const { ada, params, clock } = world
  const made = await ada.api.createSchedule({
    params,
    body: { name: 'Often', cron: '* * * * *', tasks: [{ ...restart, delaySeconds: 90 }] },
  })
  const schedule = { ...params, schedule: made.id }
  clock.advance(1000)
  await world.schedules.timetable.look()
  await clock.asleep(90_000)
  await assert.rejects(ada.api.runSchedule({ params: schedule }), { code: 'conflict' })
  clock.advance(minuteMs)
  await world.schedules.timetable.look()
  assert.deepEqual(
    (await world.runs(made.id)).map(({ state }) => state),
    ['skipped', 'running'],
  )
  clock.advance(minuteMs / 2)
  await world.schedules.timetable.idle()
  assert.equal(world.asked('power').length, 1)
})

test('a run by hand works while it is disabled, and twice in one moment are two', async () => {
  await using world = await startWorld()
  const { ada, params } = world
  const made = await ada.api.createSchedule({ params, body: { ...nightly, enabled: false, tasks: [restart] } })
  assert.deepEqual([made.nextRunAt, made.nextRuns], [null, []])
  const schedule = { ...params, schedule: made.id }
  for (let n = 0; n < 2; n++) {
    await ada.api.runSchedule({ params: schedule })
    await world.schedules.timetable.idle()
  }
  await world.goTo(before4 + 1000)
  assert.deepEqual(
    (await world.runs(made.id)).map(({ state, cause }) => [state, cause]),
    [
      ['done', 'manual'],
      ['done', 'manual'],
    ],
  )
})

test('goes on after a failed task where the task says so, and stops where it does not', async () => {
  await using world = await startWorld()
  const { ada, params } = world
  world.node.meddle = (operation) => {
    if (operation === 'command') throw new Error('broken')
  }
  const say = { kind: 'command', command: 'say hi' } as const
  const goesOn = await ada.api.createSchedule({
    params,
    body: { ...nightly, tasks: [{ ...say, continueOnFailure: true }, restart] },
  })
  const stops = await ada.api.createSchedule({ params, body: { ...nightly, tasks: [say, restart] } })
  await world.goTo(before4 + 1000)
  const states = async (id: string) => (await world.runs(id))[0]?.tasks.map(({ state }) => state)
  assert.deepEqual(await states(goesOn.id), ['failed', 'done'])
  assert.deepEqual(await states(stops.id), ['failed', 'not_run'])
  assert.doesNotMatch((await world.runs(stops.id))[0]?.message ?? '', /broken/, 'our own faults are for the log')
})

test('waits for a status, and fails with what the server does instead when its time is over', async () => {
  await using world = await startWorld()
  const { ada, params, clock, node } = world
  const made = await ada.api.createSchedule({
    params,
    body: { ...nightly, tasks: [{ kind: 'wait', until: 'offline', timeoutSeconds: 70 }] },
  })
  const schedule = { ...params, schedule: made.id }
  await ada.api.runSchedule({ params: schedule })
  await clock.asleep(70_000)
  node.enter(params.serverId, 'offline')
  await world.schedules.timetable.idle()
  node.enter(params.serverId, 'running')
  await until('running', async () => (await ada.api.server({ params })).status === 'running')
  await ada.api.runSchedule({ params: schedule })
  await clock.asleep(70_000)
  clock.advance(70_000)
  await world.schedules.timetable.idle()
  const [second, first] = await world.runs(made.id)
  assert.equal(first?.state, 'done')
  assert.match(second?.message ?? '', /was not offline within 70 s: it is running/)
})

test('a change of name loses no run that is due; a change of pattern moves the next one', async () => {
  await using world = await startWorld()
  const { ada, params, clock } = world
  const made = await ada.api.createSchedule({ params, body: { ...nightly, tasks: [restart] } })
  const schedule = { ...params, schedule: made.id }
  clock.advance(1000)
  await ada.api.updateSchedule({ params: schedule, body: { name: 'Renamed', cron: '0 5 * * *' } })
  await world.schedules.timetable.look()
  await world.schedules.timetable.idle()
  assert.equal(world.asked('power').length, 1)
  const moved = await ada.api.schedule({ params: schedule })
  assert.deepEqual([moved.name, moved.nextRunAt], ['Renamed', '2026-01-15T04:00:00.000Z'])
  const off = await ada.api.updateSchedule({ params: schedule, body: { enabled: false } })
  assert.equal(off.nextRunAt, null)
  await world.goTo(before4 + 7 * 24 * 60 * minuteMs)
  assert.equal(world.asked('power').length, 1)
})

test('a node that is away when a run begins, and back soon, costs nothing', async () => {
  await using world = await startWorld()
  const { ada, params, node, clock } = world
  const { timetable } = world.schedules
  const made = await ada.api.createSchedule({ params, body: { ...nightly, tasks: [restart] } })
  await node.leave()
  await until('away', async () => (await ada.api.server({ params })).status === 'unknown')
  clock.setTo(before4 + 1000)
  await timetable.look()
  assert.deepEqual(world.asked('power'), [])
  await node.connect()
  await timetable.idle()
  assert.deepEqual(
    (await world.runs(made.id)).map(({ state }) => state),
    ['done'],
  )
  assert.equal(world.asked('power restart').length, 1)
})

test('a deleted schedule does nothing more, also in the middle of a run', async () => {
  await using world = await startWorld()
  const { ada, params, clock } = world
  const made = await ada.api.createSchedule({ params, body: { ...nightly, tasks: [{ ...restart, delaySeconds: 70 }] } })
  const schedule = { ...params, schedule: made.id }
  await ada.api.runSchedule({ params: schedule })
  await clock.asleep(70_000)
  await ada.api.deleteSchedule({ params: schedule })
  clock.advance(70_000)
  await world.schedules.timetable.idle()
  assert.deepEqual(world.asked('power'), [])
  for (const gone of [ada.api.schedule, ada.api.deleteSchedule, ada.api.scheduleRuns, ada.api.runSchedule])
    await assert.rejects(gone({ params: schedule }), { code: 'not_found' })
})

test('finds a schedule under its own server alone', async () => {
  await using world = await startWorld()
  const { ada, params } = world
  const made = await ada.api.createSchedule({ params, body: { ...nightly, tasks: [restart] } })
  const elsewhere = { ...(await world.newServer()), schedule: made.id }
  for (const ask of [ada.api.schedule, ada.api.deleteSchedule, ada.api.scheduleRuns, ada.api.runSchedule])
    await assert.rejects(ask({ params: elsewhere }), { code: 'not_found' })
  await assert.rejects(ada.api.updateSchedule({ params: elsewhere, body: { name: 'x' } }), { code: 'not_found' })
})

test('refuses patterns that are none, too frequent or never come, unknown zones, and tasks that are none', async () => {
  await using world = await startWorld()
  const { ada, params } = world
  const create = (body: object) => ada.api.createSchedule({ params, body: { ...nightly, tasks: [restart], ...body } })
  for (const body of [
    { cron: '*/10 * * * * *' },
    { cron: '61 * * * *' },
    { cron: '0 0 31 2 *' },
    { cron: '2030-01-01T00:00:00' },
    { cron: '* * * * *; rm -rf /' },
    { cron: '1,'.repeat(60) },
    { timeZone: 'Mars/Olympus' },
    { timeZone: '../../etc/localtime' },
    { timeZone: '+02:00' },
    { tasks: [] },
    { tasks: Array.from({ length: 21 }, () => restart) },
    { tasks: [{ kind: 'power', action: 'explode' }] },
    { tasks: [{ kind: 'backup', timeoutSeconds: 0 }] },
    { tasks: [{ kind: 'command', command: 'say hi\nop eve' }] },
    { tasks: [{ ...restart, delaySeconds: 3601 }] },
    { tasks: [{ ...restart, delaySeconds: -1 }] },
    { name: '\u001b[2J' },
  ])
    await assert.rejects(create(body), { code: 'invalid_request' }, JSON.stringify(body))
  assert.deepEqual(await ada.api.schedules({ params }), [])
})

testOnEachDatabase('keeps the newest results only', async (config) => {
  await using world = await startWorld(config)
  const { ada, params, db } = world
  const made = await ada.api.createSchedule({ params, body: { name: 'Often', cron: '* * * * *', tasks: [restart] } })
  for (let n = 0; n < runsKeptMax + 5; n++) await world.goTo(before4 + 1000 + n * minuteMs)
  const runs = await world.runs(made.id)
  assert.equal(runs.length, runsKeptMax)
  assert.equal(runs[0]?.dueAt, new Date(before4 + 1000 + (runsKeptMax + 4) * minuteMs).toISOString())
  assert.ok(runs.every(({ state }) => state === 'done'))
  assert.equal((await db.kysely.selectFrom('schedule_runs').select('id').execute()).length, runsKeptMax)
})
