import { queryOptions } from '@tanstack/react-query'
import type { z } from 'zod'
import type { Schedule as Declared, ScheduleRun as DeclaredRun } from '../../src/contract/api/schedules.ts'
import { api } from '../api/api.ts'

export type { ScheduleTask } from '../../src/contract/api/schedules.ts'
export type Schedule = z.output<typeof Declared>
export type ScheduleRun = z.output<typeof DeclaredRun>

/** How often a run that is under way is asked for, in ms. */
const runningEveryMs = 1_000
/** How long after its time a run is asked for, in ms: the panel takes it within a second. */
const graceMs = 1_500
/** The longest that the list stays as it is, in ms: others change it too. */
const idleEveryMs = 60_000

export const schedulesQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'schedules'],
    queryFn: ({ signal }) => api.schedules({ params: { serverId } }, { signal }),
    refetchInterval({ state: { data = [] } }) {
      if (data.some(({ lastRun }) => lastRun?.state === 'running')) return runningEveryMs
      const due = data.flatMap(({ nextRunAt }) => (nextRunAt ? [Date.parse(nextRunAt) - Date.now() + graceMs] : []))
      return Math.max(graceMs, Math.min(idleEveryMs, ...due))
    },
  })

export const runsQuery = (serverId: string, schedule: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'schedules', schedule, 'runs'],
    queryFn: ({ signal }) => api.scheduleRuns({ params: { serverId, schedule } }, { signal }),
    refetchInterval: ({ state: { data } }) => (data?.[0]?.state === 'running' ? runningEveryMs : idleEveryMs),
  })
