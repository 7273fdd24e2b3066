import { edgeToPanel } from '../../contract/edge.ts'
import { unauthorized } from '../../contract/errors.ts'
import type { Contexts } from '../../contract/operation.ts'
import { type Api, createApi, part } from '../../http/index.ts'
import type { Log } from '../../lib/log.ts'
import { hashSecret } from '../../lib/secret.ts'
import type { Access } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import { suspendedNow, type Tunnels } from '../tunnels/index.ts'
import type { UsageBook } from '../usage/index.ts'
import type { ConnectedEdge } from './directory.ts'
import { nodeByCredential } from './store.ts'

export interface EdgeAnswerOptions {
  database: Database
  access: Pick<Access, 'identifyKey'>
  tunnels: Pick<Tunnels, 'claim'>
  usage: Pick<UsageBook, 'report'>
  log: Log
}

/** What an edge has told that others care about. */
export interface EdgeNews {
  /** Something of these workspaces was counted. */
  reported(workspaceIds: string[]): void
  /** The edge ends soon. */
  draining(edge: ConnectedEdge): void
}

interface EdgeContexts extends Contexts {
  peer: { readonly edge: ConnectedEdge }
}

/** A list of 10,000 open tunnels is about 1.5 MB. */
const bodyBytesMax = 8 * 1024 * 1024

/** The API that one edge asks, over the streams of its link. Whoever can open those is that edge. */
export function answerEdge(
  options: EdgeAnswerOptions,
  edge: () => ConnectedEdge | null,
  { reported, draining }: EdgeNews,
): Promise<Api> {
  const { database, access, tunnels, usage, log } = options
  return createApi<EdgeContexts>({
    prefix: '',
    cors: false,
    log,
    bodyBytesMax,
    gate: {
      admit() {
        const asking = edge()
        if (!asking) throw unauthorized('The edge is not linked')
        return { edge: asking }
      },
    },
    parts: [
      part<typeof edgeToPanel, EdgeContexts>(edgeToPanel, {
        async verifyAgent({ body }) {
          const key = await access.identifyKey(body.credential)
          if (key?.suspended) throw suspendedNow(key.slug)
          if (key) return { kind: 'key', keyId: key.tokenId, workspaceId: key.workspaceId, slug: key.slug }
          const nodeId = await nodeByCredential(database.kysely, hashSecret(body.credential))
          if (nodeId !== null) return { kind: 'node', nodeId }
          throw unauthorized('The key is not valid: unknown, expired or revoked')
        },
        claimTunnel: ({ body, edge }) => tunnels.claim(body.agent, body.tunnel, edge),
        async reportUsage({ body, edge: { id } }) {
          const { workspaceIds, ...answer } = await usage.report(id, body)
          reported(workspaceIds)
          return answer
        },
        drain({ edge }) {
          draining(edge)
          return {}
        },
        reportOpenTunnels({ body, edge: { open } }) {
          open.clear()
          for (const tunnel of body) open.set(tunnel.tunnelId, tunnel)
          return {}
        },
      }),
    ],
  })
}
