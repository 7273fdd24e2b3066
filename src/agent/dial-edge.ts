import type { EdgeEndpoint } from '../contract/tunnel.ts'
import { type Dialler, firstDialler, tlsDialler, webSocketDialler } from '../link/index.ts'

/** How an agent reaches its edges. `auto`: directly, and by WebSocket where that does not work. */
export type EdgeTransport = 'auto' | 'direct' | 'websocket'

/**
 * Dials an edge: its own port first, with TLS and its pin; then, for networks that let only HTTPS or HTTP through, by WebSocket over
 * whatever answers for its name on port 443, and over its own port.
 */
export function edgeDialler(edge: EdgeEndpoint, transport: EdgeTransport = 'auto'): Dialler {
  const direct = tlsDialler(edge)
  if (transport === 'direct') return direct
  const byWebSocket = [
    webSocketDialler({ ...edge, port: httpsPort, secure: true }),
    webSocketDialler({ ...edge, secure: false }),
  ]
  return firstDialler(transport === 'websocket' ? byWebSocket : [direct, ...byWebSocket], headStartMs)
}

const httpsPort = 443
/** A connection over the longest line is there after one second; all three ways fit into the ten that a link may take to connect. */
const headStartMs = 3_000
