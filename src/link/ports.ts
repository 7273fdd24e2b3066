import { createServer, type Socket } from 'node:net'
import type { Log } from '../lib/log.ts'
import type { LinkAcceptor } from './accept.ts'
import type { LinkIdentity } from './identity.ts'
import { terminateTls } from './transport/tls.ts'

export interface LinkPortOptions {
  host: string
  /** 0 picks a free one. */
  port: number
  identity: LinkIdentity
  acceptor: LinkAcceptor
  log: Log
}

/**
 * A TCP port for links alone. For links that carry much, such as an edge's: Node reads TLS from a socket that was peeked at in
 * pieces of a quarter of the size, which costs a fifth of the throughput (measured by bench/link.ts with SHARED_PORT=1).
 */
export function listenLinks({ host, port, identity, acceptor, log }: LinkPortOptions): Promise<ListeningPort> {
  return listen(host, port, log, (socket) => terminateTls(socket, identity, acceptor))
}

export interface ListeningPort extends AsyncDisposable {
  port: number
}

export interface SharedPortOptions extends LinkPortOptions {
  /** Takes over a connection that is not TLS: nothing of it has been consumed. */
  onPlain(socket: Socket): void
  /** How long a silent connection is looked at before it is taken for a plain one. */
  peekMs?: number
}

/**
 * One TCP port for links and for plain HTTP: a connection whose first byte starts a TLS record is a link, any other goes to
 * `onPlain` untouched. So does one that stays silent: browsers connect ahead of their first request.
 * Disposing stops listening and drops what was still being looked at; handed-over connections belong to their new owners.
 */
export async function listenShared(o: SharedPortOptions): Promise<ListeningPort> {
  const { identity, acceptor, onPlain, peekMs = peekMsMost } = o
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

  const listening = await listen(o.host, o.port, o.log, look)
  return {
    port: listening.port,
    async [Symbol.asyncDispose]() {
      await listening[Symbol.asyncDispose]()
      for (const socket of [...looking]) socket.destroy()
    },
  }
}

async function listen(
  host: string,
  port: number,
  log: Log,
  onConnection: (socket: Socket) => void,
): Promise<ListeningPort> {
  // Half-open, as node:http wants its connections: a client may end its side and still wait for the answer.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
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
    },
  }
}

/** The content type of a TLS handshake record: the first byte of every TLS connection, and of no HTTP request. */
const tlsHandshakeRecord = 0x16
const peekMsMost = 3_000
