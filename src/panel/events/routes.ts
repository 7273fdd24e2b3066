import type { serverSockets } from '../../contract/api/servers.ts'
import type { SocketHandlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Viewers } from './viewers.ts'

export function eventHandlers(viewers: Viewers): SocketHandlers<typeof serverSockets, PanelContexts> {
  return {
    serverEvents: ({ caller, channel, server, query, request: { address, userAgent } }) =>
      viewers.addServer({ caller, channel, server, backlog: query.backlog, from: { address, userAgent } }),
    events: ({ caller, channel }) => viewers.addOverview({ caller, channel }),
  }
}
