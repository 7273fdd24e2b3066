// What the other slices use of the activity log.
export { Activity } from './activity.ts'
export type { Act } from './entry.ts'
export { recordDenials, recorded, whoOf } from './recording.ts'
export { activityHandlers } from './routes.ts'
