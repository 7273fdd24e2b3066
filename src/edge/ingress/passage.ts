import type { Socket } from 'node:net'
import { plainAddress } from '../../lib/address.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Tunnel, Visit, Visitor } from '../tunnel.ts'
import { pump } from './pump.ts'

export interface Passage {
  socket: Socket
  tunnel: Tunnel
  protocol: Visitor['protocol']
  /** Which port of the tunnel's range the visitor came to. */
  offset: number
  release: Release
  limits: EdgeLimits
  /**
   * There is no way to the service and nothing of it has reached the visitor: the connection, which is open still, is this one's
   * to answer and to end.
   */
  onFailure(error: unknown): void
}

/**
 * Passes a visitor's bytes to the service and back, untouched and counted, with half-close, until both sides have ended or either
 * breaks off. The socket's end is the visit's end.
 */
export function pass({ socket, tunnel, protocol, offset, release, limits, onFailure }: Passage): void {
  const cut = (): void => {
    socket.destroy()
  }
  let visit: Visit
  try {
    visit = tunnel.visit(
      {
        protocol,
        address: plainAddress(socket.remoteAddress),
        port: socket.remotePort ?? 0,
        localAddress: plainAddress(socket.localAddress),
        localPort: socket.localPort ?? 0,
        offset,
      },
      cut,
    )
  } catch (error) {
    onFailure(error)
    return
  }
  const { stream, leave } = visit
  const { meter } = tunnel
  const connection = tunnel.traffic.connect({
    address: plainAddress(socket.remoteAddress),
    port: socket.remotePort ?? 0,
    protocol: protocol === 'http' ? 'HTTP/1' : protocol,
    cut,
  })
  meter.connection()
  let answered = false
  let failed = false
  socket.once('close', () => {
    leave()
    connection.end()
    stream.destroy()
  })
  stream.once('error', (error) => {
    failed = true
    // Its place is free at once, not only when the visitor has read the answer.
    leave()
    // What breaks off in the middle must not look complete.
    if (answered) socket.resetAndDestroy()
    else onFailure(error)
  })
  // Ended in order, its last bytes leave at the end of this turn; otherwise there is nothing left to wait for.
  stream.once('close', () => {
    if (!stream.readableEnded && !failed) socket.destroy()
  })
  socket.setTimeout(limits.connectionIdleMs, cut)
  pump(socket, stream, release, (bytes) => {
    meter.in(bytes)
    connection.in(bytes)
  })
  pump(stream, socket, release, (bytes) => {
    answered = true
    meter.out(bytes)
    connection.out(bytes)
  })
}
