// What the rest of the edge uses of it.
export { inspectionAnswers } from './answers.ts'
export type { LiveConnection } from './live-connection.ts'
export { headerText, type KeptRequest } from './seen-request.ts'
export { Traffic } from './traffic.ts'
export type { TunnelTraffic } from './tunnel-traffic.ts'
