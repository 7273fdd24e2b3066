import { connectionsPerAnswerMax, type edgeInspection } from '../../contract/edge-inspection.ts'
import { conflict, notFound } from '../../contract/errors.ts'
import type { Contexts, Handlers } from '../../contract/operation.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Tunnel } from '../tunnel.ts'
import { replay } from './replay.ts'
import type { Traffic } from './traffic.ts'
import type { TunnelTraffic } from './tunnel-traffic.ts'

export interface InspectionOptions {
  traffic: Traffic
  /** An open tunnel. */
  tunnel(tunnelId: string): Tunnel | undefined
  release: Release
  limits: EdgeLimits
}

/** What an edge answers to a panel that looks at a tunnel's visitors. */
export function inspectionAnswers<C extends Contexts>(options: InspectionOptions): Handlers<typeof edgeInspection, C> {
  const { traffic, tunnel } = options
  const find = ({ tunnelId, workspaceId }: Asked): TunnelTraffic | undefined => {
    const found = traffic.find(tunnelId)
    return found?.workspaceId === workspaceId ? found : undefined
  }
  const gone = (id: string) => notFound(`Request ${id} (only the last ones are kept, for a while)`)
  return {
    async listRequests({ body, request }) {
      const { tunnelId, workspaceId, limit, since, waitMs } = body
      if (since === null || waitMs === 0) return find(body)?.list(limit, since) ?? { run: '', change: 0, requests: [] }
      // Whoever waits may be here before the first visitor.
      const watched = traffic.of(tunnelId, workspaceId)
      if (!watched.hasNews(since)) await watched.news(waitMs, request.signal)
      return watched.list(limit, since)
    },
    readRequest({ body }) {
      const found = find(body)?.read(body.requestId)
      if (!found) throw gone(body.requestId)
      return found
    },
    async replayRequest({ body, request }) {
      const open = tunnel(body.tunnelId)
      const original = find(body)?.find(body.requestId)
      if (!original) throw gone(body.requestId)
      if (!open || open.grant.workspaceId !== body.workspaceId)
        throw conflict('The tunnel is not open at this moment, so nothing can be sent through it. Open it first.')
      const seen = await replay({ ...options, tunnel: open, original, edits: body.edits, signal: request.signal })
      return open.traffic.shown(seen)
    },
    eraseRequests: ({ body }) => ({ erased: find(body)?.erase('all') ?? 0 }),
    setCapture({ body }) {
      find(body)?.configure(body.capture)
      return {}
    },
    listConnections: ({ body }) => find(body)?.connections(connectionsPerAnswerMax) ?? { connections: [], total: 0 },
    cutConnection({ body }) {
      if (!find(body)?.cut(body.connectionId)) throw notFound(`Connection ${body.connectionId}`)
      return {}
    },
  }
}

interface Asked {
  tunnelId: string
  workspaceId: string
}
