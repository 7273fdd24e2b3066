import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns'
import type { VisitorHead } from '../contract/tunnel.ts'
import type { LinkStream } from '../link/index.ts'
import type { LocalTarget } from './forward.ts'
import { proxyHeader } from './proxy-header.ts'

/** What a visitor sends before the way to the service is open, which takes a millisecond, or a look-up of its name. */
const waitingDatagramsMax = 64

/** Of what a service that is coming may not have heard, per visitor: a first packet in a few pieces, in bytes. */
const unheardBytesMax = 16 * 1024

/** A service that is said to be up and refuses is tried again so often, after so long, ms: it listens in a moment. */
const refusedMax = 60
const refusedPauseMs = 500

/**
 * Passes the datagrams of one visitor on to the local service and its answers back, over a socket of the visitor's own, so that the service
 * can tell visitors apart. Ends with the stream. A service that does not listen is like one that does not answer: it may
 * in a moment. What is sent to a service that is coming is sent again once it is up, so that it may hear it twice. With `proxyProtocol`, the visitor's first datagram carries a header of version 2.
 */
export function forwardDatagrams(stream: LinkStream, target: LocalTarget, visitor: VisitorHead): void {
  let way: Socket | 'closed' | Buffer[] = []
  let header = target.proxyProtocol ? proxyHeader(target.proxyProtocol, visitor) : null

  /** What the service may not have heard, since it was not there yet. */
  let unheard: Buffer[] = []
  let refused = 0

  const sendAgain = (): void => {
    if (way !== 'closed' && !Array.isArray(way)) for (const datagram of unheard) way.send(datagram, ignore)
  }
  const keepUnheard = (datagram: Buffer): void => {
    const coming = target.coming?.()
    const bytes = unheard.reduce((sum, { length }) => sum + length, datagram.length)
    if (!coming || unheard.length >= waitingDatagramsMax || bytes > unheardBytesMax) return
    if (unheard.length === 0)
      coming.then(sendAgain, () => {
        unheard = []
      })
    unheard.push(datagram)
  }
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'ECONNREFUSED' || unheard.length === 0 || target.coming?.() || ++refused > refusedMax) return
    setTimeout(sendAgain, refusedPauseMs).unref()
  }

  const send = (socket: Socket, payload: Buffer): void => {
    const datagram = header ? Buffer.concat([header, payload]) : payload
    header = null
    keepUnheard(datagram)
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
    socket.on('error', onError)
    socket.on('message', (payload) => {
      // Before, it is the answer of whoever stands in for it.
      if (!target.coming?.()) unheard = []
      stream.sendDatagram(payload)
    })
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
