import { connect, type LookupFunction } from 'node:net'
import type { VisitorHead } from '../contract/tunnel.ts'
import { LinkError, type LinkStream, splice } from '../link/index.ts'
import { forwardDatagrams } from './forward-datagrams.ts'
import { type ProxyProtocol, proxyHeader } from './proxy-header.ts'

/** Where a tunnel leads: declared on this machine, never by the edge. Read anew for each visitor. */
export interface LocalTarget {
  /** `localhost` is both loopback addresses, whichever the service listens on. */
  host: string
  /** Of a range of ports, the first. */
  port: number
  /** The service wants to be told who its visitor is by a header in front of each connection. */
  proxyProtocol?: ProxyProtocol
  /** Where the service is about to be up: resolves when it is, rejects where it does not come. Null where there is nothing to wait for. */
  coming?(): Promise<void> | null
}

/** A local service answers a connection within milliseconds; one in the same network within a second. */
const connectTimeoutMs = 5_000

/** A game's client gives up after half a minute without a word: this is told before it, ms. */
const comingTimeoutMs = 25_000

/** A service that is too busy to answer at once is not given up for another address of its name, which may have no service, ms. */
const familyTimeoutMs = 4_000

/** Connections that have been idle this long are probed by the system, so that a vanished service is noticed, ms. */
const keepAliveMs = 60_000

/**
 * Joins a visitor's stream to the local service (of a range, the port that the visitor chose), both ways, with half-close. A service
 * that does not answer resets the stream with `unreachable`, and `onUnreachable` hears why; one that is coming is waited for, at most
 * `comingTimeoutMs`. Both are closed when this is over.
 */
export function forward(
  stream: LinkStream,
  target: LocalTarget,
  visitor: VisitorHead,
  onUnreachable?: (message: string) => void,
): void {
  if (visitor.protocol === 'udp') {
    forwardDatagrams(stream, target, visitor)
    return
  }
  reach(stream, target, visitor, { until: performance.now() + comingTimeoutMs, onUnreachable })
}

function reach(
  stream: LinkStream,
  target: LocalTarget,
  visitor: VisitorHead,
  { until, onUnreachable }: { until: number; onUnreachable: ((message: string) => void) | undefined },
): void {
  const port = target.port + visitor.offset
  const service = connect({
    host: target.host,
    port,
    lookup: loopbackLookup(target.host),
    autoSelectFamilyAttemptTimeout: familyTimeoutMs,
    noDelay: true,
    allowHalfOpen: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
  })
  const late = setTimeout(() => service.destroy(new Error('it does not answer')), connectTimeoutMs)
  const unreachable = (error: Error): void => {
    clearTimeout(late)
    const coming = performance.now() < until ? target.coming?.() : null
    if (coming) {
      stream.off('close', gone)
      const again = (): void => {
        if (!stream.destroyed) reach(stream, target, visitor, { until, onUnreachable })
      }
      coming.then(again, () => fail(error))
    } else fail(error)
  }
  const fail = (error: Error): void => {
    const message = `The service at ${target.host}:${port} cannot be reached: ${reasonOf(error)}.`
    stream.destroy(new LinkError('unreachable', message))
    onUnreachable?.(message)
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

/**
 * `localhost` without asking anybody: of the two loopback addresses many dev servers listen on one alone, and which one differs.
 * The system connects to the second when the first refuses.
 */
export function loopbackLookup(host: string): LookupFunction | undefined {
  if (host !== 'localhost') return undefined
  return (_, { all }, callback) => {
    if (all)
      callback(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ])
    else callback(null, '127.0.0.1', 4)
  }
}

function reasonOf(error: Error): string {
  // With two addresses there are two errors, of which the first one is what people expect.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  const code = first instanceof Error && 'code' in first ? first.code : undefined
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOTFOUND') return 'its name is unknown'
  return error.message
}
