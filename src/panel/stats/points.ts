import type { StatsRange } from '../../contract/api/stats.ts'
import { playersMax } from '../../contract/node-watching.ts'
import { bytesMax, milliCoresMax } from './limits.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** How finely time is kept, and for how long: a point a minute, every five, an hour. Each is made of the one before. */
export const resolutions = [
  { stepMs: minuteMs, keptMs: dayMs },
  { stepMs: 5 * minuteMs, keptMs: 7 * dayMs },
  { stepMs: hourMs, keptMs: 90 * dayMs },
] as const

/** How far each range goes back, and in which steps: a graph has at most about two thousand points. */
export const ranges: Readonly<Record<StatsRange, { lengthMs: number; stepMs: number }>> = {
  '1h': { lengthMs: hourMs, stepMs: minuteMs },
  '6h': { lengthMs: 6 * hourMs, stepMs: minuteMs },
  '24h': { lengthMs: dayMs, stepMs: minuteMs },
  '7d': { lengthMs: 7 * dayMs, stepMs: 5 * minuteMs },
  '30d': { lengthMs: 30 * dayMs, stepMs: hourMs },
  '90d': { lengthMs: 90 * dayMs, stepMs: hourMs },
}

/** What a server used during one step. Whole numbers, so that both databases keep them exactly. */
export interface Point {
  /** When it begins, ms since 1970, a multiple of its step. */
  at: number
  /** How many measurements it is made of. */
  samples: number
  /** Thousandths of a core. */
  cpuAverage: number
  cpuPeak: number
  memoryAverage: number
  memoryPeak: number
  /** At its end. */
  disk: number
  /** Bytes during it; null where the machine cannot tell. */
  rx: number | null
  tx: number | null
  /** The most at one moment; null where nobody knows. */
  players: number | null
}

export interface Measurement {
  cpuCores: number
  memoryBytes: number
  diskBytes: number
  networkRxBytes: number | null
  networkTxBytes: number | null
  players: { online: number } | null
}

export const startOf = (at: number, stepMs: number): number => Math.floor(at / stepMs) * stepMs

/**
 * One measurement as a point of its minute. `before` is the one that came before it, for what went through the network since;
 * null where there was none. Whatever a node says stays within bounds.
 */
export function measured(measurement: Measurement, before: Measurement | null, now: number): Point {
  const cpu = whole(measurement.cpuCores * 1000, milliCoresMax)
  const memory = whole(measurement.memoryBytes, bytesMax)
  return {
    at: startOf(now, minuteMs),
    samples: 1,
    cpuAverage: cpu,
    cpuPeak: cpu,
    memoryAverage: memory,
    memoryPeak: memory,
    disk: whole(measurement.diskBytes, bytesMax),
    rx: grown(measurement.networkRxBytes, before?.networkRxBytes),
    tx: grown(measurement.networkTxBytes, before?.networkTxBytes),
    players: measurement.players && whole(measurement.players.online, playersMax),
  }
}

/** Several points, oldest first, as the one at `at` that stands for all of them. There is at least one. */
export function combined(points: readonly [Point, ...Point[]], at: number): Point {
  const samples = points.reduce((sum, point) => sum + point.samples, 0)
  const average = (of: (point: Point) => number): number =>
    Math.round(points.reduce((sum, point) => sum + of(point) * (point.samples / samples), 0))
  const last = points.at(-1) ?? points[0]
  return {
    at,
    samples,
    cpuAverage: average((point) => point.cpuAverage),
    cpuPeak: Math.max(...points.map((point) => point.cpuPeak)),
    memoryAverage: average((point) => point.memoryAverage),
    memoryPeak: Math.max(...points.map((point) => point.memoryPeak)),
    disk: last.disk,
    rx: total(points.map((point) => point.rx)),
    tx: total(points.map((point) => point.tx)),
    players: most(points.map((point) => point.players)),
  }
}

/** Points of a finer step, oldest first, as points of `stepMs`, oldest first. */
export function downsampled(points: readonly Point[], stepMs: number): Point[] {
  return [...Map.groupBy(points, ({ at }) => startOf(at, stepMs))].map(([at, [first, ...rest]]) =>
    combined([first as Point, ...rest], at),
  )
}

/** The moments of a graph that ends with the last whole step before `now`. */
export function gridOf(range: StatsRange, now: number): { stepMs: number; from: number; to: number; at: number[] } {
  const { lengthMs, stepMs } = ranges[range]
  const to = startOf(now, stepMs)
  const from = to - lengthMs
  return { stepMs, from, to, at: Array.from({ length: lengthMs / stepMs }, (_, n) => from + n * stepMs) }
}

const whole = (value: number, most: number): number => Math.round(Math.min(most, Math.max(0, value)))

/** What a counter grew by; one that is smaller than before has begun anew. */
function grown(now: number | null, before: number | null | undefined): number | null {
  if (now === null) return null
  if (before === null || before === undefined) return 0
  return whole(now >= before ? now - before : now, bytesMax)
}

function most(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : Math.max(...known)
}

function total(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0
    ? null
    : Math.min(
        bytesMax,
        known.reduce((sum, value) => sum + value, 0),
      )
}
