import type { Socket } from 'node:net'
import type { Certificate } from '../certificates.ts'
import { problemResponse } from '../errors.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Routing } from '../routing.ts'
import type { Tunnel } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import { plainAddress } from './forwarded.ts'
import { HttpVisitor } from './http-visitor.ts'

export interface HttpIngressOptions {
  routing: Routing<Tunnel>
  visitors: Visitors
  release: Release
  limits: EdgeLimits
  /** How visitors of the plain port come: `https` where something in front ends TLS. */
  scheme: 'http' | 'https'
  /** The name that all tunnels' host names end in. */
  base: string
  links: HostedLinks
}

/** Links by WebSocket, on the edge's own host names: a host name of a tunnel is the tunnel's alone. */
export interface HostedLinks {
  hosts: ReadonlySet<string>
  /** Takes over a connection; what was read of it was put back. */
  take(socket: Socket): void
}

/** How often connections that have waited too long are looked for, ms. */
const sweepEveryMs = 500

/** Visitors' HTTP/1 connections: each is routed request by request, by host name. */
export class HttpIngress implements AsyncDisposable {
  readonly #options: HttpIngressOptions
  readonly #open = new Set<HttpVisitor>()
  readonly #sweep: NodeJS.Timeout

  constructor(options: HttpIngressOptions) {
    this.#options = options
    // One timer for all connections: setting one per request would cost more than the request's routing.
    this.#sweep = setInterval(
      () => {
        const now = Date.now()
        for (const visitor of this.#open) visitor.expire(now)
      },
      Math.min(sweepEveryMs, options.limits.headTimeoutMs),
    )
    this.#sweep.unref()
  }

  /**
   * Takes over a connection in which HTTP/1 is spoken.
   * @param certificate what the edge has shown to the visitor, where it has ended TLS.
   */
  serve(socket: Socket, certificate: Certificate | null): void {
    const { visitors, scheme } = this.#options
    const address = plainAddress(socket.remoteAddress)
    socket.on('error', () => undefined)
    if (!visitors.enter(address)) {
      socket.end(problemResponse({ code: 'over_limit', host: 'This edge' }, '', 'GET'))
      socket.once('finish', () => socket.destroy())
      return
    }
    const visitor = new HttpVisitor(socket, address, {
      ...this.#options,
      scheme: certificate ? 'https' : scheme,
      certificate,
    })
    this.#open.add(visitor)
    socket.once('close', () => {
      this.#open.delete(visitor)
      visitors.leave(address)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweep)
    for (const visitor of this.#open) visitor.cut()
  }
}
