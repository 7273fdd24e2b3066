import { createServer, type Socket } from 'node:net'
import type { Log } from '../lib/log.ts'
import type { LinkAcceptor } from './accept.ts'
import type { LinkIdentity } from './identity.ts'
import { terminateTls } from './transport/tls.ts'

export interface SharedPortOptions {
  host: string
  /** 0 picks a free one. */
  port: number
  identity: LinkIdentity
  acceptor: LinkAcceptor
  /** Takes over a connection that is not TLS: nothing of it has been consumed. */
  onPlain(socket: Socket): void
  log: Log
  /** How long a silent connection is looked at before it is taken for a plain one. */
  peekMs?: number
}

/**
 * One TCP port for links and for plain HTTP: a connection whose first byte starts a TLS record is a link, any other goes to
 * `onPlain` untouched. So does one that stays silent: browsers connect ahead of their first request.
 * Disposing stops listening and drops what was still being looked at; handed-over connections belong to their new owners.
 */
export async function listenShared(o: SharedPortOptions): Promise<{ port: number } & AsyncDisposable> {
  const { identity, acceptor, onPlain, log, peekMs = peekMsMost } = o
  const looking = new Set<Socket>()

  const look = (socket: Socket): void => {
    looking.add(socket)
    const onError = (): void => undefined // followed by close
    const done = (): void => {
      clearTimeout(timer)
      looking.delete(socket)
      socket.removeListener('readable', onReadable)
      socket.removeListener('close', done)
    }
    const handOver = (give: () => void): void => {
      done()
      give()
      socket.removeListener('error', onError)
    }
    const onReadable = (): void => {
      const first: Buffer | null = socket.read()
      if (first === null) {
        if (socket.readableEnded || socket.destroyed) socket.destroy()
        return
      }
      socket.unshift(first)
      if (first[0] === tlsHandshakeRecord) handOver(() => terminateTls(socket, identity, acceptor))
      else handOver(() => onPlain(socket))
    }
    const timer = setTimeout(() => handOver(() => onPlain(socket)), peekMs)
    socket.on('readable', onReadable)
    socket.on('error', onError)
    socket.once('end', () => {
      if (looking.has(socket)) socket.destroy()
    })
    socket.once('close', done)
  }

  // Half-open, as node:http wants its connections: a client may end its side and still wait for the answer.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, look)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(o.port, o.host, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
  server.on('error', (error) => log.error({ err: error }, 'the port could not accept a connection'))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')

  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      // Not awaited: `close` waits for connections that belong to others by now.
      server.close()
      for (const socket of [...looking]) socket.destroy()
    },
  }
}

/** The content type of a TLS handshake record: the first byte of every TLS connection, and of no HTTP request. */
const tlsHandshakeRecord = 0x16
const peekMsMost = 3_000
