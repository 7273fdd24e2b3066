// What the rest of the node uses of transfers.
export { Arrivals } from './arrivals.ts'
export { MovingDatabases } from './databases.ts'
export { Departures } from './departures.ts'
export { transferParts } from './parts.ts'
