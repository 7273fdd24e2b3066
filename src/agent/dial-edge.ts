import type { EdgeEndpoint } from '../contract/tunnel.ts'
import { type Dialler, firstDialler, tlsDialler, webSocketDialler } from '../link/index.ts'

/** How an agent reaches its edges. `auto`: directly, and by WebSocket where that does not work. */
export type EdgeTransport = 'auto' | 'direct' | 'websocket'

/**
 * Dials an edge: its own port first, with TLS and its pin; then, for networks that let only HTTPS or HTTP through, by WebSocket over
 * whatever answers for its name on port 443, and over its own port.
 */
export function edgeDialler(edge: EdgeEndpoint, transport: EdgeTransport = 'auto'): Dialler {
  const direct = wayDialler(edge, 'direct')
  if (transport === 'direct') return direct
  const byWebSocket = [wayDialler(edge, 'websocket-443'), wayDialler(edge, 'websocket')]
  return firstDialler(transport === 'websocket' ? byWebSocket : [direct, ...byWebSocket], headStartMs)
}

/** One way to an edge: its own port with TLS, or a WebSocket over whatever answers for its name on port 443, or over its own port. */
export const edgeWays = ['direct', 'websocket-443', 'websocket'] as const
export type EdgeWay = (typeof edgeWays)[number]

export function wayDialler(edge: EdgeEndpoint, way: EdgeWay): Dialler {
  switch (way) {
    case 'direct':
      return tlsDialler(edge)
    case 'websocket-443':
      return webSocketDialler({ ...edge, port: httpsPort, secure: true })
    case 'websocket':
      return webSocketDialler({ ...edge, secure: false })
  }
}

const httpsPort = 443
/** A connection over the longest line is there after one second; all three ways fit into the ten that a link may take to connect. */
const headStartMs = 3_000
