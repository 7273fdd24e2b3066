import type { tunnelOperations } from '../../contract/api/tunnels.ts'
import type { Handlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Tunnels } from '../tunnels/index.ts'
import type { EdgeDirectory } from './directory.ts'
import type { Edges } from './edges.ts'

export interface TunnelRouteOptions {
  tunnels: Tunnels
  edges: Edges
  directory: EdgeDirectory
  /** Where visitors find tunnels by the workspace's own domains, by tunnel. */
  domainUrls(workspaceId: string): Promise<ReadonlyMap<string, readonly string[]>>
  /** Where edges dial this panel. */
  endpoint: () => { port: number; pin: string }
}

export const tunnelRoutes = ({
  tunnels,
  edges,
  directory,
  domainUrls,
  endpoint,
}: TunnelRouteOptions): Handlers<typeof tunnelOperations, PanelContexts> => ({
  async tunnels({ workspace }) {
    const rows = await tunnels.list(workspace.id)
    const urls = await domainUrls(workspace.id)
    return {
      tunnels: rows.map((row) => {
        const open = edges.openTunnel(row.id)
        const addresses = tunnels.addressesOf(row, workspace.slug)
        return {
          id: row.id,
          name: row.name,
          kind: row.kind,
          url: addresses[0],
          addresses: [...addresses, ...(urls.get(row.id) ?? [])],
          open: open !== null,
          openSince: open === null ? null : isoTime(open.since),
          connections: open?.connections ?? 0,
          serverId: row.server_id === null ? null : `servers/${row.server_id}`,
          createdAt: isoTime(row.created_at),
        }
      }),
    }
  },
  async deleteTunnel({ workspace, params }) {
    return { id: await tunnels.remove(workspace, params.tunnel), closed: true }
  },
  edges() {
    return {
      edges: directory.listed().map(({ id, facts: { host, linkPort, pin, base, region }, online }) => ({
        id,
        host,
        port: linkPort,
        pin,
        base,
        region,
        online,
      })),
    }
  },
  edge: ({ params }) => edges.details(params.edge),
  async createEdge({ body }) {
    const { id, credential } = await edges.create(body.name)
    return { id, name: body.name, credential: credential.reveal(), panel: endpoint() }
  },
  async deleteEdge({ params }) {
    await edges.remove(params.edge)
    return { id: params.edge, removed: true }
  },
})
