import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FieldChanges } from '../../contract/access-rules.ts'
import { plainAddress } from '../../lib/address.ts'
import { LinkError, webSocketPath } from '../../link/index.ts'
import { changeFields, valuesOf } from '../access/fields.ts'
import { type Admission, admittedByNobody, type Verdict } from '../access/verdict.ts'
import type { Certificate } from '../certificates.ts'
import type { Challenges } from '../challenges.ts'
import { lastResponse, problemOf, problemResponse, problemWords, type VisitorProblem } from '../errors.ts'
import type { KeptRequest, LiveConnection, TunnelTraffic } from '../inspection/index.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import { normalHost, type Routing } from '../routing.ts'
import type { Tunnel, Visit } from '../tunnel.ts'
import { BodyPeek } from './body-peek.ts'
import { keepCookiesHome } from './cookies.ts'
import { forwardedFields } from './forwarded.ts'
import type { HostedLinks } from './http.ts'
import { BodyReader } from './http-body.ts'
import {
  HttpRefusal,
  headBytesMax,
  interimResponsesMax,
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
} from './http-head.ts'
import { Http2AsHttp1 } from './http1-to-http2.ts'
import { pump } from './pump.ts'

/**
 * One visitor's connection. Requests are served one after the other:
 *
 *   head ──a link by WebSocket──▶ handed over
 *   head ──a whole head──▶ judged ──admitted──▶ exchange ──response and request complete──▶ head
 *     │                       ├──101──▶ upgraded: bytes both ways until either side closes
 *     └──refused──▶ closing ◀─┘ the answer was the last one: what still arrives is dropped until `lingerMs`
 *
 * Keep-alive requests to the same tunnel share one link stream, and so one connection to the service. A stream is given up as
 * soon as where a message ends on it is not certain.
 */
export class HttpVisitor {
  readonly #socket: Socket
  readonly #address: string
  readonly #options: HttpVisitorOptions
  #phase: 'head' | 'judged' | 'exchange' | 'upgraded' | 'closing' | 'handed over' = 'head'
  /** What the visitor has sent and nobody has taken. */
  #input: Buffer = nothing
  #exchange: Exchange | undefined
  /** While the tunnel's rules want to see the body. */
  #peek: BodyPeek | undefined
  /** Whom the tunnel's rules have let in, for the request or the WebSocket that is under way. */
  #admitted: { until: number; forget: () => void } | undefined
  #upstream: Upstream | undefined
  /** The tunnels that this connection was counted for. */
  readonly #counted = new Set<Tunnel>()
  /** What those tunnels know of it. */
  readonly #live = new Map<TunnelTraffic, LiveConnection>()
  /** The request that became a WebSocket. */
  #webSocket: KeptRequest | undefined
  #visitorEnded = false
  #headBegun = false
  /** When patience ends, ms since 1970. */
  #deadline: number

  constructor(socket: Socket, address: string, options: HttpVisitorOptions) {
    this.#socket = socket
    this.#address = address
    this.#options = options
    this.#deadline = Date.now() + options.limits.headTimeoutMs
    socket.setNoDelay(true)
    socket.setKeepAlive(true, tcpKeepAliveMs)
    socket.on('data', this.#onData)
    socket.on('drain', this.#onDrain)
    socket.once('end', this.#onEnd)
    socket.once('close', () => {
      this.#dropUpstream()
      this.#peek?.giveUp()
      this.#leave()
      this.#exchange?.seen.fail('broken_off', null)
      this.#webSocket?.end()
      for (const connection of this.#live.values()) connection.end()
    })
  }

  /** Ends the connection at once, unless it belongs to somebody else by now. Idempotent. */
  cut = (): void => {
    if (this.#phase !== 'handed over') this.#socket.destroy()
  }

  /** Called now and then: ends what has waited too long. */
  expire(now: number): void {
    if (this.#admitted && now >= this.#admitted.until) this.cut()
    if (now < this.#deadline || this.#phase === 'handed over') return
    if (this.#phase === 'head' && this.#headBegun) this.#answer({ code: 'request_timeout' }, '', 'GET')
    else this.cut()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#phase === 'closing') return
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
    try {
      this.#advance()
    } catch (error) {
      this.#refuse(error)
    }
  }

  readonly #onDrain = (): void => {
    this.#upstream?.stream.resume()
  }

  readonly #onEnd = (): void => {
    this.#visitorEnded = true
    if (this.#phase === 'closing' || this.#phase === 'head') this.#options.release.end(this.#socket)
    // A request cut short must not look complete to the service.
    else if (this.#phase === 'exchange' && !this.#exchange?.requestBody.done) this.cut()
  }

  #advance(): void {
    while (this.#input.length > 0) {
      if (this.#phase === 'head') {
        const text = this.#takeHead()
        if (text === undefined) return
        this.#begin(text)
      } else if (this.#phase === 'exchange' && this.#exchange && !this.#exchange.requestBody.done) {
        const { requestBody, tunnel, seen } = this.#exchange
        const taken = requestBody.read(this.#input, (part) => {
          if (this.#upstream && !this.#options.release.write(this.#upstream.stream, part)) this.#socket.pause()
        })
        tunnel.meter.in(taken)
        seen.in(taken)
        seen.requestBody(this.#input.subarray(0, taken))
        if (requestBody.done) seen.requestEnded()
        this.#input = this.#input.subarray(taken)
        this.#waitLonger()
      } else if (this.#phase === 'judged' && this.#peek?.over === false) {
        this.#peek.look(this.#input)
        return
      } else {
        // The next request waits until this one is answered; an upgrade's bytes wait for the service's 101.
        this.#socket.pause()
        return
      }
    }
  }

  #takeHead(): string | undefined {
    if (!this.#headBegun) {
      this.#headBegun = true
      this.#deadline = Date.now() + this.#options.limits.headTimeoutMs
    }
    const end = this.#input.indexOf(headEnd)
    if (end > headBytesMax || (end === -1 && this.#input.length > headBytesMax))
      throw new HttpRefusal(431, `the request head is larger than ${headBytesMax} bytes`)
    if (end === -1) {
      if (hasBareLineFeed(this.#input)) throw new HttpRefusal(400, 'a line ends without a carriage return')
      return undefined
    }
    const text = this.#input.toString('latin1', 0, end)
    this.#input = this.#input.subarray(end + headEnd.length)
    this.#headBegun = false
    return text
  }

  #begin(text: string): void {
    const head = parseRequestHead(text)
    const challenge = this.#options.challenges.httpResponse(head)
    if (challenge) {
      this.#socket.write(challenge)
      this.#close()
      return
    }
    const { routing, links, certificate } = this.#options
    // A browser sends requests for whatever the certificate covers; for more only somebody who tries another tenant's name.
    if (certificate?.covers(head.host) === false)
      throw new HttpRefusal(421, 'this connection was made for another host')
    const tunnel = routing.host('http', head.host)
    if (!tunnel) {
      if (links.hosts.has(normalHost(head.host)) && head.target === webSocketPath) {
        this.#handOver(text)
        return
      }
      this.#answer(
        { code: routing.wasServed('http', head.host) ? 'agent_offline' : 'tunnel_not_found', host: head.authority },
        head.accept,
        head.method,
      )
      return
    }
    if (tunnel.access.isOpen) {
      this.#enter(tunnel, admittedByNobody(this.#address))
      this.#start(tunnel, head, text.length)
    } else this.#judge(tunnel, head, text.length)
  }

  /** Lets the tunnel's rules decide; what comes meanwhile waits. */
  #judge(tunnel: Tunnel, head: RequestHead, headLength: number): void {
    const { scheme, limits } = this.#options
    this.#phase = 'judged'
    this.#deadline = Date.now() + limits.judgingMs
    const verdict = tunnel.access.judge({
      head,
      address: this.#address,
      scheme,
      grpc: false,
      body: (bytesMax, room) => {
        const peek = new BodyPeek(head.body, bytesMax, room)
        this.#peek = peek
        if (!peek.over && valuesOf(head.fields, 'expect').length > 0)
          this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n')
        peek.look(this.#input)
        if (!peek.over) this.#socket.resume()
        return peek.whole
      },
    })
    if (!(verdict instanceof Promise)) {
      this.#decide(tunnel, head, headLength, verdict)
      return
    }
    const own = (news: () => void): void => {
      if (this.#phase !== 'judged' || this.#socket.destroyed) return
      try {
        news()
      } catch (error) {
        this.#refuse(error)
      }
    }
    verdict.then(
      (found) =>
        own(() => {
          this.#decide(tunnel, head, headLength, found)
          this.#socket.resume()
          this.#advance()
          // It was cut short meanwhile.
          if (this.#visitorEnded && this.#exchange?.requestBody.done === false) this.cut()
        }),
      // What is thrown here is a fault of ours: nobody comes in by it.
      () => own(() => this.cut()),
    )
  }

  #decide(tunnel: Tunnel, head: RequestHead, headLength: number, verdict: Verdict): void {
    this.#peek = undefined
    if (verdict.kind === 'answered') {
      this.#socket.write(lastResponse(verdict.message, head.method))
      this.#close()
      return
    }
    // The rules may have changed while they were asked.
    const admitted = verdict.kind === 'admitted' && tunnel.access.stays(verdict.admission) && !tunnel.ended
    if (!admitted) {
      const problem: VisitorProblem =
        verdict.kind === 'refused' ? verdict.problem : { code: 'access_denied', host: head.authority }
      const seen = this.#see(tunnel, head)
      seen.in(headLength + headEnd.length)
      seen.fail(problem.code, problemWords(problem).status)
      this.#answer(problem, head.accept, head.method, tunnel.access.reportUrl(head.host))
      return
    }
    const { admission, fields, response } = verdict
    this.#enter(tunnel, admission)
    this.#start(tunnel, { ...head, fields }, headLength, response)
  }

  #enter(tunnel: Tunnel, admission: Admission): void {
    const until = admission.person?.until ?? Number.POSITIVE_INFINITY
    this.#admitted = { until, forget: tunnel.admit(admission, () => this.#shutOut(tunnel, admission)) }
  }

  /** The tunnel's rules have changed. */
  #shutOut(tunnel: Tunnel, admission: Admission): void {
    const exchange = this.#exchange
    if (!exchange || exchange.response) this.cut()
    else this.#serviceFailed(tunnel.access.problemOf(admission, exchange.head.authority))
  }

  /** The request under way is over, or will never be. Idempotent. */
  #leave(): void {
    this.#admitted?.forget()
    this.#admitted = undefined
  }

  #start(tunnel: Tunnel, head: RequestHead, headLength: number, changes: FieldChanges | null = null): void {
    const { release, scheme } = this.#options
    const headBytes = Buffer.from(
      `${head.method} ${head.target} HTTP/${head.version}\r\n${head.fields}${forwardedFields(this.#address, scheme, head.authority)}\r\n`,
      'latin1',
    )
    const exchange: Exchange = {
      head,
      headBytes,
      tunnel,
      seen: this.#see(tunnel, head),
      changes,
      requestBody: new BodyReader(head.body, { dropTrailers: true }),
      response: undefined,
      responseBody: undefined,
      waitingHead: '',
      responseInput: nothing,
      interimResponses: 0,
      keepAlive: false,
    }
    this.#phase = 'exchange'
    this.#exchange = exchange
    const upstream = this.#upstreamTo(tunnel)
    if (!upstream) return
    if (!this.#counted.has(tunnel)) {
      this.#counted.add(tunnel)
      tunnel.meter.connection()
    }
    tunnel.meter.request()
    tunnel.meter.in(headLength + headEnd.length)
    exchange.seen.in(headLength + headEnd.length)
    if (!release.write(upstream.stream, headBytes)) this.#socket.pause()
    this.#waitLonger()
  }

  #see(tunnel: Tunnel, head: RequestHead): KeptRequest {
    const { traffic } = tunnel
    let connection = this.#live.get(traffic)
    if (!connection) {
      const { remotePort: port = 0 } = this.#socket
      connection = traffic.connect({ address: this.#address, port, protocol: 'HTTP/1', cut: this.cut })
      this.#live.set(traffic, connection)
    }
    const start = {
      head,
      protocol: `HTTP/${head.version}`,
      scheme: this.#options.scheme,
      webSocket: head.upgrade,
      grpc: false,
      replayOf: null,
      framing: head.body,
    } as const
    return traffic.begin(start, this.#address, connection)
  }

  /** Gives the connection away as it came, since this head. */
  #handOver(text: string): void {
    this.#phase = 'handed over'
    const socket = this.#socket
    const unread = Buffer.concat([Buffer.from(text, 'latin1'), headEnd, this.#input])
    this.#input = nothing
    socket.pause()
    socket.off('data', this.#onData)
    socket.off('drain', this.#onDrain)
    socket.off('end', this.#onEnd)
    this.#dropUpstream()
    socket.unshift(unread)
    this.#options.links.take(socket)
    socket.resume()
  }

  /** The stream of the last request if it leads to the same open tunnel, else a new one. Answers the visitor when there is none. */
  #upstreamTo(tunnel: Tunnel): Upstream | undefined {
    const current = this.#upstream
    if (current?.tunnel === tunnel && current.stream.writable && !current.stream.readableEnded) {
      current.reused = true
      return current
    }
    this.#dropUpstream()
    let visit: Visit
    try {
      visit = tunnel.visit(
        {
          protocol: 'http',
          address: this.#address,
          port: this.#socket.remotePort ?? 0,
          localAddress: plainAddress(this.#socket.localAddress),
          localPort: this.#socket.localPort ?? 0,
          offset: 0,
        },
        this.cut,
      )
    } catch (error) {
      this.#fail(error)
      return undefined
    }
    const { limits, scheme } = this.#options
    const stream = tunnel.http2 ? new Http2AsHttp1(visit.stream, scheme, limits) : visit.stream
    const upstream: Upstream = { tunnel, stream, leave: visit.leave, reused: false }
    this.#upstream = upstream
    const own = (news: () => void): void => {
      if (this.#upstream === upstream && this.#phase !== 'upgraded') news()
    }
    stream.on('data', (chunk: Buffer) => own(() => this.#onUpstreamData(chunk)))
    stream.on('drain', () => own(() => this.#socket.resume()))
    stream.once('end', () => own(() => this.#onUpstreamEnd()))
    stream.on('error', (error) => own(() => this.#fail(error)))
    stream.once('close', () => own(() => this.#fail(new LinkError('closed', 'the stream was closed'))))
    return upstream
  }

  #onUpstreamData(chunk: Buffer): void {
    const exchange = this.#exchange
    // A service that speaks without being asked could be answering the next visitor's request: nothing of it is used.
    if (!exchange) {
      this.#dropUpstream()
      return
    }
    this.#waitLonger()
    try {
      const rest = exchange.responseBody ? chunk : this.#readResponseHeads(exchange, chunk)
      if (rest) this.#readResponseBody(exchange, rest)
    } catch (error) {
      if (!(error instanceof HttpRefusal)) throw error
      this.#serviceFailed({ code: 'service_answer_invalid', host: exchange.head.authority })
    }
  }

  /** Reads interim responses and the final one's head. Returns what follows the final head. */
  #readResponseHeads(exchange: Exchange, chunk: Buffer): Buffer | undefined {
    let input = exchange.responseInput.length === 0 ? chunk : Buffer.concat([exchange.responseInput, chunk])
    for (;;) {
      const end = input.indexOf(headEnd)
      if (end > headBytesMax || (end === -1 && input.length > headBytesMax))
        throw new HttpRefusal(431, 'the response head is too large')
      if (end === -1) {
        exchange.responseInput = input
        return undefined
      }
      const parsed = parseResponseHead(input.toString('latin1', 0, end), exchange.head.method)
      const { changes } = exchange
      const fields = changes && parsed.status >= 200 ? changeFields(parsed.fields, changes) : parsed.fields
      const response = { ...parsed, fields: keepCookiesHome(fields, this.#options.base) }
      input = input.subarray(end + headEnd.length)
      if (response.status === 101) {
        this.#upgrade(exchange, response, input)
        return undefined
      }
      if (response.status < 200) {
        if (++exchange.interimResponses > interimResponsesMax) throw new HttpRefusal(400, 'too many interim responses')
        // HTTP/1.0 has no interim responses.
        if (exchange.head.version === '1.1') this.#out(exchange, Buffer.from(responseHeadText(response, ''), 'latin1'))
        continue
      }
      exchange.response = response
      exchange.seen.answered(response.status, () => response.fields, response.body)
      exchange.responseInput = nothing
      exchange.responseBody = new BodyReader(response.body, { dropTrailers: false })
      exchange.keepAlive =
        exchange.head.keepAlive &&
        response.body.kind !== 'until-close' &&
        exchange.requestBody.done &&
        !exchange.head.upgrade &&
        !this.#visitorEnded
      exchange.waitingHead = responseHeadText(response, exchange.keepAlive ? '' : 'Connection: close\r\n')
      return input
    }
  }

  #readResponseBody(exchange: Exchange, bytes: Buffer): void {
    const body = exchange.responseBody
    if (!body) return
    const taken = body.read(bytes, (part) => this.#outWithHead(exchange, part))
    exchange.seen.responseBody(taken === bytes.length ? bytes : bytes.subarray(0, taken))
    this.#outWithHead(exchange, nothing)
    if (!body.done) return
    if (taken < bytes.length || !exchange.response?.keepAlive || !exchange.tunnel.keepsWays) this.#dropUpstream()
    this.#finish(exchange)
  }

  /** A small part of the body leaves in one piece with the head before it: a write of two pieces costs more than joining them. */
  #outWithHead(exchange: Exchange, part: Buffer): void {
    const head = exchange.waitingHead
    if (head === '') {
      if (part.length > 0) this.#out(exchange, part)
      return
    }
    exchange.waitingHead = ''
    if (part.length > joinedBytesMax) {
      this.#out(exchange, Buffer.from(head, 'latin1'))
      this.#out(exchange, part)
      return
    }
    const joined = Buffer.allocUnsafe(head.length + part.length)
    joined.write(head, 0, 'latin1')
    part.copy(joined, head.length)
    this.#out(exchange, joined)
  }

  #out(exchange: Exchange, bytes: Buffer): void {
    exchange.tunnel.meter.out(bytes.length)
    exchange.seen.out(bytes.length)
    if (!this.#options.release.write(this.#socket, bytes)) this.#upstream?.stream.pause()
  }

  #finish(exchange: Exchange): void {
    this.#exchange = undefined
    exchange.seen.end()
    this.#leave()
    if (!exchange.keepAlive) {
      this.#close()
      return
    }
    this.#phase = 'head'
    this.#deadline = Date.now() + this.#options.limits.keepAliveMs
    if (this.#visitorEnded && this.#input.length === 0) {
      this.#close()
      return
    }
    if (this.#socket.isPaused()) this.#socket.resume()
    if (this.#input.length === 0) return
    try {
      this.#advance()
    } catch (error) {
      this.#refuse(error)
    }
  }

  #upgrade(exchange: Exchange, response: ResponseHead, rest: Buffer): void {
    const upstream = this.#upstream
    if (!upstream || !exchange.head.upgrade || response.upgrade !== 'websocket')
      throw new HttpRefusal(400, 'a switch of protocols that nobody asked for')
    const { release } = this.#options
    const { stream, tunnel } = upstream
    const socket = this.#socket
    const { seen } = exchange
    seen.answered(response.status, () => response.fields, response.body)
    this.#webSocket = seen
    this.#out(exchange, Buffer.from(responseHeadText(response, ''), 'latin1'))
    this.#exchange = undefined
    this.#phase = 'upgraded'
    this.#stayConnected()
    socket.off('data', this.#onData)
    socket.off('drain', this.#onDrain)
    stream.removeAllListeners('data')
    stream.removeAllListeners('drain')
    if (rest.length > 0) this.#out(exchange, rest)
    if (this.#input.length > 0) {
      tunnel.meter.in(this.#input.length)
      seen.in(this.#input.length)
      release.write(stream, this.#input)
      this.#input = nothing
    }
    stream.on('error', this.cut)
    stream.once('close', () => {
      if (!stream.readableEnded) this.cut()
    })
    pump(socket, stream, release, (bytes) => {
      tunnel.meter.in(bytes)
      seen.in(bytes)
      this.#stayConnected()
    })
    pump(stream, socket, release, (bytes) => {
      tunnel.meter.out(bytes)
      seen.out(bytes)
      this.#stayConnected()
    })
    if (this.#visitorEnded) release.end(stream)
    socket.resume()
  }

  #onUpstreamEnd(): void {
    const exchange = this.#exchange
    if (!exchange) {
      this.#dropUpstream()
      return
    }
    if (exchange.response?.body.kind === 'until-close') {
      this.#dropUpstream()
      this.#finish(exchange)
    } else this.#fail(new LinkError('closed', 'the service closed the connection'))
  }

  /** The way to the service failed. */
  #fail(error: unknown): void {
    const exchange = this.#exchange
    if (!exchange) {
      this.#dropUpstream()
      return
    }
    if (this.#retry(exchange)) return
    this.#serviceFailed(problemOf(error, exchange.head.authority))
  }

  /**
   * A service may close a kept connection at the very moment when the next request is on its way. Such a request, if repeating it
   * does no harm, is sent once more over a new stream.
   */
  #retry(exchange: Exchange): boolean {
    const silent = !exchange.response && exchange.responseInput.length === 0 && exchange.interimResponses === 0
    if (
      !this.#upstream?.reused ||
      !silent ||
      exchange.head.body.kind !== 'none' ||
      !safeMethods.has(exchange.head.method)
    )
      return false
    this.#dropUpstream()
    const upstream = this.#upstreamTo(exchange.tunnel)
    if (upstream) this.#options.release.write(upstream.stream, exchange.headBytes)
    return true
  }

  #serviceFailed(problem: VisitorProblem): void {
    const exchange = this.#exchange
    this.#dropUpstream()
    if (!exchange) return
    exchange.seen.fail(problem.code, exchange.response ? null : problemWords(problem).status)
    // Part of a response is out: only breaking off tells the visitor that it is not whole.
    if (exchange.response) this.cut()
    else {
      const { head, tunnel } = exchange
      this.#answer(problem, head.accept, head.method, tunnel.access.reportUrl(head.host))
    }
  }

  #refuse(error: unknown): void {
    if (!(error instanceof HttpRefusal)) throw error
    this.#dropUpstream()
    this.#exchange?.seen.fail('request_invalid', this.#exchange.response ? null : error.status)
    if (this.#exchange?.response) {
      this.cut()
      return
    }
    this.#answer(problemOf(error, ''), '', this.#exchange?.head.method ?? 'GET')
  }

  #answer(problem: VisitorProblem, accept: string, method: string, report: string | null = null): void {
    this.#exchange = undefined
    this.#socket.write(problemResponse(problem, accept, method, report))
    this.#close()
  }

  /** Ends our side. What the visitor still sends is read and dropped for a while: closing on unread bytes would reset the answer away. */
  #close(): void {
    this.#phase = 'closing'
    this.#leave()
    this.#input = nothing
    this.#dropUpstream()
    this.#deadline = Date.now() + this.#options.limits.lingerMs
    this.#options.release.end(this.#socket)
    this.#socket.resume()
  }

  #dropUpstream(): void {
    const upstream = this.#upstream
    if (!upstream) return
    this.#upstream = undefined
    upstream.leave()
    upstream.stream.destroy()
  }

  #waitLonger(): void {
    this.#deadline = Date.now() + this.#options.limits.exchangeIdleMs
  }

  #stayConnected(): void {
    this.#deadline = Date.now() + this.#options.limits.connectionIdleMs
  }
}

export interface HttpVisitorOptions {
  routing: Routing<Tunnel>
  release: Release
  limits: EdgeLimits
  scheme: 'http' | 'https'
  /** What the edge has shown to this visitor, where it has ended TLS. */
  certificate: Certificate | null
  /** The name that all tunnels' host names end in. */
  base: string
  links: HostedLinks
  challenges: Pick<Challenges, 'httpResponse'>
}

/** A request on its way and what has come back for it. */
interface Exchange {
  readonly head: RequestHead
  readonly headBytes: Buffer
  readonly tunnel: Tunnel
  readonly seen: KeptRequest
  /** What the tunnel's rules do to the answer's fields. */
  readonly changes: FieldChanges | null
  readonly requestBody: BodyReader
  response: ResponseHead | undefined
  responseBody: BodyReader | undefined
  /** The response's head until it leaves, with the first part of the body if that is here already. */
  waitingHead: string
  /** The beginning of a response head that has not all arrived. */
  responseInput: Buffer
  interimResponses: number
  /** The visitor's connection goes on after this response. */
  keepAlive: boolean
}

interface Upstream {
  readonly tunnel: Tunnel
  readonly stream: Duplex
  readonly leave: () => void
  reused: boolean
}

const nothing = Buffer.alloc(0)
/** Beyond this copying the first part of a body behind its head costs more than a write of two pieces. */
const joinedBytesMax = 16_384
const headEnd = Buffer.from('\r\n\r\n')
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Dead visitors behind silent connections are found by the system after this and its usual probes, ms. */
const tcpKeepAliveMs = 60_000

function responseHeadText(response: ResponseHead, extra: string): string {
  return `HTTP/1.1 ${response.status} ${response.reason}\r\n${response.fields}${extra}\r\n`
}

function hasBareLineFeed(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1))
    if (at === 0 || bytes[at - 1] !== 13) return true
  return false
}
