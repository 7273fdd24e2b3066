import type { foreignEdgeOperations } from '../../contract/api/foreign-edges.ts'
import { edgeContractOperations, edgeContractTransfers } from '../../contract/edge-contract.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { Secret } from '../../lib/secret.ts'
import type { PanelContexts } from '../access/index.ts'
import type { ForeignEdges } from './foreign-edges.ts'

/** What administrators do with edges of others. */
export function foreignEdgeRoutes(
  edges: ForeignEdges,
  publicUrl: () => string,
): Handlers<typeof foreignEdgeOperations, PanelContexts> {
  const shown = (credential: Secret) => ({
    credential: credential.reveal(),
    verifyUrl: publicUrl() + edgeContractOperations.verifyToken.path,
    reportUrl: publicUrl() + edgeContractTransfers.reportRequests.path,
  })
  return {
    async foreignEdges() {
      return { edges: await edges.all() }
    },
    async createForeignEdge({ body }) {
      const { credential, ...edge } = await edges.create(body)
      return { ...edge, ...shown(credential) }
    },
    async renewForeignEdge({ params }) {
      return { id: params.edge, ...shown(await edges.renew(params.edge)) }
    },
    async deleteForeignEdge({ params }) {
      await edges.remove(params.edge)
      return { id: params.edge, removed: true }
    },
  }
}
