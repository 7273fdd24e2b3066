import { isIPv6 } from 'node:net'
import type { ReplayEdits } from '../../contract/edge-inspection.ts'
import { AppError, conflict, invalidRequest } from '../../contract/errors.ts'
import { replayHeader } from '../../contract/tunnel-capture.ts'
import { LinkError } from '../../link/index.ts'
import { problemOf } from '../errors.ts'
import { forwardedFields } from '../ingress/forwarded.ts'
import { BodyReader } from '../ingress/http-body.ts'
import {
  HttpRefusal,
  headBytesMax,
  headFieldsMax,
  interimResponsesMax,
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
} from '../ingress/http-head.ts'
import { Http2AsHttp1 } from '../ingress/http1-to-http2.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import { OverQuota } from '../tenant.ts'
import type { Tunnel } from '../tunnel.ts'
import { replayAnswerBytesMax, replaysAtOnceMax, replayTimeoutMs } from './limits.ts'
import type { KeptRequest } from './seen-request.ts'

export interface ReplayOptions {
  tunnel: Tunnel
  original: KeptRequest
  edits: ReplayEdits
  release: Release
  limits: EdgeLimits
  /** Aborted when nobody waits for it any more. */
  signal: AbortSignal
}

/**
 * Sends a captured request to the service once more, as its visitor would, marked as sent again, and resolves to what came of it: also where the
 * service failed. The bytes are metered; it is no visit.
 * @throws AppError where it cannot be sent.
 */
export async function replay(options: ReplayOptions): Promise<KeptRequest> {
  const { tunnel, original, limits, signal } = options
  const { traffic } = tunnel
  const { head, body } = requestOf(options)
  if (traffic.replays >= replaysAtOnceMax || !traffic.replayAllowance.take(performance.now()))
    throw new AppError('rate_limited', 'This tunnel has many replays under way. Try again in a few seconds.', {
      retryAfterSeconds: 2,
    })
  const { scheme, grpc, protocol, address } = original
  traffic.replays++
  try {
    const { stream, leave } = visit(tunnel, address)
    const start = { head, scheme, grpc, protocol, webSocket: false, framing: null, replayOf: traffic.idOf(original) }
    const bodyBytes = Math.max(traffic.settings.bodyBytes, replayAnswerBytesMax)
    const seen = traffic.begin({ ...start, bodyBytes }, address, null)
    const way = tunnel.http2 || grpc ? new Http2AsHttp1(stream, scheme, limits) : stream
    try {
      send(options, way, seen, head, body)
      await answerOf(options, way, seen, head, AbortSignal.any([signal, AbortSignal.timeout(replayTimeoutMs)]))
    } finally {
      leave()
      way.destroy()
    }
    return seen
  } finally {
    traffic.replays--
  }
}

/** What is to be sent. */
function requestOf({ tunnel, original, edits }: ReplayOptions): { head: RequestHead; body: Buffer } {
  const { contents } = original
  if (original.webSocket) throw conflict('This request opened a WebSocket; what followed cannot be sent again.')
  if (!contents)
    throw conflict(
      'The headers and body of this request were not kept. Turn full capture on for the tunnel, and let the request come once more.',
    )
  const { requestBody, requestWhole, fields } = contents
  const edited = edits.bodyBase64 === undefined ? null : Buffer.from(edits.bodyBase64, 'base64')
  if (!edited && (requestBody.cut || !requestWhole))
    throw conflict(
      requestWhole
        ? `Only the first ${requestBody.kept.length} of the ${requestBody.bytes} bytes of its body were kept. Give it a body, or let the tunnel keep more.`
        : 'Its body has not come as a whole. Give it a body, or let the request come once more.',
    )
  const body = edited ?? requestBody.kept
  const { redaction } = tunnel.traffic
  const target = edits.target === undefined ? original.target : redaction.restoredTarget(edits.target, original.target)
  const method = edits.method ?? original.method
  const version = original.protocol === 'HTTP/1.0' ? '1.0' : '1.1'
  const isEdited = edited !== null || edits.headers !== undefined
  const lines = isEdited ? reframed(edits.headers ? redaction.restoredFields(edits.headers, fields) : fields) : fields
  const length = isEdited && (body.length > 0 || bodyMethods.has(method)) ? `Content-Length: ${body.length}\r\n` : ''
  const host = isEdited ? `Host: ${original.host}\r\n` : ''
  try {
    const head = parseRequestHead(
      `${method} ${target} HTTP/${version}\r\n${host}${lines}${length}`.slice(0, -'\r\n'.length),
      headFieldsMax,
    )
    if (head.upgrade) throw new HttpRefusal(400, 'it asks for a WebSocket')
    return { head, body }
  } catch (error) {
    if (error instanceof HttpRefusal) throw invalidRequest('body', error.message)
    throw error
  }
}

/** Without what says where the message goes and how long it is: that is told anew. */
const reframed = (fields: string): string => fields.replace(/^(?:host|content-length|transfer-encoding):.*\r\n/gim, '')

function visit(tunnel: Tunnel, address: string): ReturnType<Tunnel['visit']> {
  const local = isIPv6(address) ? '::1' : '127.0.0.1'
  const visitor = { protocol: 'http', address, port: 0, localAddress: local, localPort: 0, offset: 0 } as const
  try {
    const opened = tunnel.visit(visitor, () => opened.stream.destroy(new LinkError('lost', 'the agent is away')))
    return opened
  } catch (error) {
    if (error instanceof OverQuota) throw conflict('The workspace has used up what its plan allows: nothing is sent.')
    if (error instanceof LinkError) throw conflict(`The tunnel takes no request at this moment: ${error.message}.`)
    throw error
  }
}

type Way = ReturnType<Tunnel['visit']>['stream'] | Http2AsHttp1

function send(
  { tunnel, original, release }: ReplayOptions,
  way: Way,
  seen: KeptRequest,
  head: RequestHead,
  body: Buffer,
): void {
  const mark = `${replayHeader}: ${tunnel.traffic.idOf(original)}\r\n`
  const forwarded = forwardedFields(original.address, original.scheme, head.authority)
  const text = `${head.method} ${head.target} HTTP/${head.version}\r\n${head.fields}${forwarded}${mark}\r\n`
  const framed = head.body.kind === 'chunked' ? chunked(body) : body
  const write = (bytes: Buffer): void => {
    if (bytes.length === 0) return
    tunnel.meter.in(bytes.length)
    seen.in(bytes.length)
    release.write(way, bytes)
  }
  // Whoever speaks HTTP/2 to the service takes the head as one piece.
  write(Buffer.from(text, 'latin1'))
  write(framed)
  seen.requestBody(body)
  seen.requestEnded()
}

const chunked = (body: Buffer): Buffer =>
  Buffer.concat([
    ...(body.length > 0 ? [Buffer.from(`${body.length.toString(16)}\r\n`), body, lineEnd] : []),
    Buffer.from('0\r\n\r\n'),
  ])

/** Reads the answer to its end, or as far as it is kept; tells `seen` of it. Never rejects for what the service does. */
function answerOf(
  { tunnel }: ReplayOptions,
  way: Way,
  seen: KeptRequest,
  head: RequestHead,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    let input: Buffer = Buffer.alloc(0)
    let body: BodyReader | undefined
    let interims = 0
    let untilClose = false
    const settle = (): void => {
      signal.removeEventListener('abort', late)
      resolve()
    }
    const fail = (problem: string): void => {
      seen.fail(problem, null)
      settle()
    }
    const late = (): void => fail('timed_out')
    const done = (): void => {
      seen.end()
      settle()
    }
    const readBody = (bytes: Buffer): void => {
      body?.read(bytes, (part) => seen.responseBody(part))
      // What is not kept is not read either: an answer without end would never be shown.
      if (body?.done || seen.contents?.responseBody?.cut !== false) done()
    }
    const readHead = (): void => {
      for (;;) {
        const end = input.indexOf(headEnd)
        if (end > headBytesMax || (end === -1 && input.length > headBytesMax))
          throw new HttpRefusal(431, 'the response head is too large')
        if (end === -1) return
        const answer = parseResponseHead(input.toString('latin1', 0, end), head.method)
        input = input.subarray(end + headEnd.length)
        if (answer.status === 101 || (answer.status < 200 && ++interims > interimResponsesMax))
          throw new HttpRefusal(400, 'an answer that nobody asked for')
        if (answer.status < 200) continue
        seen.answered(answer.status, () => answer.fields, null)
        untilClose = answer.body.kind === 'until-close'
        body = new BodyReader(answer.body, { dropTrailers: true, unframe: true })
        readBody(input)
        return
      }
    }
    const read = (chunk: Buffer): void => {
      if (!seen.open) return
      tunnel.meter.out(chunk.length)
      seen.out(chunk.length)
      try {
        if (body) readBody(chunk)
        else {
          input = Buffer.concat([input, chunk])
          readHead()
        }
      } catch (error) {
        if (!(error instanceof HttpRefusal)) throw error
        fail('service_answer_invalid')
      }
    }
    way.on('data', read)
    way.once('end', () => (untilClose ? done() : fail('service_broke_off')))
    way.on('error', (error) => fail(problemOf(error, '').code))
    way.once('close', () => fail('service_broke_off'))
    if (signal.aborted) late()
    else signal.addEventListener('abort', late, { once: true })
  })
}

/** What these send without a body says so: services wait for one otherwise. */
const bodyMethods = new Set(['POST', 'PUT', 'PATCH'])
const headEnd = Buffer.from('\r\n\r\n')
const lineEnd = Buffer.from('\r\n')
