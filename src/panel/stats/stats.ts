import type { z } from 'zod'
import type { ServerStats, StatsRange } from '../../contract/api/stats.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Database } from '../db/index.ts'
import type { Servers } from '../servers/index.ts'
import { lookEveryMs, serversPerWrite, waitingMax } from './limits.ts'
import {
  combined,
  downsampled,
  gridOf,
  type Measurement,
  measured,
  type Point,
  resolutions,
  startOf,
} from './points.ts'
import { existingServers, pointsOf, removeOlder, savePoints } from './store.ts'

interface Watched {
  last: Measurement
  lastAt: number
  /** The minute that goes on; null once it has been handed over to be written. */
  minute: Point | null
}

interface Waiting {
  serverId: string
  point: Point
}

/**
 * What servers have used over time. Each measurement of a node is added to its minute in memory; a minute that is over is
 * written, and the five minutes and the hour it belongs to are computed anew from what is written. So a panel that is killed
 * loses the minute that goes on and nothing else, and any number of panels may do this at once.
 */
export class Stats implements AsyncDisposable {
  readonly #db: Database
  readonly #clock: Clock
  readonly #log: Log
  readonly #watched = new Map<string, Watched>()
  readonly #stopListening: () => void
  readonly #timer: NodeJS.Timeout
  #waiting: Waiting[] = []
  #writing: Promise<void> = Promise.resolve()
  #tidiedAt = Number.NEGATIVE_INFINITY

  constructor({ db, clock, log, servers }: { db: Database; clock: Clock; log: Log; servers: Pick<Servers, 'news'> }) {
    this.#db = db
    this.#clock = clock
    this.#log = log
    this.#stopListening = servers.news.on((news) => {
      if (news.type === 'usage') this.#add(news.serverId, news.usage)
    })
    this.#timer = setInterval(() => void this.flush(), lookEveryMs).unref()
  }

  /** Writes the minutes that are over. Never rejects: what could not be written is written the next time. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const minute = startOf(this.#clock.now(), minuteMs)
      for (const [serverId, watched] of this.#watched) {
        if (watched.minute && watched.minute.at < minute) this.#hand(serverId, watched)
        if (watched.lastAt < minute - continuousMs) this.#watched.delete(serverId)
      }
      await this.#write()
      await this.#tidy(minute)
    })
    return this.#writing
  }

  /** For a graph: every point of the range, null where nothing was measured. */
  async of(serverId: string, range: StatsRange): Promise<z.input<typeof ServerStats>> {
    const { stepMs, from, to, at } = gridOf(range, this.#clock.now())
    const found = await pointsOf(this.#db.kysely, [serverId], stepMs, from, to)
    const points = new Map(found.map(({ point }) => [point.at, point]))
    const each = (of: (point: Point) => number | null): (number | null)[] =>
      at.map((moment) => {
        const point = points.get(moment)
        return point ? of(point) : null
      })
    return {
      range,
      stepSeconds: stepMs / 1000,
      from: isoTime(from),
      to: isoTime(to),
      at: at.map((moment) => moment / 1000),
      cpu: { average: each((point) => point.cpuAverage / 1000), peak: each((point) => point.cpuPeak / 1000) },
      memory: { average: each((point) => point.memoryAverage), peak: each((point) => point.memoryPeak) },
      disk: each((point) => point.disk),
      networkRx: each((point) => point.rx),
      networkTx: each((point) => point.tx),
      players: each((point) => point.players),
    }
  }

  /** The minute that goes on is written as far as it has come. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopListening()
    clearInterval(this.#timer)
    await this.#writing
    for (const [serverId, watched] of this.#watched) this.#hand(serverId, watched)
    await this.#write()
  }

  #add(serverId: string, now: Measurement): void {
    const at = this.#clock.now()
    const known = this.#watched.get(serverId)
    const point = measured(now, known && at - known.lastAt <= continuousMs ? known.last : null, at)
    const same = known?.minute?.at === point.at ? known.minute : null
    if (known && !same) this.#hand(serverId, known)
    this.#watched.set(serverId, { last: now, lastAt: at, minute: same ? combined([same, point], point.at) : point })
  }

  /** The minute is over: it waits to be written. */
  #hand(serverId: string, watched: Watched): void {
    if (!watched.minute) return
    this.#waiting.push({ serverId, point: watched.minute })
    watched.minute = null
    if (this.#waiting.length > waitingMax) this.#waiting.shift()
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = new Set(this.#waiting.slice(0, serversPerWrite))
      try {
        await this.#db.transact((trx) => saveMinutes(trx, [...batch]))
      } catch (error) {
        this.#log.warn({ err: error }, 'usage of servers could not be written; it is written with the next minute')
        return
      }
      this.#waiting = this.#waiting.filter((minute) => !batch.has(minute))
    }
  }

  async #tidy(minute: number): Promise<void> {
    if (minute === this.#tidiedAt) return
    this.#tidiedAt = minute
    try {
      for (const { stepMs, keptMs } of resolutions) await removeOlder(this.#db.kysely, stepMs, minute - keptMs - stepMs)
    } catch (error) {
      this.#log.warn({ err: error }, 'old usage of servers could not be removed; trying again in a minute')
    }
  }
}

const minuteMs = resolutions[0].stepMs

/** Longer between two measurements, and what the network carried in between belongs to no point, in milliseconds. */
const continuousMs = 2 * minuteMs

async function saveMinutes(trx: Parameters<Parameters<Database['transact']>[0]>[0], batch: Waiting[]): Promise<void> {
  const there = await existingServers(trx, [...new Set(batch.map(({ serverId }) => serverId))])
  // No two rows of one query may be the same point.
  const minutes = new Map(
    batch
      .filter(({ serverId }) => there.has(serverId))
      .map((minute) => [`${minute.serverId} ${minute.point.at}`, minute]),
  )
  const added = [...minutes.values()]
  if (added.length === 0) return
  await savePoints(trx, minuteMs, added)
  for (const [index, { stepMs }] of resolutions.entries()) {
    const finer = resolutions[index - 1]
    if (!finer) continue
    for (const [at, touched] of Map.groupBy(added, ({ point }) => startOf(point.at, stepMs))) {
      const ids = [...new Set(touched.map(({ serverId }) => serverId))]
      const points = Map.groupBy(await pointsOf(trx, ids, finer.stepMs, at, at + stepMs), ({ serverId }) => serverId)
      const coarse = [...points].flatMap(([serverId, found]) =>
        downsampled(
          found.map(({ point }) => point),
          stepMs,
        ).map((point) => ({ serverId, point })),
      )
      await savePoints(trx, stepMs, coarse)
    }
  }
}
