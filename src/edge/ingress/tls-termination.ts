import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { plainAddress } from '../../lib/address.ts'
import { endWith } from '../../lib/last-words.ts'
import type { Certificate } from '../certificates.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Visitors } from '../visitors.ts'
import { alertRecord } from './client-hello.ts'

export interface TlsTerminationOptions {
  visitors: Visitors
  limits: EdgeLimits
  /** These take over a connection once TLS stands. */
  onHttp1(socket: TLSSocket, certificate: Certificate): void
  onHttp2(socket: TLSSocket, certificate: Certificate): void
}

/** Ends visitors' TLS for host names that the edge has a certificate for. Inside is HTTP, of the version that both sides agree on. */
export class TlsTermination implements AsyncDisposable {
  readonly #options: TlsTerminationOptions
  /** Whose handshake is under way. */
  readonly #open = new Set<TLSSocket>()

  constructor(options: TlsTerminationOptions) {
    this.#options = options
  }

  /** Takes over a connection whose ClientHello was read and put back. */
  serve(socket: Socket, certificate: Certificate): void {
    const { visitors, limits, onHttp1, onHttp2 } = this.#options
    const address = plainAddress(socket.remoteAddress)
    socket.on('error', () => undefined)
    if (!visitors.enter(address)) {
      endWith(socket, alertRecord('user_canceled'), limits.lingerMs)
      return
    }
    socket.setNoDelay(true)
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: certificate.context,
      ALPNProtocols: ['h2', 'http/1.1'],
    })
    // In TLS 1.2 a client could ask for one costly handshake after the other.
    secure.disableRenegotiation()
    this.#open.add(secure)
    const late = setTimeout(() => secure.destroy(), limits.headTimeoutMs)
    const over = (): void => {
      if (!this.#open.delete(secure)) return
      clearTimeout(late)
      visitors.leave(address)
    }
    secure.on('error', () => secure.destroy())
    // A failed handshake destroys only the outer socket in some Node versions: whoever ends one ends both.
    socket.once('close', () => secure.destroy())
    secure.once('close', () => {
      over()
      socket.destroy()
    })
    secure.once('secure', () => {
      // It counts on from here as a connection of whoever takes it.
      over()
      if (socket.destroyed || secure.destroyed) return
      // Node says so of sockets of its own servers alone; without it HTTP/2 waits for an event that only clients have.
      Object.assign(secure, { secureConnecting: false })
      if (secure.alpnProtocol === 'h2') onHttp2(secure, certificate)
      else onHttp1(secure, certificate)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy()
  }
}
