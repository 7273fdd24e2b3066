import { sql } from 'kysely'
import type { Store, UsageCounterRow } from '../db/index.ts'

export interface Sums {
  bytesIn: number
  bytesOut: number
  connections: number
  requests: number
  events: number
}

/** Which workspace each of these tunnels belongs to, given up or not; those that the edge was never given are left out. */
export async function workspacesOfTunnels(
  store: Store,
  edgeId: string,
  tunnelIds: string[],
): Promise<Map<string, string>> {
  if (tunnelIds.length === 0) return new Map()
  const rows = await store
    .selectFrom('tunnels')
    .innerJoin('edge_tunnels', 'edge_tunnels.tunnel_id', 'tunnels.id')
    .select(['tunnels.id', 'tunnels.workspace_id'])
    .where('tunnels.id', 'in', tunnelIds)
    .where('edge_tunnels.edge_id', '=', edgeId)
    .execute()
  return new Map(rows.map((row) => [row.id, row.workspace_id]))
}

export async function existingWorkspaces(store: Store, ids: string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const rows = await store.selectFrom('workspaces').select('id').where('id', 'in', ids).execute()
  return new Set(rows.map(({ id }) => id))
}

/** Keeps the larger of what is stored and what is given, number by number. No two rows may have the same key. */
export async function raiseCounters(store: Store, rows: UsageCounterRow[]): Promise<void> {
  if (rows.length === 0) return
  await store
    .insertInto('usage_counters')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['edge_id', 'epoch', 'tunnel_id', 'day']).doUpdateSet({
        bytes_in: larger('usage_counters', 'bytes_in'),
        bytes_out: larger('usage_counters', 'bytes_out'),
        connections: larger('usage_counters', 'connections'),
        requests: larger('usage_counters', 'requests'),
        last_seen: larger('usage_counters', 'last_seen'),
      }),
    )
    .execute()
}

/** Adds what was counted to what is stored: of sources that tell what is new, and whose repeats somebody else has sorted out. */
export async function addCounters(store: Store, rows: UsageCounterRow[]): Promise<void> {
  if (rows.length === 0) return
  await store
    .insertInto('usage_counters')
    .values(
      rows.map((row) => ({
        ...row,
        bytes_in: Math.min(row.bytes_in, countMax),
        bytes_out: Math.min(row.bytes_out, countMax),
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['edge_id', 'epoch', 'tunnel_id', 'day']).doUpdateSet({
        bytes_in: added('bytes_in'),
        bytes_out: added('bytes_out'),
        connections: added('connections'),
        requests: added('requests'),
        last_seen: larger('usage_counters', 'last_seen'),
      }),
    )
    .execute()
}

export async function raisePeaks(
  store: Store,
  rows: { edge_id: string; epoch: string; workspace_id: string; day: number; peak: number }[],
): Promise<void> {
  if (rows.length === 0) return
  await store
    .insertInto('usage_peaks')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['edge_id', 'epoch', 'workspace_id', 'day'])
        .doUpdateSet({ peak: larger('usage_peaks', 'peak') }),
    )
    .execute()
}

/** One row per day that has counters, oldest first. */
export const sumsByDay = (
  store: Store,
  workspaceId: string,
  since: number,
): Promise<({ day: number; lastSeen: number } & Sums)[]> =>
  store
    .selectFrom('usage_counters')
    .select(['day', ...sums, sql<number>`max(last_seen)`.as('lastSeen')])
    .where('workspace_id', '=', workspaceId)
    .where('day', '>=', since)
    .groupBy('day')
    .orderBy('day')
    .execute()

/** One row per tunnel that has counters, given up ones too, and per host name of edges of others. */
export const sumsByTunnel = (
  store: Store,
  workspaceId: string,
  since: number,
): Promise<({ id: string; name: string } & Sums)[]> =>
  store
    .selectFrom('usage_counters')
    .leftJoin('tunnels', 'tunnels.id', 'usage_counters.tunnel_id')
    .leftJoin('foreign_hosts', 'foreign_hosts.id', 'usage_counters.tunnel_id')
    .select(['usage_counters.tunnel_id as id', nameOfCounted.as('name'), ...sums])
    .where('usage_counters.workspace_id', '=', workspaceId)
    .where('day', '>=', since)
    .groupBy(['usage_counters.tunnel_id', 'tunnels.name', 'foreign_hosts.host'])
    .execute()

/** The highest peak of any edge, by day. */
export const peaksByDay = (
  store: Store,
  workspaceId: string,
  since: number,
): Promise<{ day: number; peak: number }[]> =>
  store
    .selectFrom('usage_peaks')
    .select(['day', sql<number>`max(peak)`.as('peak')])
    .where('workspace_id', '=', workspaceId)
    .where('day', '>=', since)
    .groupBy('day')
    .execute()

/** A tunnel's name; of what an edge of others counted, the host name. */
const nameOfCounted = sql<string>`coalesce(tunnels.name, foreign_hosts.host, usage_counters.tunnel_id)`

/** PostgreSQL adds 64-bit integers up to a decimal, which would arrive as text. */
const sum = (column: string) => sql<number>`cast(sum(${sql.ref(column)}) as bigint)`

const sums = [
  sum('bytes_in').as('bytesIn'),
  sum('bytes_out').as('bytesOut'),
  sum('connections').as('connections'),
  sum('requests').as('requests'),
  // Where requests are counted they are the events; a connection is one only where it carries no requests: on raw ports.
  sql<number>`cast(sum(case when requests > 0 then requests else connections end) as bigint)`.as('events'),
] as const

/** SQLite and PostgreSQL call the larger of two numbers by different names. */
const larger = (table: string, column: string) =>
  sql<number>`case when excluded.${sql.ref(column)} > ${sql.ref(`${table}.${column}`)} then excluded.${sql.ref(column)} else ${sql.ref(`${table}.${column}`)} end`

/** More than one name carries in a day (64 TiB): whatever an edge says, sums over a year of them stay whole numbers. */
const countMax = 2 ** 46

const added = (column: string) =>
  sql<number>`case when excluded.${sql.ref(column)} > ${countMax} - ${sql.ref(`usage_counters.${column}`)} then ${countMax} else ${sql.ref(`usage_counters.${column}`)} + excluded.${sql.ref(column)} end`
