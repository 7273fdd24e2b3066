import { performServerHandshake } from 'node:http2'
import type { Socket } from 'node:net'
import type { Certificate } from '../certificates.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Routing } from '../routing.ts'
import type { Tunnel } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import { plainAddress } from './forwarded.ts'
import { Http2Visitor } from './http2-visitor.ts'
import { headerPairsMax, sessionMegabytesMax } from './service-session.ts'

export interface Http2IngressOptions {
  routing: Routing<Tunnel>
  visitors: Visitors
  release: Release
  limits: EdgeLimits
  /** How visitors of the plain port come: `https` where something in front ends TLS. */
  scheme: 'http' | 'https'
  /** The name that all tunnels' host names end in. */
  base: string
}

/** How often connections that have waited too long are looked for, ms. */
const sweepEveryMs = 500

/** Dead visitors behind silent connections are found by the system after this and its usual probes, ms. */
const tcpKeepAliveMs = 60_000

/** Visitors' HTTP/2 connections: each request is routed by host name. */
export class Http2Ingress implements AsyncDisposable {
  readonly #options: Http2IngressOptions
  readonly #open = new Set<Http2Visitor>()
  readonly #sweep: NodeJS.Timeout

  constructor(options: Http2IngressOptions) {
    this.#options = options
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
   * Takes over a connection in which HTTP/2 is spoken, its preface included.
   * @param certificate what the edge has shown to the visitor, where it has ended TLS.
   */
  serve(socket: Socket, certificate: Certificate | null): void {
    const { visitors, limits, scheme } = this.#options
    const address = plainAddress(socket.remoteAddress)
    socket.on('error', () => undefined)
    // Node makes no session of a socket that is gone.
    if (socket.destroyed || !visitors.enter(address)) {
      socket.destroy()
      return
    }
    socket.once('close', () => visitors.leave(address))
    socket.setNoDelay(true)
    socket.setKeepAlive(true, tcpKeepAliveMs)
    const from = {
      protocol: 'http',
      address,
      port: socket.remotePort ?? 0,
      localAddress: plainAddress(socket.localAddress),
      localPort: socket.localPort ?? 0,
      offset: 0,
    } as const
    const session = performServerHandshake(socket, {
      maxHeaderListPairs: headerPairsMax,
      maxSessionMemory: sessionMegabytesMax,
      maxSessionInvalidFrames: limits.http2InvalidFramesMax,
      maxSessionRejectedStreams: limits.http2RejectedStreamsMax,
      maxSettings: settingsPerFrameMax,
      streamResetBurst: limits.http2ResetsBurst,
      streamResetRate: limits.http2ResetsPerSecond,
      settings: {
        maxConcurrentStreams: limits.http2StreamsPerConnectionMax,
        maxHeaderListSize: limits.http2HeadBytesMax,
        initialWindowSize: limits.http2WindowBytes,
        enableConnectProtocol: true,
      },
    })
    const visitor = new Http2Visitor(session, from, {
      ...this.#options,
      scheme: certificate ? 'https' : scheme,
      certificate,
    })
    this.#open.add(visitor)
    socket.once('close', () => {
      this.#open.delete(visitor)
      session.destroy()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweep)
    for (const visitor of this.#open) visitor.cut()
  }
}

/** Entries in one SETTINGS frame: the protocol knows seven. */
const settingsPerFrameMax = 32
