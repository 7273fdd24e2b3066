import type { Socket } from 'node:net'
import { plainAddress } from '../../lib/address.ts'
import type { Certificate } from '../certificates.ts'
import type { Challenges } from '../challenges.ts'
import { problemResponse } from '../errors.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Routing } from '../routing.ts'
import type { Tunnel } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import { HttpVisitor } from './http-visitor.ts'
import { OpenVisitors } from './open-visitors.ts'

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
  challenges: Pick<Challenges, 'httpResponse'>
}

/** Links by WebSocket, on the edge's own host names: a host name of a tunnel is the tunnel's alone. */
export interface HostedLinks {
  hosts: ReadonlySet<string>
  /** Takes over a connection; what was read of it was put back. */
  take(socket: Socket): void
}

/** Visitors' HTTP/1 connections: each is routed request by request, by host name. */
export class HttpIngress implements AsyncDisposable {
  readonly #options: HttpIngressOptions
  readonly #open: OpenVisitors

  constructor(options: HttpIngressOptions) {
    this.#options = options
    this.#open = new OpenVisitors(options.limits.headTimeoutMs)
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
    this.#open[Symbol.dispose]()
  }
}
