import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ManualClock } from '../../../test/world/manual-clock.ts'
import { until } from '../../../test/world/servers-world.ts'
import type { ConsoleLine, ServerSpec, ServerState } from '../../contract/node.ts'
import type { Players } from '../../contract/node-watching.ts'
import { silentLog } from '../../lib/log.ts'
import { Signal } from '../../lib/signals.ts'
import { makeSpec } from '../testing/world.ts'
import { lookEveryMs } from './limits.ts'
import { startWatcher, type WatchedServer } from './watcher.ts'

const start = 1_000_000

/** A server as the watcher sees it, and a game whose answers the test decides. */
async function world(t: TestContext, template: Parameters<typeof makeSpec>[0], spec: Partial<ServerSpec> = {}) {
  const clock = new ManualClock(start)
  const made = await makeSpec(template, spec)
  const onLine = new Signal<ConsoleLine>()
  const told: (number | null)[] = []
  const hung: { why: string; restart: boolean }[] = []
  const asked: [string, number][] = []
  let state: ServerState = {
    ...{ id: made.id, revision: 1, phase: 'running', since: start, message: null, lastExit: null, usage: null },
  }
  const it = {
    clock,
    spec: made,
    told,
    hung,
    asked,
    online: 3 as number | null,
    command: async (_text: string): Promise<void> => undefined,
    say: (text: string) => onLine.emit({ seq: 0, at: 0, text }),
    enter(phase: ServerState['phase']) {
      state = { ...state, phase, since: clock.now() }
    },
    /** Lets time go by, look after look, each with its questions answered. */
    async pass(seconds: number) {
      for (let passed = 0; passed < seconds * 1000; passed += lookEveryMs) {
        await clock.asleep(lookEveryMs)
        clock.advance(lookEveryMs)
        // Answers come by themselves: they are given before the next look.
        for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
      }
    },
  }
  const server = {
    id: made.id,
    spec: made,
    state: () => state,
    console: { onLine },
    command: (text: string) => it.command(text),
    async hung(why: string, restart: boolean) {
      if (state.phase !== 'running') return false
      hung.push({ why, restart })
      if (restart) it.enter('stopping')
      return true
    },
  } as unknown as WatchedServer
  const watcher = startWatcher({
    servers: () => [server],
    players: (_id, players) => told.push(players?.online ?? null),
    clock,
    log: silentLog,
    async query(kind, port): Promise<Players> {
      asked.push([kind, port])
      if (it.online === null) throw new Error('nothing came')
      return { online: it.online, max: 20, names: [], description: null, version: null, latencyMs: 1, at: clock.now() }
    },
  })
  t.after(() => watcher[Symbol.asyncDispose]())
  return { ...it, it, watcher }
}

const query = { kind: 'minecraft' } as const
const watchdog = { afterSeconds: 60 }

test('asks a running game at its primary port every fifteen seconds, and forgets who played when it stops', async (t) => {
  const { it, asked, told, spec, watcher } = await world(t, { query })
  await it.pass(33)
  assert.deepEqual(asked, Array(3).fill(['minecraft', spec.allocations[0]?.port]))
  assert.deepEqual(told, [3, 3, 3])
  assert.equal(watcher.players.get(spec.id)?.online, 3)
  it.enter('stopping')
  await it.pass(1)
  assert.deepEqual([told.at(-1), watcher.players.size], [null, 0])
  await it.pass(40)
  assert.equal(asked.length, 3)
})

test('asks nothing of a server that starts or installs, nor of one whose kind is not asked', async (t) => {
  const { it, asked } = await world(t, { query })
  for (const phase of ['installing', 'starting', 'restoring', 'offline'] as const) {
    it.enter(phase)
    await it.pass(20)
  }
  assert.deepEqual(asked, [])
  const other = await world(t, {})
  await other.it.pass(20)
  assert.deepEqual(other.asked, [])
})

test('asks no port that is not one of the server’s own', async (t) => {
  const port = { variable: 'QUERY_PORT' }
  const foreign = await world(t, { query: { ...query, port } }, { variables: { QUERY_PORT: '22' } })
  await foreign.it.pass(20)
  assert.deepEqual(foreign.asked, [])
  const none = await world(t, { query: { ...query, port } })
  await none.it.pass(20)
  assert.deepEqual(none.asked, [])
})

test('asks a game that does not answer less and less often', async (t) => {
  const { it, asked } = await world(t, { query })
  it.online = null
  await it.pass(600)
  assert.ok(asked.length >= 4 && asked.length <= 9, `${asked.length} questions`)
})

test('a hung server is restarted where that is wanted, and never again for the same silence', async (t) => {
  const { it, hung } = await world(t, { query, watchdog }, { restartOnHang: true })
  await it.pass(20)
  it.online = null
  await it.pass(200)
  assert.equal(hung.length, 1)
  assert.equal(hung[0]?.restart, true)
  assert.match(hung[0]?.why ?? '', /not answered its query for 60 seconds: it is restarted/)
})

test('a hung server is only told of where nobody asked for a restart', async (t) => {
  const { it, hung } = await world(t, { query, watchdog })
  await it.pass(20)
  it.online = null
  await it.pass(300)
  assert.deepEqual(
    hung.map(({ restart }) => restart),
    [false],
  )
})

test('a server that starts again is watched anew: its silence while it starts counts for nothing', async (t) => {
  const { it, hung } = await world(t, { query, watchdog }, { restartOnHang: true })
  await it.pass(20)
  it.online = null
  await it.pass(50)
  it.enter('starting')
  await it.pass(300)
  it.enter('running')
  await it.pass(300)
  assert.deepEqual(hung, [])
})

test('restarts end after three within an hour', async (t) => {
  const { it, hung } = await world(t, { query, watchdog }, { restartOnHang: true })
  for (let round = 0; round < 5; round++) {
    it.enter('running')
    it.online = 1
    await it.pass(20)
    it.online = null
    await it.pass(120)
  }
  assert.deepEqual(
    hung.map(({ restart }) => restart),
    [true, true, true, false, false],
  )
  assert.match(hung.at(-1)?.why ?? '', /too often already/)
})

test('a console that answers its heartbeat is alive, and one that stops doing so is hung', async (t) => {
  const sign = { by: 'console', command: 'list', answer: 'players online' } as const
  const { it, hung } = await world(t, { watchdog: { sign, afterSeconds: 120 } })
  const sent: string[] = []
  it.command = async (text) => {
    sent.push(text)
    it.say('There are 0 of 20 players online')
  }
  await it.pass(130)
  assert.deepEqual(sent, ['list', 'list', 'list'])
  it.command = async () => it.say('nothing of the kind')
  await it.pass(400)
  assert.equal(hung.length, 1)
  assert.match(hung[0]?.why ?? '', /Its console has not answered for 120 seconds/)
})

test('waits for what it asked before it is closed', async (t) => {
  const { it, watcher, told } = await world(t, { query })
  await it.pass(5)
  await watcher[Symbol.asyncDispose]()
  const count = told.length
  it.clock.advance(60_000)
  await until('a turn', () => new Promise<boolean>((resolve) => setImmediate(() => resolve(true))))
  assert.equal(told.length, count)
})
