import { STATUS_CODES } from 'node:http'
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2'
import { Duplex } from 'node:stream'
import type { LinkStream } from '../../link/index.ts'
import type { EdgeLimits } from '../limits.ts'
import { forwardedFieldsCount } from './forwarded.ts'
import { BodyReader } from './http-body.ts'
import { headFieldsMax, parseRequestHead, type RequestHead } from './http-head.ts'
import { fieldLines, requestHeaders } from './http2-head.ts'
import { endedWell, failureOf, noWebSockets, type ServiceSession, serviceSession } from './service-session.ts'
import { acceptOf } from './web-socket-key.ts'

/**
 * A service that speaks HTTP/2, to whom HTTP/1 can be spoken: requests are written to it one after the other, as to any service, and its
 * answers read as HTTP/1. So an ingress of HTTP/1 need not know the difference.
 *
 *   idle ──head──▶ asked ──answer whole──▶ idle
 *                    └──200 to a WebSocket──▶ a WebSocket: bytes both ways until both sides have ended
 *
 * A request's head has to be one write of its own, and well-formed. A WebSocket (RFC 8441) that the service does not offer is an HttpRefusal.
 */
export class Http2AsHttp1 extends Duplex {
  readonly #stream: LinkStream
  readonly #way: ServiceSession
  readonly #scheme: string
  #asked: Asked | undefined
  /** No further request can be sent. */
  #last = false

  constructor(stream: LinkStream, scheme: string, limits: EdgeLimits) {
    super({ allowHalfOpen: true })
    this.#stream = stream
    this.#scheme = scheme
    this.#way = serviceSession(stream, limits, () => {
      this.#last = true
      if (!this.#asked) this.#finish()
    })
    this.#way.session.once('close', () => {
      if (!this.#asked) this.destroy(this.#way.error)
    })
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    try {
      // HTTP/1 has seen the whole answer; that HTTP/2 has yet to say so is of no interest any more.
      if (!this.#asked || this.#asked.answered()) {
        this.#begin(chunk.toString('latin1'))
        done()
      } else this.#asked.send(chunk, done)
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#asked) this.#asked.end(done)
    else done()
  }

  override _read(): void {
    this.#asked?.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#asked = undefined
    if (this.readableEnded && this.writableFinished) this.#way.session.close()
    else {
      this.#way.session.destroy()
      this.#stream.destroy()
    }
    done(error)
  }

  #begin(text: string): void {
    const head = parseRequestHead(text.slice(0, -headEnd.length), headFieldsMax + forwardedFieldsCount)
    const fields = text.slice(text.indexOf('\r\n') + 2, -2)
    const asked = new Asked(head, {
      push: (bytes) => this.#asked !== asked || this.push(bytes),
      over: () => {
        if (this.#asked !== asked) return
        this.#asked = undefined
        if (this.#last || head.version === '1.0' || asked.webSocket) this.#finish()
      },
      failed: (error) => {
        if (this.#asked === asked) this.destroy(error)
      },
    })
    this.#asked?.resume()
    this.#asked = asked
    const ask = (): void => {
      if (this.#asked === asked) asked.ask(this.#way, this.#scheme, fields)
    }
    if (!head.upgrade) ask()
    else
      void this.#way.webSockets.then((offered) => {
        if (offered || this.#way.session.destroyed) ask()
        else asked.failed(noWebSockets())
      })
  }

  #finish(): void {
    if (!this.readableEnded && !this.destroyed) this.push(null)
  }
}

interface AskedEvents {
  /** False: wait for the next `resume` of the request. */
  push(bytes: Buffer): boolean
  /** The answer is whole. */
  over(): void
  failed(error: Error): void
}

/** One request, and its answer as HTTP/1. */
class Asked {
  request: ClientHttp2Stream | undefined
  /** The service has agreed to be spoken to so. */
  webSocket = false
  readonly #head: RequestHead
  readonly #events: AskedEvents
  readonly #body: BodyReader
  /** The answer's head has been passed on: Node may have its body before. */
  #answering = false
  #chunked = false
  /** Of the answer's body; undefined where only its end tells. */
  #missing: number | undefined
  #trailers = ''

  constructor(head: RequestHead, events: AskedEvents) {
    this.#head = head
    this.#events = events
    this.#body = new BodyReader(head.body, { dropTrailers: true, unframe: true })
  }

  /** As HTTP/1 has it, the answer and the request are whole. */
  answered(): boolean {
    return this.#body.done && this.#missing === 0 && !this.webSocket
  }

  ask(way: ServiceSession, scheme: string, fields: string): void {
    const { method, target, authority, version, upgrade } = this.#head
    let request: ClientHttp2Stream
    try {
      request = way.session.request(
        requestHeaders({ method, target, authority, scheme, fields, trailers: version === '1.1', webSocket: upgrade }),
        { endStream: this.#body.done && !upgrade },
      )
    } catch (error) {
      this.failed(way.error ?? (way.session.closed ? failureOf(undefined, way, undefined) : error))
      return
    }
    this.request = request
    let failure: Error | undefined
    request.on('error', (error) => {
      failure = error
    })
    request.on('headers', (headers) => this.#guarded(() => this.#interim(headers)))
    request.once('response', (headers, flags) =>
      this.#guarded(() => this.#respond(request, headers, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0)),
    )
    request.once('end', () => {
      if (!endedWell(request, way, this.#missing === 0 || this.#trailers !== '')) return
      if (this.#chunked) this.#events.push(Buffer.from(`0\r\n${this.#trailers}\r\n`, 'latin1'))
      this.#events.over()
    })
    request.once('trailers', (headers: IncomingHttpHeaders) =>
      this.#guarded(() => {
        const { 'content-length': _length, host: _host, ...trailers } = headers
        this.#trailers = fieldLines(trailers)
      }),
    )
    request.once('close', () => this.failed(failureOf(request, way, failure)))
  }

  /** More of the body, as HTTP/1 frames it, or of a WebSocket. */
  send(bytes: Buffer, done: () => void): void {
    const parts: Buffer[] = []
    if (this.webSocket) parts.push(bytes)
    else this.#body.read(bytes, (part) => parts.push(part))
    const { request } = this
    // The service has answered without waiting for all of it, or is gone: its answer tells.
    if (!request || request.destroyed || request.closed || request.writableEnded) {
      done()
      return
    }
    const last = parts.pop()
    for (const part of parts) request.write(part)
    if (last) {
      // Written, or never to be.
      const settle = (): void => {
        request.off('close', settle)
        done()
      }
      request.once('close', settle)
      request.write(last, settle)
    } else done()
    if (this.#body.done && !this.webSocket) request.end()
  }

  /** @param done called when all that was sent is on its way, or never will be. */
  end(done: () => void): void {
    const { request } = this
    if (!request || request.closed) done()
    else {
      request.once('close', () => done())
      request.end()
    }
  }

  /** The answer may go on. */
  resume(): void {
    if (this.#answering) this.request?.resume()
  }

  failed(error: unknown): void {
    this.#events.failed(error instanceof Error ? error : new Error(String(error)))
  }

  #interim(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    this.#events.push(headBytes(headers[':status'] ?? 0, fieldLines(headers)))
  }

  #respond(request: ClientHttp2Stream, headers: IncomingHttpHeaders & IncomingHttpStatusHeader, ended: boolean): void {
    const { method, version, upgrade, fields } = this.#head
    const status = headers[':status'] ?? 0
    this.#answering = true
    request.on('data', (chunk: Buffer) => this.#pass(chunk))
    if (upgrade && status >= 200 && status < 300) {
      this.webSocket = true
      const key = /^sec-websocket-key: *(\S*)\r?$/im.exec(fields)?.[1] ?? ''
      const { 'content-length': _, ...rest } = headers
      this.#events.push(headBytes(101, `${fieldLines(rest)}${switching}Sec-WebSocket-Accept: ${acceptOf(key)}\r\n`))
      return
    }
    const length = headers['content-length']
    const bodiless = method === 'HEAD' || status === 204 || status === 304
    let framing = ''
    if (bodiless || ended) {
      this.#missing = 0
      if (!bodiless && length === undefined) framing = 'Content-Length: 0\r\n'
    } else if (length !== undefined) this.#missing = Number(length)
    else if (version === '1.1') {
      this.#chunked = true
      framing = 'Transfer-Encoding: chunked\r\n'
    }
    this.#events.push(headBytes(status, fieldLines(headers) + framing))
  }

  #pass(chunk: Buffer): void {
    if (chunk.length === 0) return
    if (this.#missing !== undefined) this.#missing -= chunk.length
    const framed = this.#chunked
      ? Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`, 'latin1'), chunk, lineEnd])
      : chunk
    if (!this.#events.push(framed)) this.request?.pause()
  }

  #guarded(read: () => void): void {
    try {
      read()
    } catch (error) {
      this.failed(error)
    }
  }
}

const headEnd = '\r\n\r\n'
const lineEnd = Buffer.from('\r\n')
const switching = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

const headBytes = (status: number, fields: string): Buffer =>
  Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${fields}\r\n`, 'latin1')
