import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { LinkError } from '../../link/index.ts'
import { problemOf } from '../errors.ts'
import type { Tunnel } from '../tunnel.ts'
import { forwardedFields } from './forwarded.ts'
import { answerProblem, breakOff, endOf, interim, respond } from './http2-answers.ts'
import { type Http2Request, passedHeaders, requestHeaders, sizeOf } from './http2-head.ts'
import type { Http2Connection, Http2Exchange } from './http2-visitor.ts'
import type { ServiceSession } from './service-ways.ts'

/**
 * One request of HTTP/2 to a service that speaks it too: frames of body as they come, both ways at once, with the trailers of both, as
 * gRPC needs it.
 */
export class Http2Relay implements Http2Exchange {
  readonly #connection: Http2Connection
  readonly #visitor: ServerHttp2Stream
  readonly #request: Http2Request
  readonly #tunnel: Tunnel
  #service: ClientHttp2Stream | undefined
  #over = false
  #deadline: number

  constructor(connection: Http2Connection, visitor: ServerHttp2Stream, request: Http2Request, tunnel: Tunnel) {
    this.#connection = connection
    this.#visitor = visitor
    this.#request = request
    this.#tunnel = tunnel
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
    this.#visitor.once('close', () => this.#visitorGone())
    release.later(() => this.#ask(session))
  }

  expire(now: number): void {
    if (now < this.#deadline) return
    breakOff(this.#visitor, constants.NGHTTP2_INTERNAL_ERROR)
  }

  /** Once the request is counted. */
  #ask(way: ServiceSession): void {
    if (this.#over) return
    const { scheme, visitor: from, release } = this.#connection
    const { head } = this.#request
    const ended = head.body.kind === 'none'
    const forwarded = forwardedFields(from.address, scheme, head.authority)
    let service: ClientHttp2Stream
    try {
      service = way.session.request(requestHeaders(this.#request, scheme, forwarded), {
        endStream: ended,
        waitForTrailers: !ended,
      })
    } catch (error) {
      this.#failed(way.error ?? error)
      return
    }
    this.#service = service
    const visitor = this.#visitor
    const { meter } = this.#tunnel
    let trailers: IncomingHttpHeaders = {}
    let failure: Error | undefined
    service.on('error', (error) => {
      failure = error
    })
    service.once('close', () => this.#serviceGone(way, failure))
    if (ended) visitor.resume()
    else {
      visitor.once('trailers', (fields: IncomingHttpHeaders) => {
        trailers = fields
        meter.in(sizeOf(fields))
      })
      service.once('wantTrailers', () => guarded(service, () => service.sendTrailers(passedHeaders(trailers, ''))))
      visitor.on('data', (chunk: Buffer) => {
        meter.in(chunk.length)
        this.#waitLonger()
        if (!release.write(service, chunk)) visitor.pause()
      })
      service.on('drain', () => visitor.resume())
      // Ended by being reset: what is cut short must not look complete to the service.
      visitor.once('end', () => {
        if (!visitor.closed) release.end(service)
      })
    }
    this.#listen(service, way)
  }

  #listen(service: ClientHttp2Stream, way: ServiceSession): void {
    const { release, base } = this.#connection
    const visitor = this.#visitor
    const { meter } = this.#tunnel
    let trailers: IncomingHttpHeaders | undefined
    /** Of the body, as far as the answer's head tells. */
    let missing: number | undefined
    service.on('headers', (fields) => {
      const passed = passedHeaders(fields, base)
      meter.out(sizeOf(passed))
      release.later(() => interim(visitor, passed))
    })
    service.once('response', (fields, flags) => {
      const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
      const passed = passedHeaders(fields, base)
      missing = ended ? 0 : fields['content-length'] === undefined ? undefined : Number(fields['content-length'])
      meter.out(sizeOf(passed))
      this.#waitLonger()
      release.later(() => respond(visitor, passed, ended, !ended))
    })
    service.once('trailers', (fields) => {
      trailers = fields
      meter.out(sizeOf(fields))
    })
    visitor.once('wantTrailers', () =>
      guarded(visitor, () => visitor.sendTrailers(passedHeaders(trailers ?? {}, base))),
    )
    service.on('data', (chunk: Buffer) => {
      if (missing !== undefined) missing -= chunk.length
      meter.out(chunk.length)
      this.#waitLonger()
      if (!release.write(visitor, chunk)) service.pause()
    })
    visitor.on('drain', () => service.resume())
    service.once('end', () => {
      if (this.#over) return
      // Node ends what is reset, or loses its session, like what is complete: #serviceGone tells.
      const broken = way.error !== undefined || way.session.destroyed || service.rstCode !== constants.NGHTTP2_NO_ERROR
      if (broken && trailers === undefined && missing !== 0) return
      this.#over = true
      release.end(visitor)
      // The service has answered without waiting for all of the request.
      if (!visitor.readableEnded) release.later(() => endOf(visitor))
    })
  }

  #serviceGone(way: ServiceSession, failure: Error | undefined): void {
    const { rstCode = constants.NGHTTP2_NO_ERROR } = this.#service ?? {}
    if (this.#over) return
    // A refusal by the service means something to the visitor: whether to try again, for one.
    if (rstCode !== constants.NGHTTP2_NO_ERROR && way.error === undefined && !way.session.destroyed) {
      this.#over = true
      breakOff(this.#visitor, rstCode)
    } else this.#failed(way.error ?? failure ?? new LinkError('closed', 'the service ended the request'))
  }

  #visitorGone(): void {
    this.#over = true
    const { rstCode } = this.#visitor
    // The service hears why, or at least that nobody waits any more.
    if (this.#service && !this.#service.closed)
      this.#service.close(rstCode === constants.NGHTTP2_NO_ERROR ? constants.NGHTTP2_CANCEL : rstCode)
  }

  #failed(error: unknown): void {
    if (this.#over) return
    this.#over = true
    const { head, grpc } = this.#request
    const problem =
      error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_HTTP2')
        ? ({ code: 'service_answer_invalid', host: head.authority } as const)
        : problemOf(error, head.authority)
    answerProblem(this.#visitor, problem, { accept: head.accept, method: head.method, grpc })
  }

  /** Calls that stream are as long as connections of other kinds, and may be as silent. */
  get #patienceMs(): number {
    const { connectionIdleMs, exchangeIdleMs } = this.#connection.limits
    return this.#request.grpc ? connectionIdleMs : exchangeIdleMs
  }

  #waitLonger(): void {
    this.#deadline = Date.now() + this.#patienceMs
  }
}

/** Late news of a stream that is over by now is no news; what Node does not let pass breaks it off. */
function guarded(stream: ServerHttp2Stream | ClientHttp2Stream, act: () => void): void {
  if (stream.destroyed || stream.closed) return
  try {
    act()
  } catch {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}
