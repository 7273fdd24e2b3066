import { LinkError, type LinkStream } from '../../link/index.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Tunnel, Visitor } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import { type ServiceSession, serviceSession } from './service-session.ts'

/** A way to a service that carries one request of HTTP/1 at a time. */
export interface ServiceStream {
  readonly tunnel: Tunnel
  readonly stream: LinkStream
  /** It has carried a request before, so the service may be closing it. */
  reused: boolean
  /** Told when tunnel or agent end. */
  onCut: () => void
  /** Gives it up. Idempotent. */
  drop(): void
}

/**
 * The ways of one visitor's HTTP/2 connection to services. They are not shared between visitors: so the service learns whose they are, no
 * visitor waits for another one's bytes, and what one of them does to a connection is done to their own. Each counts as a connection of the
 * visitor's address.
 */
export class ServiceWays {
  readonly #visitor: Visitor
  readonly #visitors: Visitors
  readonly #limits: EdgeLimits
  readonly #streams = new Set<ServiceStream>()
  /** Those that wait for the next request, the last one used last, with when that was, ms since 1970. */
  #idle: { way: ServiceStream; since: number; forget: () => void }[] = []
  readonly #sessions = new Map<Tunnel, ServiceSession>()

  constructor(visitor: Visitor, visitors: Visitors, limits: EdgeLimits) {
    this.#visitor = visitor
    this.#visitors = visitors
    this.#limits = limits
  }

  /**
   * A stream for one request.
   * @param fresh none that was used before.
   * @throws LinkError, OverQuota
   */
  stream(tunnel: Tunnel, fresh: boolean): ServiceStream {
    const at = fresh ? -1 : this.#idle.findLastIndex(({ way }) => way.tunnel === tunnel)
    const [found] = at === -1 ? [] : this.#idle.splice(at, 1)
    if (found) {
      found.forget()
      found.way.reused = true
      return found.way
    }
    const { stream, leave } = this.#visit(tunnel, () => way.onCut())
    const way: ServiceStream = {
      tunnel,
      stream,
      reused: false,
      onCut: () => undefined,
      drop: () => {
        if (!this.#streams.delete(way)) return
        leave()
        stream.destroy()
      },
    }
    stream.on('error', () => undefined)
    this.#streams.add(way)
    return way
  }

  /** Keeps it for the next request: the answer on it is complete. */
  keep(way: ServiceStream): void {
    const { stream } = way
    if (!this.#streams.has(way) || !stream.writable || stream.readableEnded || !way.tunnel.keepsWays) {
      way.drop()
      return
    }
    const drop = (): void => {
      forget()
      this.#idle = this.#idle.filter((idle) => idle.way !== way)
      way.drop()
    }
    // A service that speaks without being asked could be answering the next request: nothing of it is used.
    const forget = (): void => {
      for (const event of ['data', 'end', 'close']) stream.off(event, drop)
    }
    for (const event of ['data', 'end', 'close']) stream.once(event, drop)
    way.onCut = drop
    this.#idle.push({ way, since: Date.now(), forget })
    if (this.#idle.length > this.#limits.http2IdleStreamsMax) this.#idle[0]?.way.onCut()
    stream.resume()
  }

  /**
   * The session with a service that speaks HTTP/2, which carries all of this connection's requests to this tunnel; a new one when the last is
   * over.
   * @throws LinkError, OverQuota
   */
  session(tunnel: Tunnel): ServiceSession {
    const known = this.#sessions.get(tunnel)
    if (known && !known.session.closed && !known.session.destroyed) return known
    const { stream, leave } = this.#visit(tunnel, () => stream.destroy(tunnel.cutReason))
    // Requests fail on their own; new ones go over a new session.
    const own = serviceSession(stream, this.#limits, () => {
      if (this.#sessions.get(tunnel) === own) this.#sessions.delete(tunnel)
    })
    own.session.once('close', leave)
    this.#sessions.set(tunnel, own)
    return own
  }

  /** Gives up what has waited too long. */
  expire(now: number): void {
    for (const { way, since } of [...this.#idle]) if (now - since > this.#limits.http2IdleStreamMs) way.onCut()
  }

  close(): void {
    for (const way of [...this.#streams]) way.drop()
    this.#idle = []
    for (const { session } of [...this.#sessions.values()]) session.destroy()
  }

  #visit(tunnel: Tunnel, cut: () => void): { stream: LinkStream; leave: () => void } {
    const { address } = this.#visitor
    if (!this.#visitors.enter(address)) throw new LinkError('limit', 'the edge has as many visitors as it may have')
    try {
      const { stream, leave } = tunnel.visit(this.#visitor, cut)
      let here = true
      return {
        stream,
        leave: () => {
          if (!here) return
          here = false
          this.#visitors.leave(address)
          leave()
        },
      }
    } catch (error) {
      this.#visitors.leave(address)
      throw error
    }
  }
}
