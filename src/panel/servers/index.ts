// What the other slices use of servers.
export { mustAllowCommand } from './can.ts'
export { visibleServers } from './list.ts'
export { ownServerOperations, serverHandlers } from './routes.ts'
export { Servers } from './servers.ts'
export { liveUsage, type ServerNews } from './states.ts'
export type { Status } from './status.ts'
export type { ServerDetail } from './store.ts'
export { statusNow } from './view.ts'
