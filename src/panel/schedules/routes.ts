import type { scheduleOperations } from '../../contract/api/schedules.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Schedules } from './schedules.ts'

export function scheduleHandlers(schedules: Schedules): Handlers<typeof scheduleOperations, PanelContexts> {
  return {
    schedules: ({ server }) => schedules.all(server),
    createSchedule: ({ caller, server, body }) => schedules.create(caller, server, body),
    schedule: ({ server, params }) => schedules.one(server, params.schedule),
    updateSchedule: ({ caller, server, params, body }) => schedules.update(caller, server, params.schedule, body),
    deleteSchedule: async ({ server, params }) => {
      await schedules.remove(server, params.schedule)
      return { message: 'Schedule deleted successfully' }
    },
    runSchedule: async ({ server, params }) => ({
      message: 'Schedule run initiated',
      runId: await schedules.run(server, params.schedule),
    }),
    scheduleRuns: ({ server, params }) => schedules.runs(server, params.schedule),
  }
}
