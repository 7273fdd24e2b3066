// What the other slices use of watching.
export { watchingHandlers } from './routes.ts'
export { type Happened, Watching } from './watching.ts'
