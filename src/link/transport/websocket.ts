import { createServer } from 'node:http'
import { isIPv6, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import type { LinkAcceptor } from '../accept.ts'
import type { Dialler } from '../channel.ts'
import type { LinkIdentity } from '../identity.ts'
import { LinkError } from '../link.ts'
import { checkPin, pinnedTls, terminateTlsInside } from './tls.ts'
import { messageBytesMax, WebSocketPipe } from './websocket-pipe.ts'

/** The path of links on the accepting end's own host name, and what they call themselves there. */
export const webSocketPath = '/link'
export const webSocketProtocol = 'pharos-link-1'

export interface WebSocketEndpoint {
  host: string
  port: number
  /** Whether something at that port ends TLS. */
  secure: boolean
  /** Of the accepting end itself, as for TLS. */
  pin: string
}

/**
 * A link through what only lets HTTP pass: the same pinned TLS 1.3 as on a bare connection, in the binary messages of a
 * WebSocket. Whoever ends the outer TLS, a proxy or somebody in between, sees and changes nothing, so its certificate is not asked for.
 */
export function webSocketDialler({ host, port, secure, pin }: WebSocketEndpoint): Dialler {
  return async (signal) => {
    signal.throwIfAborted()
    const where = `${secure ? 'wss' : 'ws'}://${isIPv6(host) ? `[${host}]` : host}:${port}${webSocketPath}`
    const outer = new WebSocket(where, webSocketProtocol, {
      rejectUnauthorized: false,
      perMessageDeflate: false,
      maxPayload: messageBytesMax,
    })
    const onAbort = (): void => outer.terminate()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const remoteAddress = await opened(outer, where)
      return { duplex: await secured(new WebSocketPipe(outer), where, pin), remoteAddress }
    } catch (error) {
      outer.terminate()
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}

export interface WebSocketAcceptor extends Disposable {
  /** Takes over a connection that begins with an HTTP request for `webSocketPath`; its bytes must have been unshifted. */
  take(socket: Socket): void
}

/** The accepting side: answers upgrades and ends the TLS inside them. Anything but a link is told so and closed. */
export function acceptWebSockets(identity: LinkIdentity, acceptor: LinkAcceptor): WebSocketAcceptor {
  const upgrades = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
    handleProtocols: (offered) => (offered.has(webSocketProtocol) ? webSocketProtocol : false),
  })
  const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, (_request, response) => {
    response.writeHead(426, { connection: 'close', upgrade: 'websocket', 'content-type': 'text/plain' })
    response.end('Agents link here, by WebSocket.\n')
  })
  server.on('upgrade', (request, socket: Socket, head) => {
    socket.on('error', () => undefined)
    if (request.url !== webSocketPath || !offersLink(request.headers['sec-websocket-protocol'])) {
      socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
      return
    }
    upgrades.handleUpgrade(request, socket, head, (outer) => {
      outer.on('error', () => undefined) // its stream is destroyed with it
      const remoteAddress = socket.remoteAddress ?? 'unknown'
      terminateTlsInside({ duplex: new WebSocketPipe(outer), remoteAddress }, identity, acceptor)
    })
  })
  return {
    take(socket) {
      server.emit('connection', socket)
    },
    [Symbol.dispose]() {
      server.close()
      server.closeAllConnections()
      upgrades.close()
    },
  }
}

function opened(outer: WebSocket, where: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let remoteAddress = 'unknown'
    const fail = (why: string): void => reject(new LinkError('lost', `${where} cannot be reached: ${why}`))
    // Stays for good: an error after this is the stream's to report, and must not end the process.
    outer.on('error', (error) => fail(error.message))
    outer.once('close', () => fail('it was closed before it was established'))
    outer.once('upgrade', (response) => {
      response.socket.setNoDelay(true)
      remoteAddress = response.socket.remoteAddress ?? remoteAddress
    })
    outer.once('open', () => resolve(remoteAddress))
  })
}

/** The TLS inside; rejects unless it is with the end whose key is known. */
function secured(duplex: Duplex, where: string, pin: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ socket: duplex, ...pinnedTls })
    const fail = (error: unknown): void => {
      socket.destroy()
      duplex.destroy()
      reject(error)
    }
    duplex.on('error', () => socket.destroy())
    duplex.once('close', () => socket.destroy())
    socket.once('close', () => {
      duplex.destroy()
      fail(new LinkError('lost', `${where} closed the connection before it was established`))
    })
    socket.on('error', (error) => fail(new LinkError('lost', `${where} does not speak our TLS: ${error.message}`)))
    socket.once('secureConnect', () => {
      try {
        checkPin(socket, pin, where)
        resolve(socket)
      } catch (error) {
        fail(error)
      }
    })
  })
}

const offersLink = (protocols: string | undefined): boolean =>
  protocols?.split(',').some((one) => one.trim() === webSocketProtocol) ?? false

/** A request for an upgrade has no body, and was read already when it came here. */
const requestMs = 10_000
