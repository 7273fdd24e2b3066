import { connect, type Socket } from 'node:net'
import type { VisitorHead } from '../contract/tunnel.ts'
import { LinkError, type LinkStream, splice } from '../link/index.ts'

/** Where a tunnel leads: declared on this machine, never by the edge. */
export interface LocalTarget {
  host: string
  port: number
}

/** A local service answers a connection within milliseconds; one in the same network within a second. */
const connectTimeoutMs = 5_000

/** Connections that have been idle this long are probed by the system, so that a vanished service is noticed, ms. */
const keepAliveMs = 60_000

/**
 * Joins a visitor's stream to the local service (of a range, the port that the visitor chose), both ways, with half-close. A service that does not answer resets the stream
 * with `unreachable`. Both are closed when this is over.
 */
export function forward(stream: LinkStream, target: LocalTarget, { offset }: VisitorHead): Socket {
  const port = target.port + offset
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
    void splice(stream, service)
  })
  return service
}

function reasonOf(error: Error): string {
  const code = 'code' in error ? error.code : undefined
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOTFOUND') return 'its name is unknown'
  return error.message
}
