import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { LinkError } from '../../link/index.ts'
import { problemOf, problemWords, type VisitorProblem } from '../errors.ts'
import type { KeptRequest } from '../inspection/index.ts'
import type { Tunnel } from '../tunnel.ts'
import { forwardedFields } from './forwarded.ts'
import { BodyReader } from './http-body.ts'
import { HttpRefusal, headBytesMax, interimResponsesMax, parseResponseHead, type ResponseHead } from './http-head.ts'
import { answerProblem, breakOff, codeOf, endOf, endWithTrailers, interim, respond } from './http2-answers.ts'
import { answerHeaders, type Http2Request, sizeOf, trailerHeaders } from './http2-head.ts'
import type { Http2Connection, Http2Exchange } from './http2-visitor.ts'
import { pump } from './pump.ts'
import type { ServiceStream } from './service-ways.ts'
import { acceptOf } from './web-socket-key.ts'

/**
 * One request of HTTP/2 to a service that speaks HTTP/1, over a stream of the link that is its own meanwhile:
 *
 *   asking ──head──▶ answering ──whole──▶ over; the stream of the link is kept for the next request
 *     │                 ├──101──▶ a WebSocket: bytes both ways until either side closes
 *     └──failed──▶ over ◀──broken off──┘
 */
export class Http1Exchange implements Http2Exchange {
  readonly #connection: Http2Connection
  readonly #visitor: ServerHttp2Stream
  readonly #request: Http2Request
  readonly #tunnel: Tunnel
  readonly #headBytes: Buffer
  readonly #seen: KeptRequest
  #way: ServiceStream | undefined
  #phase: 'asking' | 'answering' | 'web socket' | 'over' = 'asking'
  /** All of the request has been sent on. */
  #asked: boolean
  #input: Buffer = nothing
  #answer: ResponseHead | undefined
  #body: BodyReader | undefined
  #interimResponses = 0
  #trailers: OutgoingHttpHeaders = {}
  #deadline: number

  constructor(connection: Http2Connection, visitor: ServerHttp2Stream, request: Http2Request, tunnel: Tunnel) {
    this.#connection = connection
    this.#visitor = visitor
    this.#request = request
    this.#tunnel = tunnel
    this.#asked = request.head.body.kind === 'none'
    this.#deadline = Date.now() + connection.limits.exchangeIdleMs
    this.#seen = connection.see(tunnel, request)
    const { head } = request
    const forwarded = forwardedFields(connection.visitor.address, connection.scheme, head.authority)
    this.#headBytes = Buffer.from(`${head.method} ${head.target} HTTP/1.1\r\n${head.fields}${forwarded}\r\n`, 'latin1')
  }

  begin(): void {
    const { release } = this.#connection
    const way = this.#goTo(false)
    if (!way) return
    const visitor = this.#visitor
    const { meter } = this.#tunnel
    this.#connection.count(this.#tunnel)
    meter.request()
    meter.in(this.#request.bytes)
    this.#seen.in(this.#request.bytes)
    release.write(way.stream, this.#headBytes)
    visitor.on('drain', this.#onDrain)
    visitor.once('wantTrailers', () => endWithTrailers(visitor, this.#trailers))
    visitor.once('close', () => this.#end())
    // A WebSocket's bytes wait for the service's 101.
    if (this.#asked) {
      if (this.#request.webSocketKey === null) visitor.resume()
      return
    }
    const { body } = this.#request
    if (body) {
      this.#onVisitorData(body)
      this.#onVisitorEnd()
      return
    }
    visitor.on('data', this.#onVisitorData)
    // Dropped, but sent and so counted.
    visitor.once('trailers', (fields: IncomingHttpHeaders) => this.#tunnel.meter.in(sizeOf(fields)))
    visitor.once('end', this.#onVisitorEnd)
  }

  expire(now: number): void {
    if (now >= this.#deadline) this.#breakOff()
  }

  readonly #onDrain = (): void => {
    this.#way?.stream.resume()
  }

  readonly #onVisitorData = (chunk: Buffer): void => {
    const way = this.#way
    // Nobody waits for it any more.
    if (!way) return
    this.#tunnel.meter.in(chunk.length)
    this.#seen.in(chunk.length)
    this.#seen.requestBody(chunk)
    this.#waitLonger()
    if (chunk.length === 0) return
    const { release } = this.#connection
    if (this.#request.head.body.kind !== 'chunked') {
      if (!release.write(way.stream, chunk)) this.#visitor.pause()
      return
    }
    release.write(way.stream, Buffer.from(`${chunk.length.toString(16)}\r\n`, 'latin1'))
    release.write(way.stream, chunk)
    if (!release.write(way.stream, lineEnd)) this.#visitor.pause()
  }

  readonly #onVisitorEnd = (): void => {
    // Ended by being reset: what is cut short must not look complete to the service.
    if (this.#visitor.closed || this.#phase === 'over') return
    this.#asked = true
    this.#seen.requestEnded()
    if (this.#way && this.#request.head.body.kind === 'chunked')
      this.#connection.release.write(this.#way.stream, lastChunk)
  }

  /** Takes a stream of the link. Answers the visitor when there is none. */
  #goTo(fresh: boolean): ServiceStream | undefined {
    let way: ServiceStream
    try {
      way = this.#connection.ways.stream(this.#tunnel, fresh)
    } catch (error) {
      this.#failed(problemOf(error, this.#request.head.authority))
      return undefined
    }
    this.#way = way
    way.onCut = () => this.#cut()
    const { stream } = way
    stream.on('data', this.#onServiceData)
    stream.on('drain', this.#onServiceDrain)
    stream.on('end', this.#onServiceEnd)
    stream.on('error', this.#onServiceError)
    stream.on('close', this.#onServiceClose)
    stream.resume()
    return way
  }

  /** From now on what happens on the stream is none of this request's business. */
  #letGo(): ServiceStream | undefined {
    const way = this.#way
    if (!way) return undefined
    this.#way = undefined
    way.onCut = () => way.drop()
    const { stream } = way
    stream.off('data', this.#onServiceData)
    stream.off('drain', this.#onServiceDrain)
    stream.off('end', this.#onServiceEnd)
    stream.off('error', this.#onServiceError)
    stream.off('close', this.#onServiceClose)
    return way
  }

  readonly #onServiceDrain = (): void => {
    this.#visitor.resume()
  }

  readonly #onServiceError = (error: Error): void => this.#serviceFailed(error)

  readonly #onServiceClose = (): void => this.#serviceFailed(new LinkError('closed', 'the stream was closed'))

  readonly #onServiceEnd = (): void => {
    if (this.#answer?.body.kind === 'until-close') this.#complete(true)
    else this.#serviceFailed(new LinkError('closed', 'the service closed the connection'))
  }

  readonly #onServiceData = (chunk: Buffer): void => {
    this.#waitLonger()
    try {
      const rest = this.#body ? chunk : this.#readHeads(chunk)
      if (rest) this.#readBody(rest)
    } catch (error) {
      if (!(error instanceof HttpRefusal)) throw error
      this.#failed({ code: 'service_answer_invalid', host: this.#request.head.authority })
    }
  }

  /** Reads interim answers and the head of the final one. Returns what follows that. */
  #readHeads(chunk: Buffer): Buffer | undefined {
    let input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
    for (;;) {
      const end = input.indexOf(headEnd)
      if (end > headBytesMax || (end === -1 && input.length > headBytesMax))
        throw new HttpRefusal(431, 'the response head is too large')
      if (end === -1) {
        this.#input = input
        return undefined
      }
      const answer = parseResponseHead(input.toString('latin1', 0, end), this.#request.head.method)
      input = input.subarray(end + headEnd.length)
      if (answer.status === 101) {
        this.#switch(answer, input)
        return undefined
      }
      if (answer.status < 200) {
        if (++this.#interimResponses > interimResponsesMax) throw new HttpRefusal(400, 'too many interim responses')
        this.#passInterim(answer)
        continue
      }
      this.#answer = answer
      this.#input = nothing
      this.#phase = 'answering'
      this.#body = new BodyReader(answer.body, { dropTrailers: false, unframe: true })
      this.#respond(answer)
      return input
    }
  }

  #passInterim(answer: ResponseHead): void {
    const headers = answerHeaders(answer, this.#connection.base)
    this.#tunnel.meter.out(sizeOf(headers))
    const visitor = this.#visitor
    this.#connection.release.later(() => interim(visitor, headers))
  }

  #respond(answer: ResponseHead): void {
    const { release, base } = this.#connection
    const headers = answerHeaders(answer, base, this.#request.changes)
    this.#tunnel.meter.out(sizeOf(headers))
    this.#seen.out(sizeOf(headers))
    this.#seen.answered(answer.status, () => answer.fields, null)
    release.later(() => respond(this.#visitor, headers, answer.body.kind === 'none', answer.body.kind === 'chunked'))
  }

  #readBody(bytes: Buffer): void {
    const body = this.#body
    if (!body) return
    const taken = body.read(bytes, (part) => this.#out(part))
    if (!body.done) return
    this.#trailers = trailerHeaders(body.trailers)
    if (body.trailers !== '') this.#tunnel.meter.out(sizeOf(this.#trailers))
    this.#complete(taken < bytes.length || this.#answer?.keepAlive !== true)
  }

  #out(part: Buffer): void {
    this.#tunnel.meter.out(part.length)
    this.#seen.out(part.length)
    this.#seen.responseBody(part)
    if (!this.#connection.release.write(this.#visitor, part)) this.#way?.stream.pause()
  }

  /** The answer is whole. */
  #complete(last: boolean): void {
    this.#phase = 'over'
    this.#seen.end()
    const way = this.#letGo()
    if (last || !this.#asked) way?.drop()
    else if (way) this.#connection.ways.keep(way)
    const { release } = this.#connection
    const visitor = this.#visitor
    const { kind } = this.#answer?.body ?? { kind: 'none' }
    if (kind !== 'none') release.end(visitor)
    if (!this.#asked && kind !== 'chunked') release.later(() => endOf(visitor))
  }

  /** The service speaks WebSocket from here on; in HTTP/2 that is an ordinary success (RFC 8441 §5). */
  #switch(answer: ResponseHead, rest: Buffer): void {
    const { webSocketKey } = this.#request
    const way = this.#way
    const accepted = /^sec-websocket-accept: *(\S*)\r?$/im.exec(answer.fields)?.[1]
    if (!way || webSocketKey === null || answer.upgrade !== 'websocket' || accepted !== acceptOf(webSocketKey))
      throw new HttpRefusal(400, 'a switch of protocols that nobody asked for')
    this.#letGo()
    this.#way = way
    way.onCut = () => this.#cut()
    this.#phase = 'web socket'
    const { release, base } = this.#connection
    const { meter } = this.#tunnel
    const { stream } = way
    const visitor = this.#visitor
    const { 'sec-websocket-accept': _, ...headers } = answerHeaders({ ...answer, status: 200 }, base)
    meter.out(sizeOf(headers))
    this.#seen.out(sizeOf(headers))
    this.#seen.answered(answer.status, () => answer.fields, null)
    release.later(() => respond(visitor, headers, false))
    visitor.off('drain', this.#onDrain)
    if (rest.length > 0) this.#out(rest)
    this.#stayConnected()
    stream.on('error', () => this.#breakOff())
    stream.once('close', () => {
      if (!stream.readableEnded) this.#breakOff()
    })
    pump(visitor, stream, release, (bytes) => {
      meter.in(bytes)
      this.#seen.in(bytes)
      this.#stayConnected()
    })
    pump(stream, visitor, release, (bytes) => {
      meter.out(bytes)
      this.#seen.out(bytes)
      this.#stayConnected()
    })
    stream.resume()
  }

  #serviceFailed(error: Error): void {
    if (this.#retry()) return
    this.#failed(problemOf(error, this.#request.head.authority))
  }

  /** A service may close a kept connection just when the next request is on its way: what does no harm is sent once more. */
  #retry(): boolean {
    const silent = !this.#answer && this.#input.length === 0 && this.#interimResponses === 0
    const { head, webSocketKey } = this.#request
    if (!this.#way?.reused || !silent || head.body.kind !== 'none' || !safeMethods.has(head.method)) return false
    if (webSocketKey !== null) return false
    this.#letGo()?.drop()
    const way = this.#goTo(true)
    if (way) this.#connection.release.write(way.stream, this.#headBytes)
    return true
  }

  #failed(problem: VisitorProblem): void {
    const answering = this.#answer !== undefined || this.#phase === 'web socket'
    if (this.#phase === 'web socket') this.#seen.end()
    else this.#seen.fail(problem.code, answering ? null : problemWords(problem).status)
    this.#phase = 'over'
    this.#letGo()?.drop()
    const { head, grpc } = this.#request
    if (answering) this.#breakOff(codeOf(problem))
    else answerProblem(this.#visitor, problem, { accept: head.accept, method: head.method, grpc })
  }

  /** The tunnel, its agent or its quota has come to an end. */
  #cut(): void {
    this.#failed(problemOf(this.#tunnel.cutReason, this.#request.head.authority))
  }

  /** Only breaking off tells the visitor that the answer is not whole. */
  #breakOff(code: number = constants.NGHTTP2_INTERNAL_ERROR): void {
    breakOff(this.#visitor, code)
    this.#end()
  }

  /** The visitor's stream is over. */
  #end(): void {
    if (this.#phase === 'web socket') this.#seen.end()
    else this.#seen.fail('broken_off', null)
    this.#phase = 'over'
    this.#letGo()?.drop()
  }

  #waitLonger(): void {
    this.#deadline = Date.now() + this.#connection.limits.exchangeIdleMs
  }

  #stayConnected(): void {
    this.#deadline = Date.now() + this.#connection.limits.connectionIdleMs
  }
}

const nothing = Buffer.alloc(0)
const headEnd = Buffer.from('\r\n\r\n')
const lineEnd = Buffer.from('\r\n')
const lastChunk = Buffer.from('0\r\n\r\n')
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])
