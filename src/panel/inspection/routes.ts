import type { z } from 'zod'
import type { CapturedRequest, CapturedRequestSummary, inspectionOperations } from '../../contract/api/inspection.ts'
import type { SeenMessage, SeenRequest, SeenRequestFacts } from '../../contract/edge-inspection.ts'
import { forbidden, notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { ServerPermission } from '../../contract/permissions.ts'
import { isoTime } from '../../lib/clock.ts'
import type { Access, Caller, PanelContexts, WorkspaceMembership } from '../access/index.ts'
import type { Tunnels } from '../tunnels/index.ts'
import { readableBody } from './body-text.ts'
import { cursorOf, positionsOf } from './cursor.ts'
import type { InspectedTunnel, Inspection } from './inspection.ts'

export interface InspectionRouteOptions {
  inspection: Inspection
  tunnels: Pick<Tunnels, 'own'>
  access: Pick<Access, 'serverAccess'>
}

export function inspectionRoutes({
  inspection,
  tunnels,
  access,
}: InspectionRouteOptions): Handlers<typeof inspectionOperations, PanelContexts> {
  /** The port of a server is also its people's: whoever may not see the server's ports does not see who plays there. */
  const find = async (
    { caller, workspace, params }: Asked,
    onServer: ServerPermission = 'network.read',
  ): Promise<InspectedTunnel> => {
    const tunnel = await tunnels.own(workspace.id, params.tunnel)
    if (tunnel.server_id === null) return tunnel
    const server = await access.serverAccess(caller, tunnel.server_id)
    if (!server) throw notFound(`Tunnel ${params.tunnel}`)
    if (!server.permissions.has(onServer)) throw forbidden(`This needs the permission ${onServer} on the server`)
    return tunnel
  }
  return {
    async tunnelCapture(asked) {
      return inspection.settings(await find(asked))
    },
    async setTunnelCapture(asked) {
      await inspection.save(await find(asked, 'network.update'), asked.body)
      return asked.body
    },
    async tunnelRequests(asked) {
      const { limit, cursor, wait } = asked.query
      const since = cursor === undefined ? null : positionsOf(cursor)
      const { requests, positions, complete } = await inspection.list(
        await find(asked),
        { limit, since, waitMs: wait * 1000 },
        asked.request.signal,
      )
      return { requests: requests.map(summary), cursor: cursorOf(positions), complete }
    },
    async tunnelRequest(asked) {
      return whole(await inspection.read(await find(asked), asked.params.request))
    },
    async eraseTunnelRequests(asked) {
      return { erased: await inspection.erase(await find(asked, 'network.update')) }
    },
    async replayTunnelRequest(asked) {
      return whole(await inspection.replay(await find(asked, 'network.update'), asked.params.request, asked.body))
    },
    async tunnelConnections(asked) {
      const { connections, total, complete } = await inspection.connections(await find(asked))
      return { connections: connections.map((one) => ({ ...one, since: isoTime(one.since) })), total, complete }
    },
    async cutTunnelConnection(asked) {
      await inspection.cut(await find(asked, 'network.update'), asked.params.connection)
      return { id: asked.params.connection, cut: true }
    },
  }
}

interface Asked {
  caller: Caller
  workspace: WorkspaceMembership
  params: { tunnel: string }
}

const summary = ({ at, ...facts }: SeenRequestFacts): z.input<typeof CapturedRequestSummary> => ({
  ...facts,
  at: isoTime(at),
})

const whole = async ({ facts, request, response }: SeenRequest): Promise<z.input<typeof CapturedRequest>> => ({
  ...summary(facts),
  request: request && (await readable(request)),
  response: response && (await readable(response)),
})

const readable = async ({ headers, body }: SeenMessage) => ({ headers, body: await readableBody(body, headers) })
