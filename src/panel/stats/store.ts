import { sql } from 'kysely'
import type { ServerStatsRow, Store } from '../db/index.ts'
import type { Point } from './points.ts'

/** Which of these servers there are: a point of a deleted one would break a whole batch. */
export async function existingServers(db: Store, ids: readonly string[]): Promise<Set<string>> {
  const rows = await db.selectFrom('servers').select('id').where('id', 'in', ids).execute()
  return new Set(rows.map(({ id }) => id))
}

/**
 * Of two panels that saw the same minute, the one that saw more of it is right: its point stays. What is computed anew from
 * finer points has at least as many measurements as before.
 */
export async function savePoints(
  db: Store,
  stepMs: number,
  points: readonly { serverId: string; point: Point }[],
): Promise<void> {
  if (points.length === 0) return
  await db
    .insertInto('server_stats')
    .values(points.map(({ serverId, point }) => rowOf(serverId, stepMs, point)))
    .onConflict((conflict) =>
      conflict
        .columns(['server_id', 'step', 'at'])
        .doUpdateSet((eb) => ({
          samples: eb.ref('excluded.samples'),
          cpu_average: eb.ref('excluded.cpu_average'),
          cpu_peak: eb.ref('excluded.cpu_peak'),
          memory_average: eb.ref('excluded.memory_average'),
          memory_peak: eb.ref('excluded.memory_peak'),
          disk: eb.ref('excluded.disk'),
          rx: eb.ref('excluded.rx'),
          tx: eb.ref('excluded.tx'),
          players: eb.ref('excluded.players'),
        }))
        .where(sql<boolean>`excluded.samples >= server_stats.samples`),
    )
    .execute()
}

/** The points of these servers from `from` until before `to`, oldest first. */
export async function pointsOf(
  db: Store,
  serverIds: readonly string[],
  stepMs: number,
  from: number,
  to: number,
): Promise<{ serverId: string; point: Point }[]> {
  const rows = await db
    .selectFrom('server_stats')
    .selectAll()
    .where('server_id', 'in', serverIds)
    .where('step', '=', stepMs)
    .where('at', '>=', from)
    .where('at', '<', to)
    .orderBy('at')
    .execute()
  return rows.map((row) => ({ serverId: row.server_id, point: pointOf(row) }))
}

export async function removeOlder(db: Store, stepMs: number, before: number): Promise<void> {
  await db.deleteFrom('server_stats').where('step', '=', stepMs).where('at', '<', before).execute()
}

const rowOf = (serverId: string, stepMs: number, point: Point): ServerStatsRow => ({
  server_id: serverId,
  step: stepMs,
  at: point.at,
  samples: point.samples,
  cpu_average: point.cpuAverage,
  cpu_peak: point.cpuPeak,
  memory_average: point.memoryAverage,
  memory_peak: point.memoryPeak,
  disk: point.disk,
  rx: point.rx,
  tx: point.tx,
  players: point.players,
})

const pointOf = (row: ServerStatsRow): Point => ({
  at: row.at,
  samples: row.samples,
  cpuAverage: row.cpu_average,
  cpuPeak: row.cpu_peak,
  memoryAverage: row.memory_average,
  memoryPeak: row.memory_peak,
  disk: row.disk,
  rx: row.rx,
  tx: row.tx,
  players: row.players,
})
