// What the other slices use of the servers' usage over time.
export { statsHandlers } from './routes.ts'
export { Stats } from './stats.ts'
