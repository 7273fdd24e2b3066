import type { z } from 'zod'
import type { Usage } from '../../contract/api/usage.ts'
import { type ReceivedReport, TunnelCounter, WorkspacePeak } from '../../contract/edge.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { Database, Store, UsageCounterRow } from '../db/index.ts'
import {
  addCounters,
  existingWorkspaces,
  peaksByDay,
  raiseCounters,
  raisePeaks,
  type Sums,
  sumsByDay,
  sumsByTunnel,
  workspacesOfTunnels,
} from './store.ts'

const dayMs = 86_400_000

/** How far an edge's clock may be ahead, in milliseconds: days beyond it are refused, later times are cut to now. */
const clockSkewMaxMs = dayMs

/** What went through the tunnels. */
export interface UsageBook {
  /** Takes in what an edge has counted. Repeating, delaying or reordering reports changes nothing. */
  report(
    edgeId: string,
    report: ReceivedReport,
  ): Promise<{ accepted: number; rejected: string[]; workspaceIds: string[] }>
  /**
   * Adds what an edge of others has counted since it last told; whoever calls has left out what came before. Part of the caller's
   * transaction.
   */
  add(store: Store, edgeId: string, counted: readonly CountedDay[], peaks: readonly WorkspacePeak[]): Promise<void>
  /** The last `days` UTC days of a workspace, today included. */
  of(workspaceId: string, days: number): Promise<z.output<typeof Usage>>
}

/** What went through one name in one day, as far as it is new. */
export interface CountedDay {
  workspaceId: string
  /** Of the host name, which stands in place of a tunnel. */
  hostId: string
  /** Midnight UTC, ms since 1970. */
  day: number
  bytesIn: number
  bytesOut: number
  requests: number
  lastSeen: number
}

export function createUsage({ database, clock }: { database: Database; clock: Clock }): UsageBook {
  return {
    async report(edgeId, { epoch, counters: untrusted, peaks: untrustedPeaks }) {
      const now = clock.now()
      // One by one: a record that cannot be kept is set aside alone, however it came about.
      const counters = untrusted.flatMap((counter) => TunnelCounter.safeParse(counter).data ?? [])
      const peaks = untrustedPeaks.flatMap((peak) => WorkspacePeak.safeParse(peak).data ?? [])
      const broken = untrusted.filter((counter) => !TunnelCounter.safeParse(counter).success).map(nameOf)
      return database.transact(async (trx) => {
        // Only of tunnels that this edge was given: what a stolen credential says of others is not believed.
        const owners = await workspacesOfTunnels(trx, edgeId, [...new Set(counters.map(({ tunnelId }) => tunnelId))])
        const workspaces = await existingWorkspaces(trx, [...new Set(peaks.map(({ workspaceId }) => workspaceId))])
        const valid = counters.filter(
          (counter) => owners.get(counter.tunnelId) === counter.workspaceId && isDay(counter.day, now),
        )
        await raiseCounters(trx, mergeCounters(valid, edgeId, epoch, now))
        await raisePeaks(
          trx,
          mergePeaks(
            peaks.filter(({ workspaceId, day }) => workspaces.has(workspaceId) && isDay(day, now)),
            edgeId,
            epoch,
          ),
        )
        const accepted = new Set(valid)
        const rejected = counters.filter((counter) => !accepted.has(counter)).map(({ tunnelId }) => tunnelId)
        return {
          accepted: valid.length,
          rejected: [...new Set([...rejected, ...broken])],
          workspaceIds: [...new Set(valid.map(({ workspaceId }) => workspaceId))],
        }
      })
    },
    async add(store, edgeId, counted, peaks) {
      await addCounters(
        store,
        counted.map(({ workspaceId, hostId, day, bytesIn, bytesOut, requests, lastSeen }) => ({
          edge_id: edgeId,
          epoch: addedEpoch,
          tunnel_id: hostId,
          workspace_id: workspaceId,
          day,
          bytes_in: bytesIn,
          bytes_out: bytesOut,
          connections: 0,
          requests,
          last_seen: lastSeen,
        })),
      )
      await raisePeaks(store, mergePeaks([...peaks], edgeId, addedEpoch))
    },
    async of(workspaceId, days) {
      const since = startOfDay(clock.now()) - (days - 1) * dayMs
      const store = database.kysely
      const byDay = (await sumsByDay(store, workspaceId, since)).filter(sawTraffic)
      const byTunnel = (await sumsByTunnel(store, workspaceId, since)).filter(sawTraffic)
      const peaks = new Map((await peaksByDay(store, workspaceId, since)).map(({ day, peak }) => [day, peak]))
      const add = (pick: (row: Sums) => number): number =>
        byDay.reduce((total, row) => Math.min(total + pick(row), Number.MAX_SAFE_INTEGER), 0)
      return {
        totalBytes: add(bytesOf),
        peakTunnels: Math.max(0, ...peaks.values()),
        eventCount: add((row) => row.events),
        lastSeen: byDay.length === 0 ? null : isoTime(Math.max(...byDay.map((row) => row.lastSeen))),
        ...totalsOf({
          bytesIn: add((row) => row.bytesIn),
          bytesOut: add((row) => row.bytesOut),
          connections: add((row) => row.connections),
          requests: add((row) => row.requests),
        }),
        series: byDay.map((row) => ({
          day: isoTime(row.day),
          bytes: bytesOf(row),
          peakTunnels: peaks.get(row.day) ?? 0,
          ...totalsOf(row),
        })),
        tunnels: byTunnel
          .map((row) => ({ id: row.id, name: row.name, bytes: bytesOf(row), ...totalsOf(row) }))
          .sort((left, right) => right.bytes - left.bytes || left.name.localeCompare(right.name, 'en')),
      }
    },
  }
}

/** The epoch of what is added up here, and not at its edge. */
const addedEpoch = 'added'

/** What an unreadable counter calls its tunnel, as far as that can be shown. */
function nameOf(counter: unknown): string {
  const id = typeof counter === 'object' && counter !== null && 'tunnelId' in counter ? counter.tunnelId : ''
  return typeof id === 'string' ? id.slice(0, 100) : ''
}

const startOfDay = (ms: number): number => ms - (ms % dayMs)

const isDay = (day: number, now: number): boolean => day >= 0 && day % dayMs === 0 && day <= now + clockSkewMaxMs

const bytesOf = ({ bytesIn, bytesOut }: Sums): number => bytesIn + bytesOut

const sawTraffic = (row: Sums): boolean => bytesOf(row) + row.connections + row.requests > 0

const totalsOf = ({ bytesIn, bytesOut, connections, requests }: Omit<Sums, 'events'>) => ({
  bytesIn,
  bytesOut,
  connections,
  requests,
})

/** One row per key: the same counter twice in a report is the larger of both. */
function mergeCounters(counters: TunnelCounter[], edgeId: string, epoch: string, now: number): UsageCounterRow[] {
  const rows = new Map<string, UsageCounterRow>()
  for (const counter of counters) {
    const key = `${counter.tunnelId} ${counter.day}`
    const known = rows.get(key)
    rows.set(key, {
      edge_id: edgeId,
      epoch,
      tunnel_id: counter.tunnelId,
      workspace_id: counter.workspaceId,
      day: counter.day,
      bytes_in: Math.max(known?.bytes_in ?? 0, counter.bytesIn),
      bytes_out: Math.max(known?.bytes_out ?? 0, counter.bytesOut),
      connections: Math.max(known?.connections ?? 0, counter.connections),
      requests: Math.max(known?.requests ?? 0, counter.requests),
      last_seen: Math.max(known?.last_seen ?? 0, Math.min(counter.lastSeen, now)),
    })
  }
  return [...rows.values()]
}

function mergePeaks(peaks: WorkspacePeak[], edgeId: string, epoch: string) {
  const rows = new Map<string, { edge_id: string; epoch: string; workspace_id: string; day: number; peak: number }>()
  for (const { workspaceId, day, peakTunnels } of peaks) {
    const key = `${workspaceId} ${day}`
    rows.set(key, {
      edge_id: edgeId,
      epoch,
      workspace_id: workspaceId,
      day,
      peak: Math.max(rows.get(key)?.peak ?? 0, peakTunnels),
    })
  }
  return [...rows.values()]
}
