import { PeriodEvent, RequestEvent } from '../../contract/edge-contract.ts'
import { AppError } from '../../contract/errors.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { printableLine } from '../../lib/printable.ts'
import { TokenBuckets } from '../../lib/token-buckets.ts'
import type { Database, ForeignEdgeRow, Store } from '../db/index.ts'
import type { CountedDay, UsageBook } from '../usage/index.ts'
import {
  clockSkewMaxMs,
  edgesMax,
  hostsMax,
  piecesAtOnce,
  piecesPerSecond,
  recordsAtOnce,
  recordsKeptMs,
  tidyEveryMs,
  warningsPerSecond,
} from './limits.ts'
import { forgetBefore, hostsOf, insertHost, noteReport, raisePeriod, takeNew } from './store.ts'
import { Tenants } from './tenants.ts'

const dayMs = 86_400_000

/** What a report came to: records that were taken, those that came again among them, and those that were set aside. */
export interface Taken {
  accepted: number
  dropped: number
}

/** What edges of others have counted. Records are taken one by one: a bad one is set aside alone, and told of. */
export interface ForeignBook {
  /** Requests, each known by its id: what comes again counts once. */
  requests(edge: ForeignEdgeRow, records: readonly unknown[]): Promise<Taken>
  /** Periods: of two that begin at one moment the larger one counts. */
  periods(edge: ForeignEdgeRow, records: readonly unknown[]): Promise<Taken>
}

export interface ForeignBookOptions {
  database: Database
  clock: Clock
  log: Log
  usage: Pick<UsageBook, 'add'>
}

export function createForeignBook({ database, clock, log, usage }: ForeignBookOptions): ForeignBook {
  const pieces = new TokenBuckets({ perSecond: piecesPerSecond, burst: piecesAtOnce, keysMax: edgesMax })
  const warnings = new TokenBuckets({ perSecond: warningsPerSecond, burst: 1, keysMax: edgesMax })
  let tidiedAt = Number.NEGATIVE_INFINITY

  /** Piece by piece: each is taken whole or comes again, and others get their turn. */
  const take = async (
    edge: ForeignEdgeRow,
    records: readonly unknown[],
    piece: (trx: Store, records: readonly unknown[], sorting: Sorting) => Promise<boolean>,
  ): Promise<Taken> => {
    const taken = { accepted: 0, dropped: 0 }
    for (let from = 0; from === 0 || from < records.length; from += recordsAtOnce) {
      // What was taken of the report until here is known when it comes again.
      if (!pieces.take(edge.id, performance.now()))
        throw new AppError('rate_limited', 'Too many records of this edge. Send the report again in a second.', {
          retryAfterSeconds: 1,
        })
      const some = records.slice(from, from + recordsAtOnce)
      const { accepted, dropped, why } = await database.transact(async (trx) => {
        const now = clock.now()
        const sorting = new Sorting(await Tenants.of(trx, edge), now)
        const countsRequests = await piece(trx, some, sorting)
        const report = { accepted: some.length - sorting.dropped, dropped: sorting.dropped, why: sorting.why }
        await noteReport(trx, edge.id, { ...report, countsRequests }, now)
        return report
      })
      taken.accepted += accepted
      taken.dropped += dropped
      if (why !== null && warnings.take(edge.id, performance.now()))
        log.warn({ edge: edge.id, name: edge.name, dropped, why }, 'records of an edge were set aside')
    }
    await tidy()
    return taken
  }

  const tidy = async (): Promise<void> => {
    const now = clock.now()
    if (now - tidiedAt < tidyEveryMs) return
    tidiedAt = now
    try {
      await forgetBefore(database.kysely, now - recordsKeptMs - clockSkewMaxMs)
    } catch (error) {
      log.warn({ err: error }, 'what is known of reported records could not be tidied up; trying again later')
    }
  }

  return {
    requests: (edge, records) =>
      take(edge, records, async (trx, some, sorting) => {
        const events = some.flatMap((record) => sorting.request(record) ?? [])
        const fresh = await takeNew(trx, edge.id, idsOf(events))
        const days = new Days()
        for (const { event, workspaceId, host } of events) {
          // Two of one id in one report are one, too.
          if (!fresh.delete(requestKey(event))) continue
          days.add(workspaceId, host, dayOf(event), {
            bytesIn: event.bytes_in,
            bytesOut: event.bytes_out,
            // Each window of a long connection is a record; the connection is one request.
            requests: event.connection_id === undefined || fresh.delete(connectionKey(event.connection_id)) ? 1 : 0,
            lastSeen: Math.min(event.ended_at, sorting.now),
          })
        }
        await usage.add(trx, edge.id, await days.counted(trx, edge.id, sorting.now), [])
        return events.length > 0
      }),
    periods: (edge, records) =>
      take(edge, records, async (trx, some, sorting) => {
        const days = new Days()
        const peaks = []
        for (const { event, workspaceId } of some.flatMap((record) => sorting.period(record) ?? [])) {
          const { bytes, period_start } = event
          const day = startOfDay(period_start)
          peaks.push({ workspaceId, day, peakTunnels: event.active_tunnels })
          // What it reports one by one is not counted a second time.
          if (edge.counts_requests_since !== null && event.period_end > edge.counts_requests_since) continue
          const before = await raisePeriod(trx, {
            edge_id: edge.id,
            workspace_id: workspaceId,
            period_start,
            bytes,
          })
          const lastSeen = Math.min(event.period_end, sorting.now)
          if (bytes > before)
            days.add(workspaceId, everyHost, day, { bytesIn: 0, bytesOut: bytes - before, requests: 0, lastSeen })
        }
        await usage.add(trx, edge.id, await days.counted(trx, edge.id, sorting.now), peaks)
        return false
      }),
  }
}

/** Tells the records that can be counted from those that are set aside, and says why. */
class Sorting {
  readonly #tenants: Tenants
  readonly now: number
  dropped = 0
  /** Why the last one was set aside. */
  why: string | null = null

  constructor(tenants: Tenants, now: number) {
    this.#tenants = tenants
    this.now = now
  }

  /** Null for what is set aside, and for requests to nobody's tunnel, which nobody pays for. */
  request(record: unknown): { event: RequestEvent; workspaceId: string; host: string } | null {
    const event = this.#read(RequestEvent.safeParse(record))
    if (!event || event.slug === undefined || event.outcome === 'no_route') return null
    if (!this.#isTimely(event.started_at, event.ended_at)) return null
    const found = this.#tenants.at(event.host)
    if (!this.#serves(event.slug)) return null
    if (found?.workspace.slug !== event.slug)
      return this.#drop(`${shown(event.host)} is no name of ${shown(event.slug)}`)
    return { event, workspaceId: found.workspace.id, host: found.host }
  }

  period(record: unknown): { event: PeriodEvent; workspaceId: string } | null {
    const event = this.#read(PeriodEvent.safeParse(record))
    if (!event || !this.#isTimely(event.period_start, event.period_end)) return null
    const workspace = this.#serves(event.slug)
    return workspace && { event, workspaceId: workspace.id }
  }

  #read<T>(parsed: { success: true; data: T } | { success: false; error: { issues: readonly Issue[] } }): T | null {
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    return this.#drop(`${shown(issue?.path.join('.') || 'the record')}: ${issue?.message ?? 'is not valid'}`)
  }

  #serves(slug: string) {
    return this.#tenants.bySlug(slug) ?? this.#drop(`${shown(slug)} has shown no key there`)
  }

  #isTimely(start: number, end: number): boolean {
    const { now } = this
    if (end < start) this.#drop('it ends before it begins')
    else if (end > now + clockSkewMaxMs) this.#drop('it is of the future: set the clock of the edge')
    else if (end < now - recordsKeptMs) this.#drop(`it is older than ${recordsKeptMs / dayMs} days`)
    else return true
    return false
  }

  #drop(why: string): null {
    this.dropped += 1
    this.why = `${why} (${isoTime(this.now)})`
    return null
  }
}

interface Issue {
  path: readonly PropertyKey[]
  message: string
}

/** Sums by workspace, host name and day. */
class Days {
  readonly #days = new Map<string, CountedDay & { host: string }>()

  add(
    workspaceId: string,
    host: string,
    day: number,
    { bytesIn, bytesOut, requests, lastSeen }: Pick<CountedDay, 'bytesIn' | 'bytesOut' | 'requests' | 'lastSeen'>,
  ): void {
    const key = `${workspaceId} ${host} ${day}`
    const known = this.#days.get(key)
    this.#days.set(key, {
      workspaceId,
      host,
      hostId: '',
      day,
      bytesIn: (known?.bytesIn ?? 0) + bytesIn,
      bytesOut: (known?.bytesOut ?? 0) + bytesOut,
      requests: (known?.requests ?? 0) + requests,
      lastSeen: Math.max(known?.lastSeen ?? 0, lastSeen),
    })
  }

  /** With the host names' ids, which are made where there are none. */
  async counted(trx: Store, edgeId: string, now: number): Promise<CountedDay[]> {
    const ids = new Map<string, Map<string, string>>()
    const counted = new Map<string, CountedDay>()
    for (const { host, ...day } of this.#days.values()) {
      const { workspaceId } = day
      const known =
        ids.get(workspaceId) ?? new Map((await hostsOf(trx, edgeId, workspaceId)).map((row) => [row.host, row.id]))
      ids.set(workspaceId, known)
      const told = known.has(host) || known.size < hostsMax ? host : everyHost
      const hostId = known.get(told) ?? newId('fhost')
      if (!known.has(told)) {
        await insertHost(trx, {
          id: hostId,
          edge_id: edgeId,
          workspace_id: workspaceId,
          host: told,
          first_seen_at: now,
        })
        known.set(told, hostId)
      }
      const key = `${hostId} ${day.day}`
      const same = counted.get(key)
      counted.set(key, {
        ...day,
        hostId,
        bytesIn: day.bytesIn + (same?.bytesIn ?? 0),
        bytesOut: day.bytesOut + (same?.bytesOut ?? 0),
        requests: day.requests + (same?.requests ?? 0),
        lastSeen: Math.max(day.lastSeen, same?.lastSeen ?? 0),
      })
    }
    return [...counted.values()]
  }
}

/** Under which traffic is counted whose host name is not told, or one of too many. */
const everyHost = '*'

const requestKey = ({ request_id }: RequestEvent): string => `r ${request_id}`
const connectionKey = (id: string): string => `c ${id}`

/** Requests, and the long connections that some of them are windows of. */
function idsOf(events: readonly { event: RequestEvent }[]): { id: string; at: number }[] {
  const ids = new Map<string, number>()
  for (const { event } of events) {
    ids.set(requestKey(event), event.ended_at)
    if (event.connection_id !== undefined) ids.set(connectionKey(event.connection_id), event.ended_at)
  }
  return [...ids].map(([id, at]) => ({ id, at }))
}

const startOfDay = (ms: number): number => Math.floor(ms / dayMs) * dayMs

/** Where it began; of what went on for longer than records are known, where that time begins. */
const dayOf = ({ started_at, ended_at }: RequestEvent): number =>
  startOfDay(Math.max(started_at, ended_at - recordsKeptMs))

/** What an edge has written, as it may stand in a sentence. */
const shown = (text: string): string => printableLine(text, '\ufffd').toWellFormed().slice(0, shownMax)
const shownMax = 80
