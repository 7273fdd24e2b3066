import { performServerHandshake } from 'node:http2'
import type { Socket } from 'node:net'
import { plainAddress } from '../../lib/address.ts'
import type { Certificate } from '../certificates.ts'
import type { HttpIngressOptions } from './http.ts'
import { Http2Visitor } from './http2-visitor.ts'
import { OpenVisitors } from './open-visitors.ts'
import { headerPairsMax, sessionMegabytesMax } from './service-session.ts'

export type Http2IngressOptions = Omit<HttpIngressOptions, 'links' | 'challenges'>

/** Dead visitors behind silent connections are found by the system after this and its usual probes, ms. */
const tcpKeepAliveMs = 60_000

/** Visitors' HTTP/2 connections: each request is routed by host name. */
export class Http2Ingress implements AsyncDisposable {
  readonly #options: Http2IngressOptions
  readonly #open: OpenVisitors

  constructor(options: Http2IngressOptions) {
    this.#options = options
    this.#open = new OpenVisitors(options.limits.headTimeoutMs)
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
    this.#open[Symbol.dispose]()
  }
}

/** Entries in one SETTINGS frame: the protocol knows seven. */
const settingsPerFrameMax = 32
