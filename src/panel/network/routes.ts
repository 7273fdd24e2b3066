import { serverOperations } from '../../contract/api/servers.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import { type Nodes, nodeById } from '../nodes/index.ts'
import type { Tunnels } from '../tunnels/index.ts'
import { allocationsOf } from './store.ts'
import { allocationView } from './view.ts'

const { allocations } = serverOperations
export const networkOperations = { allocations }

export function networkHandlers({
  db,
  nodes,
  tunnels,
}: {
  db: Database
  nodes: Nodes
  tunnels: Tunnels
}): Handlers<typeof networkOperations, PanelContexts> {
  return {
    allocations: async ({ server: { row } }) => {
      const node = await nodeById(db.kysely, row.node_id)
      const place = {
        public_address: node?.public_address ?? null,
        hostname: nodes.online(row.node_id)?.facts?.hostname ?? null,
      }
      const rows = await allocationsOf(db.kysely, [row.id])
      return { allocations: rows.map((allocation) => allocationView(allocation, place, tunnels)) }
    },
  }
}
