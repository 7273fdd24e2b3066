export type { CountedThings } from './counted.ts'
export { resourceHandlers } from './resources.ts'
export { settingsHandlers } from './routes.ts'
