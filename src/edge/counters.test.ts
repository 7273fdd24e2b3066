import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Clock, systemClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { Counters, dayMs, startOfDay } from './counters.ts'
import { tempFolder } from './testing/world.ts'

/** A clock that stands still until it is moved. */
function handClock(start = Date.UTC(2026, 5, 1, 12)): Clock & { move(ms: number): void } {
  let now = start
  return {
    now: () => now,
    sleep: systemClock.sleep,
    move: (ms) => {
      now += ms
    },
  }
}

async function countersFile(closer: AsyncDisposableStack): Promise<string> {
  return join(await tempFolder(closer), 'usage.counters')
}

test('what was counted is there after the process is gone without a goodbye', async () => {
  await using closer = new AsyncDisposableStack()
  const path = await countersFile(closer)
  const clock = handClock()
  const first = closer.use(new Counters(path, { clock, log: silentLog }))
  const meter = first.meter('acme/web', 'acme')
  meter.connection()
  meter.request()
  meter.in(10)
  meter.out(20)
  first.flush()
  meter.out(2 ** 40)
  first.peak('acme', 3)
  first.flush()
  // Opened beside the first one, which was never closed: as after kill -9.
  const second = closer.use(new Counters(path, { clock, log: silentLog }))
  assert.equal(second.epoch, first.epoch)
  const { counters, peaks } = second.unreported(10)
  assert.deepEqual(counters, [
    {
      tunnelId: 'acme/web',
      workspaceId: 'acme',
      day: startOfDay(clock.now()),
      bytesIn: 10,
      bytesOut: 20 + 2 ** 40,
      connections: 1,
      requests: 1,
      lastSeen: clock.now(),
    },
  ])
  assert.deepEqual(peaks, [{ workspaceId: 'acme', day: startOfDay(clock.now()), peakTunnels: 3 }])
  second.meter('acme/web', 'acme').in(1)
  assert.equal(second.unreported(10).counters[0]?.bytesIn, 11)
})

test('a write that was torn costs only that write', async () => {
  await using closer = new AsyncDisposableStack()
  const path = await countersFile(closer)
  const clock = handClock()
  const first = new Counters(path, { clock, log: silentLog })
  const meter = first.meter('t', 'w')
  for (const bytes of [1, 10, 100]) {
    meter.in(bytes)
    first.flush()
  }
  first[Symbol.dispose]()
  const whole = readFileSync(path)
  let lost = 0
  for (let at = 512 + 256; at < 512 + 384; at++) {
    const torn = Buffer.from(whole)
    torn[at] = (torn[at] ?? 0) ^ 0xff
    writeFileSync(path, torn)
    const again = new Counters(path, { clock, log: silentLog })
    const bytes = again.unreported(10).counters[0]?.bytesIn
    again[Symbol.dispose]()
    assert.ok(bytes === 111 || bytes === 11, `byte ${at}: ${bytes}`)
    if (bytes === 11) lost++
  }
  assert.equal(lost, 64)
})

test('a file that is no counters’ file is set aside and a new epoch begins', async () => {
  await using closer = new AsyncDisposableStack()
  const folder = await tempFolder(closer)
  const path = join(folder, 'usage.counters')
  for (const garbage of ['x', 'y'.repeat(5_000), Buffer.alloc(4096)]) {
    writeFileSync(path, garbage)
    const counters = new Counters(path, { clock: handClock(), log: silentLog })
    assert.match(counters.epoch, /^[0-9a-f-]{36}$/)
    assert.deepEqual(counters.unreported(10).counters, [])
    counters[Symbol.dispose]()
  }
  assert.ok(readdirSync(folder).some((name) => name.includes('broken')))
})

test('each UTC day has its own counter, also for a connection that lives through midnight', async () => {
  await using closer = new AsyncDisposableStack()
  const clock = handClock(Date.UTC(2026, 11, 31, 23, 59, 59, 999))
  const counters = closer.use(new Counters(await countersFile(closer), { clock, log: silentLog }))
  const meter = counters.meter('t', 'w')
  meter.in(1)
  clock.move(1)
  meter.in(2)
  assert.deepEqual(
    counters.unreported(10).counters.map(({ day, bytesIn }) => [new Date(day).toISOString(), bytesIn]),
    [
      ['2026-12-31T00:00:00.000Z', 1],
      ['2027-01-01T00:00:00.000Z', 2],
    ],
  )
})

test('reports what has changed, again and again until it is settled, and growth after that anew', async () => {
  await using closer = new AsyncDisposableStack()
  const counters = closer.use(new Counters(await countersFile(closer), { clock: handClock(), log: silentLog }))
  const meter = counters.meter('t', 'w')
  assert.deepEqual(counters.unreported(10).counters, [], 'nothing was counted yet')
  meter.in(1)
  assert.equal(counters.unreported(10).counters.length, 1)
  const batch = counters.unreported(10)
  meter.in(1)
  batch.settle()
  assert.equal(
    counters.unreported(10).counters[0]?.bytesIn,
    2,
    'what came after the batch was made is not settled with it',
  )
  counters.unreported(10).settle()
  assert.deepEqual(counters.unreported(10).counters, [])
})

test('frees the slots of days long past once they are settled, never before', async () => {
  await using closer = new AsyncDisposableStack()
  const path = await countersFile(closer)
  const clock = handClock()
  const counters = closer.use(new Counters(path, { clock, log: silentLog, slotsMax: 4 }))
  const meter = counters.meter('t', 'w')
  for (let day = 0; day < 4; day++) {
    meter.in(1)
    counters.flush()
    clock.move(dayMs)
  }
  assert.throws(() => counters.meter('another', 'w'), RangeError)
  meter.in(5)
  const late = counters.unreported(10)
  assert.deepEqual(
    late.counters.map(({ bytesIn }) => bytesIn),
    [1, 1, 1, 6],
    'without a free slot the day is wrong, the sum is right',
  )
  late.settle()
  counters.meter('another', 'w').in(7)
  meter.in(3)
  counters.flush()
  const again = closer.use(new Counters(path, { clock, log: silentLog }))
  assert.deepEqual(
    again
      .unreported(10)
      .counters.map(({ tunnelId, bytesIn }) => `${tunnelId} ${bytesIn}`)
      .sort(),
    ['another 7', 't 1', 't 9'],
  )
})

test('refuses an id that does not fit', async () => {
  await using closer = new AsyncDisposableStack()
  const counters = closer.use(new Counters(await countersFile(closer), { clock: handClock(), log: silentLog }))
  assert.throws(() => counters.meter('x'.repeat(113), 'w'), RangeError)
})
