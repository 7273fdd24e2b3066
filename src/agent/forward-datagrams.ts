import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns'
import type { VisitorHead } from '../contract/tunnel.ts'
import type { LinkStream } from '../link/index.ts'
import type { LocalTarget } from './forward.ts'
import { proxyHeader } from './proxy-header.ts'

/** What a visitor sends before the way to the service is open, which takes a millisecond, or a look-up of its name. */
const waitingDatagramsMax = 64

/**
 * Passes the datagrams of one visitor on to the local service and its answers back, over a socket of the visitor's own, so that the service
 * can tell visitors apart. Ends with the stream. A service that does not listen is like one that does not answer: it may
 * in a moment. With `proxyProtocol`, the visitor's first datagram carries a header of version 2.
 */
export function forwardDatagrams(stream: LinkStream, target: LocalTarget, visitor: VisitorHead): void {
  let way: Socket | 'closed' | Buffer[] = []
  let header = target.proxyProtocol ? proxyHeader(target.proxyProtocol, visitor) : null

  const send = (socket: Socket, payload: Buffer): void => {
    const datagram = header ? Buffer.concat([header, payload]) : payload
    header = null
    // Refused or too long: it is lost, as on the way.
    socket.send(datagram, ignore)
  }
  stream.onDatagram = (payload) => {
    if (way === 'closed') return
    if (!Array.isArray(way)) send(way, payload)
    else if (way.length < waitingDatagramsMax) way.push(payload)
  }
  stream.on('error', ignore)
  stream.once('end', () => stream.destroy())
  stream.once('close', () => {
    if (way !== 'closed' && !Array.isArray(way)) way.close()
    way = 'closed'
  })
  stream.resume()

  // Most services of games listen on IPv4 alone, and nothing tells that a datagram went to the wrong family.
  lookup(target.host, { order: 'ipv4first' }, (error, address, family) => {
    if (way === 'closed') return
    if (error) {
      stream.destroy()
      return
    }
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
    socket.on('error', ignore)
    socket.on('message', (payload) => stream.sendDatagram(payload))
    // Connected, it hears the service alone, and the system chooses one address for the whole flow.
    socket.connect(target.port + visitor.offset, address, (failed?: Error) => {
      if (way === 'closed' || failed) {
        socket.close()
        stream.destroy()
        return
      }
      const waiting = way
      way = socket
      if (Array.isArray(waiting)) for (const payload of waiting) send(socket, payload)
    })
  })
}

const ignore = (): void => undefined
