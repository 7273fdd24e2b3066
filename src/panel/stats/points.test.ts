import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesMax, milliCoresMax } from './limits.ts'
import { combined, downsampled, gridOf, type Measurement, measured, type Point, ranges, resolutions } from './points.ts'

const minuteMs = 60_000
const noon = Date.UTC(2026, 5, 1, 12)
const point = (at: number, more: Partial<Point> = {}): Point => ({
  at,
  samples: 30,
  cpuAverage: 500,
  cpuPeak: 900,
  memoryAverage: 1000,
  memoryPeak: 2000,
  disk: 5,
  rx: 10,
  tx: null,
  players: null,
  ...more,
})
const usage = (more: Partial<Measurement> = {}): Measurement => ({
  cpuCores: 0.5,
  memoryBytes: 1000,
  diskBytes: 5,
  networkRxBytes: 100,
  networkTxBytes: null,
  players: null,
  ...more,
})

test('five minutes are the weighted average, the highest peak, the last disk and the sum of the network', () => {
  const minutes = [
    point(noon, { samples: 10, cpuAverage: 100, disk: 1 }),
    point(noon + minuteMs, { cpuAverage: 500, cpuPeak: 3000, memoryPeak: 9000, disk: 2 }),
    point(noon + 5 * minuteMs, { disk: 3, rx: null }),
  ]
  assert.deepEqual(downsampled(minutes, 5 * minuteMs), [
    point(noon, { samples: 40, cpuAverage: 400, cpuPeak: 3000, memoryPeak: 9000, disk: 2, rx: 20 }),
    point(noon + 5 * minuteMs, { disk: 3, rx: null }),
  ])
})

test('nothing is lost or invented on the way from minutes to hours', () => {
  const minutes = fc.uniqueArray(
    fc.record({
      minute: fc.integer({ min: 0, max: 500 }),
      samples: fc.integer({ min: 1, max: 40 }),
      cpu: fc.integer({ min: 0, max: 4000 }),
      rx: fc.integer({ min: 0, max: 1e9 }),
    }),
    { minLength: 1, selector: ({ minute }) => minute },
  )
  fc.assert(
    fc.property(minutes, (given) => {
      const points = given
        .toSorted((left, right) => left.minute - right.minute)
        .map(({ minute, samples, cpu, rx }) =>
          point(noon + minute * minuteMs, { samples, cpuAverage: cpu, cpuPeak: cpu, rx }),
        )
      const hours = downsampled(downsampled(points, 5 * minuteMs), 60 * minuteMs)
      const sum = (of: readonly Point[], pick: (one: Point) => number) => of.reduce((all, one) => all + pick(one), 0)
      for (const pick of [(one: Point) => one.samples, (one: Point) => one.rx ?? 0])
        assert.equal(sum(hours, pick), sum(points, pick))
      assert.equal(Math.max(...hours.map((one) => one.cpuPeak)), Math.max(...points.map((one) => one.cpuPeak)))
      for (const hour of hours) {
        const own = points.filter(({ at }) => at >= hour.at && at < hour.at + 60 * minuteMs)
        const exact = sum(own, (one) => one.cpuAverage * one.samples) / sum(own, (one) => one.samples)
        assert.ok(Math.abs(hour.cpuAverage - exact) <= 1.01, `${hour.cpuAverage} is not about ${exact}`)
      }
    }),
  )
})

test('counts what went through the network since the measurement before, also over a restart of the counter', () => {
  assert.equal(measured(usage(), null, noon).rx, 0)
  assert.equal(measured(usage({ networkRxBytes: 150 }), usage(), noon).rx, 50)
  assert.equal(measured(usage({ networkRxBytes: 30 }), usage(), noon).rx, 30)
  assert.equal(measured(usage({ networkRxBytes: null }), usage(), noon).rx, null)
  assert.equal(measured(usage(), usage({ networkRxBytes: null }), noon).rx, 0)
})

test('of players the most at one moment is kept, and nothing where nobody knows', () => {
  assert.equal(measured(usage({ players: { online: 7 } }), null, noon).players, 7)
  const minutes = [point(noon), point(noon + minuteMs, { players: 3 }), point(noon + 2 * minuteMs, { players: 1 })]
  assert.deepEqual(
    downsampled(minutes, 5 * minuteMs).map(({ players }) => players),
    [3],
  )
  assert.equal(combined([point(noon), point(noon)], noon).players, null)
})

test('keeps whatever a node says within bounds', () => {
  const wild = { cpuCores: 1e300, memoryBytes: Number.MAX_SAFE_INTEGER, diskBytes: -5, networkRxBytes: -7 }
  const { at, cpuPeak, memoryPeak, disk, rx } = measured(usage(wild), usage(), noon + 59_999)
  assert.deepEqual([at, cpuPeak, memoryPeak, disk, rx], [noon, milliCoresMax, bytesMax, 0, 0])
  const most = point(noon, { rx: bytesMax })
  assert.equal(combined([most, most], noon).rx, bytesMax)
})

test('a graph has a point for every step up to the last whole one, from what is kept that long', () => {
  for (const [range, { lengthMs, stepMs }] of Object.entries(ranges)) {
    const kept = resolutions.find((one) => one.stepMs === stepMs)
    assert.ok(kept && kept.keptMs >= lengthMs, range)
    assert.ok(lengthMs / stepMs <= 2160, range)
  }
  const { at, from, to } = gridOf('1h', noon + 90_000)
  assert.deepEqual(
    [at.length, at[0], at.at(-1), from, to],
    [60, noon - 59 * minuteMs, noon, noon - 59 * minuteMs, noon + minuteMs],
  )
})
