import type { z } from 'zod'
import { planNames, type TunnelPlan } from '../../contract/api/plans.ts'
import type { WorkspaceLimits } from '../../contract/edge.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Secret } from '../../lib/secret.ts'
import { Signal } from '../../lib/signals.ts'
import type { Database, PlanRow, Store } from '../db/index.ts'
import { bytesSince, planRows, plansOfWorkspaces, savePlanRow, workspacesWithTunnels } from './store.ts'

type Plan = z.output<typeof TunnelPlan>

/** What plans allow, and how much of it workspaces have used. */
export interface Plans {
  /** A plan was changed. */
  readonly changed: Signal<void>
  all(): Promise<Plan[]>
  /** Changes what is given and keeps the rest. */
  put(name: Plan['name'], change: Partial<Omit<Plan, 'name'>>): Promise<Plan>
  /** What each of these workspaces may do at this moment. Unknown ones are left out. */
  limitsOf(store: Store, workspaceIds: readonly string[]): Promise<Map<string, WorkspaceLimits>>
  /** What the month's traffic of these workspaces may be, and is; those without such a limit are left out. */
  monthOf(store: Store, workspaceIds: readonly string[]): Promise<Map<string, { used: number; most: number }>>
  /** How many names a workspace may keep; null: no limit of its plan. */
  tunnelsMax(store: Store, workspaceId: string): Promise<number | null>
  /** Workspaces that keep any tunnel. */
  concerned(): Promise<string[]>
}

export interface PlansOptions {
  database: Database
  clock: Clock
  /** What marks visitors of a workspace who were warned, the same on every panel: 32 bytes in base64url. */
  warningKey(workspaceId: string): Secret
}

export function createPlans({ database, clock, warningKey }: PlansOptions): Plans {
  const changed = new Signal<void>()
  const rowsByName = async (store: Store): Promise<Map<string, PlanRow>> =>
    new Map((await planRows(store)).map((row) => [row.name, row]))
  return {
    changed,
    async all() {
      const rows = await rowsByName(database.kysely)
      return planNames.map((name) => planOf(rows.get(name) ?? unlimited(name)))
    },
    async put(name, change) {
      const row = await database.transact(async (trx) => {
        const next = rowOf({ ...planOf((await rowsByName(trx)).get(name) ?? unlimited(name)), ...change })
        await savePlanRow(trx, next)
        return next
      })
      changed.emit()
      return planOf(row)
    },
    async limitsOf(store, workspaceIds) {
      const rows = await rowsByName(store)
      const workspaces = await plansOfWorkspaces(store, workspaceIds)
      const withQuota = workspaces.filter(({ plan }) => (rows.get(plan)?.bytes_per_month ?? null) !== null)
      const used = await bytesSince(
        store,
        withQuota.map(({ id }) => id),
        startOfMonth(clock.now()),
      )
      return new Map(
        workspaces.map(({ id, plan }) => {
          const { connections, bytes_per_second, bytes_per_month, warns_visitors } = rows.get(plan) ?? unlimited(plan)
          const overQuota = bytes_per_month !== null && (used.get(id) ?? 0) >= bytes_per_month
          const warning = warns_visitors === 1 ? { warningKey: warningKey(id).reveal() } : {}
          return [id, { connections, bytesPerSecond: bytes_per_second, overQuota, ...warning }]
        }),
      )
    },
    async monthOf(store, workspaceIds) {
      const rows = await rowsByName(store)
      const limited = (await plansOfWorkspaces(store, workspaceIds)).flatMap(({ id, plan }) => {
        const most = rows.get(plan)?.bytes_per_month ?? null
        return most === null ? [] : [{ id, most }]
      })
      const ids = limited.map(({ id }) => id)
      const used = await bytesSince(store, ids, startOfMonth(clock.now()))
      return new Map(limited.map(({ id, most }) => [id, { used: used.get(id) ?? 0, most }]))
    },
    async tunnelsMax(store, workspaceId) {
      const [workspace] = await plansOfWorkspaces(store, [workspaceId])
      return workspace ? ((await rowsByName(store)).get(workspace.plan)?.tunnels ?? null) : null
    },
    concerned: () => workspacesWithTunnels(database.kysely),
  }
}

/** Midnight UTC of the month's first day. */
export function startOfMonth(now: number): number {
  const date = new Date(now)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
}

const unlimited = (name: PlanRow['name']): PlanRow => ({
  name,
  tunnels: null,
  connections: null,
  bytes_per_second: null,
  bytes_per_month: null,
  warns_visitors: 0,
})

const planOf = ({ name, tunnels, connections, bytes_per_second, bytes_per_month, warns_visitors }: PlanRow): Plan => ({
  name,
  tunnels,
  connections,
  bytesPerSecond: bytes_per_second,
  bytesPerMonth: bytes_per_month,
  warnsVisitors: warns_visitors === 1,
})

const rowOf = ({ name, tunnels, connections, bytesPerSecond, bytesPerMonth, warnsVisitors }: Plan): PlanRow => ({
  name,
  tunnels,
  connections,
  bytes_per_second: bytesPerSecond,
  bytes_per_month: bytesPerMonth,
  warns_visitors: warnsVisitors ? 1 : 0,
})
