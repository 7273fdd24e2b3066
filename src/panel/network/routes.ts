import type { networkOperations } from '../../contract/api/network.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Allocations } from './allocations.ts'

export function networkHandlers(allocations: Allocations): Handlers<typeof networkOperations, PanelContexts> {
  return {
    allocations: async ({ server }) => ({ allocations: await allocations.list(server) }),
    createAllocation: async ({ server, body }) => {
      const allocationId = await allocations.add(server, body.notes ?? '')
      return { message: 'Allocation added', allocationId, allocation: await allocations.one(server, allocationId) }
    },
    updateAllocation: async ({ server, params, body }) => {
      await allocations.note(server, params.allocation, body.notes)
      const { port, notes } = await allocations.one(server, params.allocation)
      return { port, notes }
    },
    deleteAllocation: async ({ server, params }) => {
      await allocations.remove(server, params.allocation)
      return { message: 'Allocation removed successfully' }
    },
    makePrimary: async ({ server, params }) => {
      await allocations.makePrimary(server, params.allocation)
      return { message: 'Primary allocation updated' }
    },
    changePort: async ({ server, params }) => {
      await allocations.changePort(server, params.allocation)
      const allocation = await allocations.one(server, params.allocation)
      return { message: `Allocation moved to port ${allocation.local}`, allocation }
    },
  }
}
