// What the other slices use of schedules.
export { scheduleHandlers } from './routes.ts'
export { Schedules } from './schedules.ts'
export { countSchedules, setScheduleLimit } from './store.ts'
