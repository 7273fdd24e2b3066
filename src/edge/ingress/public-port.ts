import { createServer, type Server, type Socket } from 'node:net'
import { endWith } from '../../lib/last-words.ts'
import type { Log } from '../../lib/log.ts'
import type { EdgeLimits } from '../limits.ts'
import { alertRecord, type ClientHello, readClientHello } from './client-hello.ts'
import type { Openings } from './openings.ts'

export interface PublicPortOptions {
  host: string
  /** 0 picks a free one. */
  port: number
  openings: Openings
  limits: EdgeLimits
  log: Log
  /** These take over a connection from whose stream nothing is missing. */
  onLink(socket: Socket): void
  onTls(socket: Socket, hello: ClientHello): void
  onHttp2(socket: Socket): void
  onPlain(socket: Socket): void
}

export interface PublicPort extends AsyncDisposable {
  readonly port: number
}

/**
 * The one TCP port of an edge. The first message tells what a connection is: a TLS ClientHello that offers the link's protocol is an
 * agent's link, any other TLS is a visitor's, HTTP/2's preface is that of a visitor who knows beforehand, everything else is HTTP/1. So is what
 * stays silent: browsers connect ahead of their first request.
 */
export async function openPublicPort(options: PublicPortOptions): Promise<PublicPort> {
  const { host, port, openings, limits, log, onLink, onTls, onHttp2, onPlain } = options

  const look = (socket: Socket, input: Buffer): (() => void) | undefined => {
    if (input[0] !== tlsHandshakeRecord) {
      const begun = Math.min(input.length, http2Preface.length)
      if (input.compare(http2Preface, 0, begun, 0, begun) !== 0) return () => onPlain(socket)
      return begun === http2Preface.length ? () => onHttp2(socket) : undefined
    }
    const reading = readClientHello(input)
    switch (reading.state) {
      case 'incomplete':
        return undefined
      case 'refused':
        return () => {
          socket.on('error', () => undefined)
          endWith(socket, alertRecord(reading.alert), limits.lingerMs)
        }
      case 'complete':
        return reading.hello.protocols.some((protocol) => protocol.startsWith(linkProtocols))
          ? () => onLink(socket)
          : () => onTls(socket, reading.hello)
    }
  }

  // Half-open: a visitor may end its side and still wait for the answer.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    openings.read(socket, {
      timeoutMs: limits.helloTimeoutMs,
      look: (input) => look(socket, input),
      // A beginning of HTTP/2's preface may be that of an HTTP/1 method.
      late: (input) => (input[0] === tlsHandshakeRecord ? undefined : () => onPlain(socket)),
    }),
  )
  await listening(server, host, port)
  server.on('error', (error) => log.error({ err: error }, 'the public port has trouble accepting'))
  return {
    port: portOf(server),
    async [Symbol.asyncDispose]() {
      // Not awaited: connections belong to others by now.
      server.close()
    },
  }
}

/** Rejects with the system's error when the port cannot be had. */
export function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}

/** The content type of a TLS handshake record: the first byte of every TLS connection, and of no HTTP request. */
const tlsHandshakeRecord = 0x16
/** Links of every version: one that this edge does not speak is refused by the link's own handshake, in its own words. */
const linkProtocols = 'pharos-link/'
/** RFC 9113 §3.4. */
const http2Preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
