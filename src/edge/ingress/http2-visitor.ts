import { randomBytes } from 'node:crypto'
import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { type Admission, admittedByNobody, type Verdict } from '../access/verdict.ts'
import type { Certificate } from '../certificates.ts'
import { problemOf, problemWords, type VisitorProblem } from '../errors.ts'
import type { KeptRequest, LiveConnection, TunnelTraffic } from '../inspection/index.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Routing } from '../routing.ts'
import type { Tunnel, Visitor } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import { Allowance } from './allowance.ts'
import { StreamPeek } from './body-peek.ts'
import { HttpRefusal } from './http-head.ts'
import { answerMessage, answerProblem, breakOff, unknownAsker } from './http2-answers.ts'
import { type Http2Request, readRequest } from './http2-head.ts'
import { Http1Exchange } from './http2-to-http1.ts'
import { Http2Relay } from './http2-to-http2.ts'
import { ServiceWays } from './service-ways.ts'

/** What the requests of one visitor's connection share. */
export interface Http2Connection {
  readonly visitor: Visitor
  readonly scheme: 'http' | 'https'
  /** The name that all tunnels' host names end in. */
  readonly base: string
  readonly release: Release
  readonly limits: EdgeLimits
  readonly ways: ServiceWays
  /** Counts the connection for this tunnel, the first time. */
  count(tunnel: Tunnel): void
  /** Lets the tunnel know of a request. */
  see(tunnel: Tunnel, request: Http2Request): KeptRequest
}

/** A request on its way. It answers the visitor's stream by itself, and is over when that is closed. */
export interface Http2Exchange {
  begin(): void
  /** Called now and then: ends what has waited too long. */
  expire(now: number): void
}

export interface Http2VisitorOptions {
  routing: Routing<Tunnel>
  visitors: Visitors
  release: Release
  limits: EdgeLimits
  base: string
  scheme: 'http' | 'https'
  /** What the edge has shown to this visitor, where it has ended TLS. */
  certificate: Certificate | null
}

/** One visitor's HTTP/2 connection: its requests are served side by side, each routed by its own `:authority`. */
export class Http2Visitor {
  readonly #session: ServerHttp2Session
  readonly #options: Http2VisitorOptions
  readonly #connection: Http2Connection
  readonly #exchanges = new Set<Http2Exchange>()
  readonly #counted = new Set<Tunnel>()
  /** Requests of people whose sign-in ends, with when it does, ms since 1970. */
  readonly #until = new Map<ServerHttp2Stream, number>()
  /** What those tunnels know of it. */
  readonly #live = new Map<TunnelTraffic, LiveConnection>()
  readonly #pings: Allowance
  readonly #settings: Allowance
  readonly #faults: Allowance
  /** When patience with a connection without requests ends, ms since 1970. */
  #deadline: number

  constructor(session: ServerHttp2Session, visitor: Visitor, options: Http2VisitorOptions) {
    this.#session = session
    this.#options = options
    const { limits, visitors, release, base, scheme } = options
    this.#connection = {
      visitor,
      scheme,
      base,
      release,
      limits,
      ways: new ServiceWays(visitor, visitors, limits),
      count: (tunnel) => {
        if (this.#counted.has(tunnel)) return
        this.#counted.add(tunnel)
        tunnel.meter.connection()
      },
      see: (tunnel, request) => this.#see(tunnel, request),
    }
    const now = performance.now()
    this.#pings = new Allowance(limits.http2PingsPerSecond, limits.http2PingsBurst, now)
    this.#settings = new Allowance(limits.http2SettingsPerSecond, limits.http2SettingsBurst, now)
    this.#faults = new Allowance(limits.http2ResetsPerSecond, limits.http2ResetsBurst, now)
    this.#deadline = Date.now() + limits.headTimeoutMs
    session.setLocalWindowSize(limits.http2WindowBytes)
    session.on('stream', (stream, _headers: IncomingHttpHeaders, _flags: number, raw: string[]) =>
      this.#onStream(stream, raw),
    )
    session.on('ping', () => this.#spend(this.#pings))
    session.on('remoteSettings', () => this.#spend(this.#settings))
    session.on('error', () => undefined)
    session.once('close', () => {
      this.#connection.ways.close()
      for (const connection of this.#live.values()) connection.end()
    })
  }

  /** Ends the connection at once. Idempotent. */
  cut(): void {
    this.#session.destroy()
  }

  /** Called now and then: ends what has waited too long. */
  expire(now: number): void {
    for (const exchange of this.#exchanges) exchange.expire(now)
    for (const [stream, until] of this.#until) if (now >= until) breakOff(stream, constants.NGHTTP2_CANCEL)
    this.#connection.ways.expire(now)
    // Those who have begun nothing are told that they may go; those who do not go are cut.
    if (this.#exchanges.size === 0 && now >= this.#deadline) {
      if (this.#session.closed) this.cut()
      this.#session.close()
      this.#deadline = now + this.#options.limits.lingerMs
    }
  }

  #onStream(stream: ServerHttp2Stream, raw: readonly string[]): void {
    stream.on('error', () => undefined)
    // It was reset in the very packet that opened it.
    if (stream.destroyed || stream.closed) return
    const { routing, certificate, limits } = this.#options
    let request: Http2Request
    try {
      request = readRequest(raw, stream.endAfterHeaders, randomBytes(16).toString('base64'), limits.http2HeadBytesMax)
      if (certificate?.covers(request.head.host) === false)
        throw new HttpRefusal(421, 'this connection was made for another host')
    } catch (error) {
      if (!(error instanceof HttpRefusal)) throw error
      this.#answerOnly(stream)
      answerProblem(stream, problemOf(error, ''), unknownAsker)
      this.#spend(this.#faults)
      return
    }
    const { head, grpc } = request
    const tunnel = routing.host('http', head.host)
    if (!tunnel) {
      const code = routing.wasServed('http', head.host) ? 'agent_offline' : 'tunnel_not_found'
      this.#answerOnly(stream)
      answerProblem(stream, { code, host: head.authority }, { accept: head.accept, method: head.method, grpc })
      return
    }
    if (tunnel.access.isOpen) {
      this.#enter(stream, tunnel, admittedByNobody(this.#connection.visitor.address), request)
      this.#serve(stream, request, tunnel)
    } else this.#judge(stream, request, tunnel)
  }

  /** Lets the tunnel's rules decide; what comes meanwhile waits. */
  #judge(stream: ServerHttp2Stream, request: Http2Request, tunnel: Tunnel): void {
    const { visitor, scheme, limits } = this.#connection
    const { head, grpc } = request
    let peek: StreamPeek | undefined
    const deadline = Date.now() + limits.judgingMs
    const judged: Http2Exchange = {
      begin: () => undefined,
      expire: (now) => {
        if (now >= deadline) breakOff(stream, constants.NGHTTP2_CANCEL)
      },
    }
    this.#exchanges.add(judged)
    const gone = (): void => {
      this.#exchanges.delete(judged)
      peek?.giveUp()
    }
    stream.once('close', gone)
    const decide = (verdict: Verdict): void => {
      stream.off('close', gone)
      this.#exchanges.delete(judged)
      if (!stream.destroyed && !stream.closed) this.#decide(stream, request, tunnel, verdict, peek)
    }
    const verdict = tunnel.access.judge({
      head,
      address: visitor.address,
      scheme,
      grpc,
      body: (bytesMax, room) => {
        if (head.body.kind === 'none') return Promise.resolve(Buffer.alloc(0))
        peek = new StreamPeek(stream, bytesMax, room)
        return peek.whole
      },
    })
    if (verdict instanceof Promise)
      verdict.then(decide, () => {
        // What is thrown here is a fault of ours: nobody comes in by it.
        gone()
        breakOff(stream, constants.NGHTTP2_INTERNAL_ERROR)
      })
    else decide(verdict)
  }

  #decide(
    stream: ServerHttp2Stream,
    request: Http2Request,
    tunnel: Tunnel,
    verdict: Verdict,
    peek: StreamPeek | undefined,
  ): void {
    const { head, grpc } = request
    const { accept, method } = head
    if (verdict.kind === 'answered') {
      this.#answerOnly(stream)
      answerMessage(stream, verdict.message, method)
      return
    }
    // The rules may have changed while they were asked.
    if (verdict.kind === 'refused' || !tunnel.access.stays(verdict.admission) || tunnel.ended) {
      const problem: VisitorProblem =
        verdict.kind === 'refused' ? verdict.problem : { code: 'access_denied', host: head.authority }
      this.#answerOnly(stream)
      const seen = this.#see(tunnel, request)
      seen.in(request.bytes)
      seen.fail(problem.code, problemWords(problem).status)
      answerProblem(stream, problem, { accept, method, grpc, report: tunnel.access.reportUrl(head.host) })
      return
    }
    const { admission, fields, response: changes } = verdict
    this.#enter(stream, tunnel, admission, request)
    const body = peek?.body
    this.#serve(stream, { ...request, head: { ...head, fields }, changes, ...(body && { body }) }, tunnel)
  }

  #enter(stream: ServerHttp2Stream, tunnel: Tunnel, admission: Admission, { head, grpc }: Http2Request): void {
    const { accept, method, authority } = head
    const forget = tunnel.admit(admission, () =>
      answerProblem(stream, tunnel.access.problemOf(admission, authority), { accept, method, grpc }),
    )
    const until = admission.person?.until
    if (until !== undefined) this.#until.set(stream, until)
    stream.once('close', () => {
      forget()
      this.#until.delete(stream)
    })
  }

  #serve(stream: ServerHttp2Stream, request: Http2Request, tunnel: Tunnel): void {
    const exchange =
      request.grpc || tunnel.http2
        ? new Http2Relay(this.#connection, stream, request, tunnel)
        : new Http1Exchange(this.#connection, stream, request, tunnel)
    this.#exchanges.add(exchange)
    stream.once('close', () => {
      this.#exchanges.delete(exchange)
      this.#deadline = Date.now() + this.#options.limits.keepAliveMs
      if (visitorsFaults.has(stream.rstCode)) this.#spend(this.#faults)
    })
    exchange.begin()
  }

  #see({ traffic }: Tunnel, request: Http2Request): KeptRequest {
    const { visitor, scheme } = this.#connection
    const { address, port } = visitor
    let connection = this.#live.get(traffic)
    if (!connection) {
      connection = traffic.connect({ address, port, protocol: 'HTTP/2', cut: () => this.cut() })
      this.#live.set(traffic, connection)
    }
    const { head, grpc, webSocketKey } = request
    const start = { head, scheme, grpc, webSocket: webSocketKey !== null, replayOf: null, framing: null }
    return traffic.begin({ ...start, protocol: 'HTTP/2' }, address, connection)
  }

  /** Nobody else hears how this stream goes on. */
  #answerOnly(stream: ServerHttp2Stream): void {
    this.#deadline = Date.now() + this.#options.limits.keepAliveMs
    stream.once('close', () => {
      if (visitorsFaults.has(stream.rstCode)) this.#spend(this.#faults)
    })
  }

  #spend(allowance: Allowance): void {
    if (allowance.take(performance.now()) || this.#session.destroyed) return
    this.#session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }
}

/** Streams are ended with these because the visitor has broken the rules, which costs what a reset by the visitor costs. */
const visitorsFaults: ReadonlySet<number | undefined> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_STREAM_CLOSED,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
  constants.NGHTTP2_COMPRESSION_ERROR,
])
