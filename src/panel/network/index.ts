// What the other slices use of the network.
export { type Address, addressText, publicAddressOf } from './address.ts'
export { Allocations, type ServersOfNetwork } from './allocations.ts'
export { allocationLimitDefault, allocationLimitMax } from './limits.ts'
export { freePorts } from './pool.ts'
export { networkHandlers } from './routes.ts'
export { type AllocationWithTunnel, allocationsOf, insertAllocation, moveAllocation, portsTaken } from './store.ts'
export { allocationView } from './view.ts'
