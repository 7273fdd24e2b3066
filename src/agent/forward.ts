import { connect } from 'node:net'
import type { VisitorHead } from '../contract/tunnel.ts'
import { LinkError, type LinkStream, splice } from '../link/index.ts'
import { forwardDatagrams } from './forward-datagrams.ts'
import { type ProxyProtocol, proxyHeader } from './proxy-header.ts'

/** Where a tunnel leads: declared on this machine, never by the edge. */
export interface LocalTarget {
  host: string
  /** Of a range of ports, the first. */
  port: number
  /** The service wants to be told who its visitor is by a header in front of each connection. */
  proxyProtocol?: ProxyProtocol
}

/** A local service answers a connection within milliseconds; one in the same network within a second. */
const connectTimeoutMs = 5_000

/** Connections that have been idle this long are probed by the system, so that a vanished service is noticed, ms. */
const keepAliveMs = 60_000

/**
 * Joins a visitor's stream to the local service (of a range, the port that the visitor chose), both ways, with half-close. A service
 * that does not answer resets the stream with `unreachable`. Both are closed when this is over.
 */
export function forward(stream: LinkStream, target: LocalTarget, visitor: VisitorHead): void {
  if (visitor.protocol === 'udp') {
    forwardDatagrams(stream, target, visitor)
    return
  }
  const port = target.port + visitor.offset
  const service = connect({
    host: target.host,
    port,
    noDelay: true,
    allowHalfOpen: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
  })
  const late = setTimeout(() => service.destroy(new Error('it does not answer')), connectTimeoutMs)
  const unreachable = (error: Error): void => {
    clearTimeout(late)
    stream.destroy(
      new LinkError('unreachable', `The service at ${target.host}:${port} cannot be reached: ${reasonOf(error)}.`),
    )
  }
  const gone = (): void => {
    clearTimeout(late)
    service.destroy()
  }
  service.once('error', unreachable)
  stream.once('close', gone)
  service.once('connect', () => {
    clearTimeout(late)
    service.off('error', unreachable)
    stream.off('close', gone)
    if (target.proxyProtocol) service.write(proxyHeader(target.proxyProtocol, visitor))
    void splice(stream, service)
  })
}

function reasonOf(error: Error): string {
  const code = 'code' in error ? error.code : undefined
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOTFOUND') return 'its name is unknown'
  return error.message
}
