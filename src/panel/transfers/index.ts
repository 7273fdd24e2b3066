// What the rest of the panel uses of transfers.
export { drainHandlers, transferHandlers } from './routes.ts'
export { Transfers } from './transfers.ts'
