// What the other slices use of live events.
export { eventHandlers } from './routes.ts'
export { Viewers } from './viewers.ts'
