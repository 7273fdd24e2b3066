import type { z } from 'zod'
import type { Schedule, ScheduleRun } from '../../contract/api/schedules.ts'
import { isoTime } from '../../lib/clock.ts'
import { runsAfter } from './cron.ts'
import type { Run, Schedule as StoredSchedule } from './store.ts'
import { resultsOf, tasksOf } from './timetable.ts'

/** How many coming runs a schedule's reply names: enough to see whether the pattern means what its author meant. */
const nextRunsShown = 5

export function scheduleView(row: StoredSchedule, lastRun: Run | undefined): z.input<typeof Schedule> {
  return {
    id: row.id,
    name: row.name,
    cron: row.cron,
    timeZone: row.time_zone,
    enabled: row.enabled === 1,
    onlyWhenRunning: row.only_when_running === 1,
    missed: row.missed,
    tasks: tasksOf(row),
    nextRunAt: isoOrNull(row.next_run_at),
    nextRuns: row.next_run_at === null ? [] : nextRuns(row, row.next_run_at).map(isoTime),
    lastRun: lastRun ? runView(lastRun) : null,
    by: row.editor_email,
    createdAt: isoTime(row.created_at),
    updatedAt: isoTime(row.updated_at),
  }
}

export function runView(row: Run): z.input<typeof ScheduleRun> {
  return {
    id: row.id,
    cause: row.cause,
    state: row.state,
    dueAt: isoTime(row.due_at),
    startedAt: isoOrNull(row.started_at),
    endedAt: isoOrNull(row.ended_at),
    message: row.message,
    missed: row.missed,
    by: row.editor_email,
    tasks: resultsOf(row).map(({ task, state, message, startedAt, endedAt }) => ({
      task,
      state,
      message,
      startedAt: isoOrNull(startedAt),
      endedAt: isoOrNull(endedAt),
    })),
  }
}

const nextRuns = (row: StoredSchedule, first: number): number[] => [
  first,
  ...runsAfter({ cron: row.cron, timeZone: row.time_zone }, first, nextRunsShown - 1),
]

const isoOrNull = (ms: number | null): string | null => (ms === null ? null : isoTime(ms))
