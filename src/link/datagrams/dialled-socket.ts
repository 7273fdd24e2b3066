import { isIP, isIPv6 } from 'node:net'
import { DialledPath } from './dialled-path.ts'
import { createDatagramSocket, enlargeReceiveBuffer } from './endpoint.ts'
import type { SealedPathLimits } from './limits.ts'
import type { DatagramPath, PathHost } from './path.ts'
import type { PathOffer } from './sealed-wire.ts'
import type { Ticker } from './ticker.ts'

export interface DialPathOptions {
  offer: PathOffer
  /** Where the link's connection leads. */
  remoteAddress: string
  host: PathHost
  limits: SealedPathLimits
  ticker: Ticker
}

/** Takes an offer of a sealed path: it comes up once the other end answers. Null where no packet could go: in a pipe, or in tests. */
export function dialPath({ offer, remoteAddress, host, limits, ticker }: DialPathOptions): DatagramPath | null {
  if (isIP(remoteAddress) === 0) return null
  const socket = createDatagramSocket(isIPv6(remoteAddress))
  let state: 'connecting' | 'connected' | 'closed' = 'connecting'
  // A refusal by the other machine, an unreachable network: the path does not answer, and that is noticed anyway.
  socket.on('error', () => undefined)
  const path = new DialledPath({
    offer,
    loopback: isLoopback(remoteAddress),
    host,
    limits,
    ticker,
    send(packet) {
      if (state === 'connected' && socket.getSendQueueSize() + packet.length <= limits.unsentBytesMax)
        socket.send(packet)
    },
    onClose() {
      state = 'closed'
      socket.close()
    },
  })
  socket.on('message', (packet) => path.receive(packet))
  // Connected, so that the system drops what comes from anywhere else.
  socket.connect(offer.port, remoteAddress, (error?: Error) => {
    if (error || state === 'closed') return
    state = 'connected'
    enlargeReceiveBuffer(socket, limits.receiveBufferBytes)
    path.begin()
  })
  return path
}

const isLoopback = (address: string): boolean => address === '::1' || /^(::ffff:)?127\./.test(address)
