import { timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { type ConnectionOptions, connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { LinkAcceptor } from '../accept.ts'
import type { Channel, Dialler } from '../channel.ts'
import { type LinkIdentity, pinOf } from '../identity.ts'
import { LinkError } from '../link.ts'
import { protocolName } from '../wire.ts'
import { established } from './tcp.ts'

/**
 * TLS 1.3 to an end whose key is known: exactly the key of `pin` is accepted. Neither a certificate authority nor the name of
 * the host counts, so that an edge needs no domain, and a stolen domain is of no use.
 */
export function tlsDialler({ host, port, pin }: { host: string; port: number; pin: string }): Dialler {
  return (signal) => {
    const where = `${host}:${port}`
    const socket = connect({ host, port, ...pinnedTls })
    socket.setNoDelay(true)
    return established(socket, 'secureConnect', where, signal, () => checkPin(socket, pin, where))
  }
}

/** How an end whose pin is known is connected to; `checkPin` must follow, before the first byte is sent. */
export const pinnedTls: ConnectionOptions = {
  minVersion: 'TLSv1.3',
  ALPNProtocols: [protocolName],
  // The certificate proves nothing beside its key.
  rejectUnauthorized: false,
  checkServerIdentity: () => undefined,
}

/** @throws LinkError `refused` unless the other end has the key of `pin` and speaks our protocol. */
export function checkPin(socket: TLSSocket, pin: string, where: string): void {
  const key = socket.getPeerX509Certificate()?.publicKey
  if (!key || !samePin(pinOf(key), pin)) {
    throw new LinkError('refused', `the certificate of ${where} is not the pinned one: check the address and the pin`)
  }
  if (socket.alpnProtocol !== protocolName) throw new LinkError('refused', `${where} does not speak ${protocolName}`)
}

/** The server's side of TLS on an accepted socket; bytes that were peeked must have been unshifted. The acceptor bounds its time. */
export function terminateTls(socket: Socket, identity: LinkIdentity, acceptor: LinkAcceptor): void {
  socket.setNoDelay(true)
  terminateTlsInside({ duplex: socket, remoteAddress: socket.remoteAddress ?? 'unknown' }, identity, acceptor)
}

/** The same inside another pipe, which ends with it. */
export function terminateTlsInside(
  { duplex, remoteAddress }: Channel,
  identity: LinkIdentity,
  acceptor: LinkAcceptor,
): void {
  const secure = new TLSSocket(duplex, {
    isServer: true,
    secureContext: contextOf(identity),
    ALPNProtocols: [protocolName],
  })
  // A failed handshake destroys only the outer socket in some Node versions: whoever ends one ends both.
  duplex.on('error', () => secure.destroy())
  duplex.once('close', () => secure.destroy())
  secure.once('close', () => duplex.destroy())
  acceptor.accept({ duplex: secure, remoteAddress })
}

/** Parsing the key takes longer than the rest of accepting: once for each identity. */
const contexts = new WeakMap<LinkIdentity, SecureContext>()

function contextOf(identity: LinkIdentity): SecureContext {
  const known = contexts.get(identity)
  if (known) return known
  const context = createSecureContext({ key: identity.key.reveal(), cert: identity.certificate, minVersion: 'TLSv1.3' })
  contexts.set(identity, context)
  return context
}

function samePin(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left, 'base64url'), Buffer.from(right, 'base64url')]
  return a.length === b.length && timingSafeEqual(a, b)
}
