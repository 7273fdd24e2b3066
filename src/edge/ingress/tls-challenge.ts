import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { acmeProtocol } from '../challenges.ts'

/**
 * Shows an authority the certificate of its challenge (TLS-ALPN-01) and ends the connection: the handshake is all that it came for.
 * Takes over a connection whose ClientHello was read and put back.
 */
export function serveTlsChallenge(socket: Socket, secureContext: SecureContext, timeoutMs: number): void {
  socket.on('error', () => undefined)
  const secure = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: [acmeProtocol] })
  secure.disableRenegotiation()
  const late = setTimeout(() => socket.destroy(), timeoutMs)
  secure.on('error', () => socket.destroy())
  secure.once('secure', () => secure.end())
  secure.resume()
  socket.once('close', () => {
    clearTimeout(late)
    secure.destroy()
  })
}
