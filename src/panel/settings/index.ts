export { type Counted, type CountedThings, resourceHandlers } from './resources.ts'
export { settingsHandlers } from './routes.ts'
