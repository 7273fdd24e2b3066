import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import { problemOf, problemWords } from '../errors.ts'
import { headerText, type KeptRequest } from '../inspection/index.ts'
import type { Tunnel } from '../tunnel.ts'
import { forwardedFields } from './forwarded.ts'
import {
  answerProblem,
  breakOff,
  codeOf,
  endOf,
  endWithTrailers,
  grpcTrailers,
  interim,
  respond,
} from './http2-answers.ts'
import { type Http2Request, passedHeaders, requestHeaders, sizeOf } from './http2-head.ts'
import type { Http2Connection, Http2Exchange } from './http2-visitor.ts'
import { endedWell, failureOf, noWebSockets, type ServiceSession } from './service-session.ts'

/**
 * One request of HTTP/2 to a service that speaks it too: frames of body as they come, both ways at once, with the trailers of both, as
 * gRPC needs it. A WebSocket is such a request as well (RFC 8441), where the service takes it.
 */
export class Http2Relay implements Http2Exchange {
  readonly #connection: Http2Connection
  readonly #visitor: ServerHttp2Stream
  readonly #request: Http2Request
  readonly #tunnel: Tunnel
  readonly #seen: KeptRequest
  #service: ClientHttp2Stream | undefined
  /** The head of the service's answer has come. */
  #answered = false
  /** What follows the body of the answer. */
  #trailers: OutgoingHttpHeaders | undefined
  #visitorsTrailers: IncomingHttpHeaders = {}
  #over = false
  #deadline: number

  constructor(connection: Http2Connection, visitor: ServerHttp2Stream, request: Http2Request, tunnel: Tunnel) {
    this.#connection = connection
    this.#visitor = visitor
    this.#request = request
    this.#tunnel = tunnel
    this.#seen = connection.see(tunnel, request)
    this.#deadline = Date.now() + this.#patienceMs
  }

  begin(): void {
    const { ways, release } = this.#connection
    let session: ServiceSession
    try {
      session = ways.session(this.#tunnel)
    } catch (error) {
      this.#failed(error)
      return
    }
    const { meter } = this.#tunnel
    this.#connection.count(this.#tunnel)
    meter.request()
    meter.in(this.#request.bytes)
    this.#seen.in(this.#request.bytes)
    // Node tells of them at once, and so perhaps before the service is asked.
    this.#visitor.once('trailers', (found: IncomingHttpHeaders) => {
      this.#visitorsTrailers = found
      meter.in(sizeOf(found))
    })
    this.#visitor.once('close', () => this.#visitorGone())
    if (this.#request.webSocketKey === null) release.later(() => this.#ask(session))
    else void session.webSockets.then((offered) => release.later(() => this.#askForWebSocket(session, offered)))
  }

  expire(now: number): void {
    if (now < this.#deadline) return
    breakOff(this.#visitor, constants.NGHTTP2_INTERNAL_ERROR)
  }

  #askForWebSocket(way: ServiceSession, offered: boolean): void {
    if (offered || way.session.destroyed) this.#ask(way)
    else this.#failed(noWebSockets())
  }

  /** Once the request is counted. */
  #ask(way: ServiceSession): void {
    if (this.#over) return
    const { scheme, visitor: from, release } = this.#connection
    const { head, trailers, webSocketKey } = this.#request
    const { method, target, authority } = head
    const webSocket = webSocketKey !== null
    const ended = head.body.kind === 'none' && !webSocket
    const fields = head.fields + forwardedFields(from.address, scheme, authority)
    let service: ClientHttp2Stream
    try {
      service = way.session.request(
        requestHeaders({ method, target, authority, scheme, fields, trailers, webSocket }),
        { endStream: ended, waitForTrailers: !ended },
      )
    } catch (error) {
      this.#failed(way.error ?? error)
      return
    }
    this.#service = service
    const visitor = this.#visitor
    const { meter } = this.#tunnel
    let failure: Error | undefined
    service.on('error', (error) => {
      failure = error
    })
    service.once('close', () => this.#serviceGone(way, failure))
    const { body } = this.#request
    if (ended) visitor.resume()
    else if (body) {
      service.once('wantTrailers', () => sendTrailers(service, {}))
      meter.in(body.length)
      this.#seen.in(body.length)
      this.#seen.requestBody(body)
      release.write(service, body)
      release.end(service)
    } else {
      service.once('wantTrailers', () => sendTrailers(service, passedHeaders(this.#visitorsTrailers, '')))
      visitor.on('data', (chunk: Buffer) => {
        // Nobody waits for it any more.
        if (this.#over) return
        meter.in(chunk.length)
        this.#seen.in(chunk.length)
        this.#seen.requestBody(chunk)
        this.#waitLonger()
        if (!release.write(service, chunk)) visitor.pause()
      })
      service.on('drain', () => visitor.resume())
      // Ended by being reset: what is cut short must not look complete to the service.
      visitor.once('end', () => {
        if (visitor.closed) return
        this.#seen.requestEnded()
        release.end(service)
      })
    }
    this.#listen(service, way)
  }

  #listen(service: ClientHttp2Stream, way: ServiceSession): void {
    const { release, base } = this.#connection
    const visitor = this.#visitor
    const { meter } = this.#tunnel
    /** Bytes of the body: as many as the head tells, and as many as have come. Node may have some before the head. */
    let announced: number | undefined
    let received = 0
    service.on('headers', (fields) => {
      if (this.#over) return
      const passed = passedHeaders(fields, base)
      meter.out(sizeOf(passed))
      release.later(() => interim(visitor, passed))
    })
    service.once('response', (fields, flags) => {
      if (this.#over) return
      const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
      const passed = passedHeaders(fields, base, this.#request.changes)
      announced = ended ? 0 : fields['content-length'] === undefined ? undefined : Number(fields['content-length'])
      this.#answered = true
      meter.out(sizeOf(passed))
      this.#seen.out(sizeOf(passed))
      this.#seen.answered(fields[':status'] ?? 0, () => headerText(passed), null)
      this.#waitLonger()
      release.later(() => {
        respond(visitor, passed, ended, !ended)
        // The service has answered without waiting for all of the request.
        if (ended) endOf(visitor)
      })
    })
    service.once('trailers', (fields) => {
      if (this.#over) return
      this.#trailers = passedHeaders(fields, base)
      meter.out(sizeOf(this.#trailers))
    })
    visitor.once('wantTrailers', () => endWithTrailers(visitor, this.#trailers ?? {}))
    service.on('data', (chunk: Buffer) => {
      if (this.#over) return
      received += chunk.length
      meter.out(chunk.length)
      this.#seen.out(chunk.length)
      this.#seen.responseBody(chunk)
      this.#waitLonger()
      if (!release.write(visitor, chunk)) service.pause()
    })
    visitor.on('drain', () => service.resume())
    service.once('end', () => {
      // What was not told to be whole may have been cut short: #serviceGone tells.
      if (this.#over || !endedWell(service, way, this.#trailers !== undefined || received === announced)) return
      this.#over = true
      this.#seen.end()
      release.end(visitor)
    })
  }

  #serviceGone(way: ServiceSession, failure: Error | undefined): void {
    const { rstCode = constants.NGHTTP2_NO_ERROR } = this.#service ?? {}
    if (this.#over) return
    // A refusal by the service means something to the visitor: whether to try again, for one.
    if (rstCode !== constants.NGHTTP2_NO_ERROR && way.error === undefined && !way.session.destroyed) {
      this.#over = true
      this.#seen.fail('service_broke_off', null)
      breakOff(this.#visitor, rstCode)
    } else this.#failed(failureOf(this.#service, way, failure))
  }

  #visitorGone(): void {
    this.#over = true
    if (this.#request.webSocketKey !== null) this.#seen.end()
    else this.#seen.fail('broken_off', null)
    const { rstCode } = this.#visitor
    // The service hears why, or at least that nobody waits any more.
    if (this.#service && !this.#service.closed)
      this.#service.close(rstCode === constants.NGHTTP2_NO_ERROR ? constants.NGHTTP2_CANCEL : rstCode)
  }

  #failed(error: unknown): void {
    if (this.#over) return
    this.#over = true
    const { head, grpc } = this.#request
    const problem = problemOf(error, head.authority)
    this.#seen.fail(problem.code, this.#answered ? null : problemWords(problem).status)
    const { release, limits } = this.#connection
    const visitor = this.#visitor
    if (!this.#answered) answerProblem(visitor, problem, { accept: head.accept, method: head.method, grpc })
    else if (!grpc) release.later(() => breakOff(visitor, codeOf(problem)))
    else {
      // gRPC's status is in its trailers, and so can be told even now, behind what has been said.
      this.#trailers = grpcTrailers(problem)
      this.#deadline = Date.now() + limits.lingerMs
      release.end(visitor)
    }
  }

  /** Calls that stream are as long as connections of other kinds, and may be as silent; so are WebSockets. */
  get #patienceMs(): number {
    const { connectionIdleMs, exchangeIdleMs } = this.#connection.limits
    const { grpc, webSocketKey } = this.#request
    return grpc || webSocketKey !== null ? connectionIdleMs : exchangeIdleMs
  }

  #waitLonger(): void {
    this.#deadline = Date.now() + this.#patienceMs
  }
}

/** Late news of a stream that is over by now is no news; what Node does not let pass breaks it off. */
function sendTrailers(stream: ClientHttp2Stream, trailers: OutgoingHttpHeaders): void {
  if (stream.destroyed || stream.closed) return
  try {
    stream.sendTrailers(trailers)
  } catch {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}
