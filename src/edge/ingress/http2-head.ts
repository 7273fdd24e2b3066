import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import type { FieldChanges } from '../../contract/access-rules.ts'
import { changeFields } from '../access/fields.ts'
import { keepCookiesHome } from './cookies.ts'
import { HttpRefusal, parseRequestHead, type RequestHead, type ResponseHead } from './http-head.ts'

/** A request of HTTP/2, held to the same rules as one of HTTP/1: it is written down as such, and read with the same reader. */
export interface Http2Request {
  readonly head: RequestHead
  /** What the head counts as: the bytes that it would have in HTTP/1. */
  readonly bytes: number
  /** The visitor's side of gRPC, which needs HTTP/2 all the way. */
  readonly grpc: boolean
  /** The visitor takes trailers. */
  readonly trailers: boolean
  /** For WebSocket (RFC 8441): the key that the service has to answer, as HTTP/1 wants it. */
  readonly webSocketKey: string | null
  /** All of the body, where the tunnel's rules have looked at it; trailers were dropped. */
  readonly body?: Buffer
  /** What the tunnel's rules do to the answer's fields. */
  readonly changes?: FieldChanges | null
}

/**
 * Reads the head of a request. `nghttp2` has refused most of what is wrong before; what would become something else in HTTP/1 is
 * refused here again, since the service is the second parser.
 * @param raw names and values in turn, as they came.
 * @param ended no body follows.
 * @param webSocketKey for a request that turns out to ask for WebSocket.
 * @param headBytesMax how large a head may be, as HTTP/2 counts it: nghttp2 minds it only once the visitor has agreed.
 * @throws HttpRefusal
 */
export function readRequest(
  raw: readonly string[],
  ended: boolean,
  webSocketKey: string,
  headBytesMax: number,
): Http2Request {
  const pseudo = new Map<string, string>()
  const lines: string[] = []
  const cookies: string[] = []
  let host: string | undefined
  let length: string | undefined
  let headBytes = 0
  let trailers = false
  /** Sent, and so counted, but of the connection alone. */
  let teBytes = 0
  let grpc = false
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? ''
    const value = raw[at + 1] ?? ''
    headBytes += name.length + value.length + fieldOverheadBytes
    if (headBytes > headBytesMax) throw new HttpRefusal(431, `the request head is larger than ${headBytesMax} bytes`)
    if (!valuePattern.test(value)) throw new HttpRefusal(400, 'a header field has control characters')
    if (name.startsWith(':')) {
      if (lines.length > 0 || !pseudoNames.has(name) || pseudo.has(name))
        throw new HttpRefusal(400, 'a pseudo header field is unknown, appears twice or comes late')
      pseudo.set(name, value)
      continue
    }
    if (!namePattern.test(name)) throw new HttpRefusal(400, 'the name of a header field is malformed')
    switch (name) {
      case 'connection':
      case 'keep-alive':
      case 'proxy-connection':
      case 'transfer-encoding':
      case 'upgrade':
        throw new HttpRefusal(400, `the field ${name} is not one of HTTP/2`)
      case 'te':
        if (value.toLowerCase() !== 'trailers') throw new HttpRefusal(400, 'the field te says more than trailers')
        trailers = true
        teBytes = `te: ${value}\r\n`.length
        continue
      case 'host':
        if (host !== undefined) throw new HttpRefusal(400, 'the field host appears twice')
        host = value
        continue
      case 'cookie':
        cookies.push(value)
        continue
      case 'content-length':
        if (length !== undefined) throw new HttpRefusal(400, 'the field content-length appears twice')
        length = value
        break
      case 'content-type':
        grpc = grpcPattern.test(value)
        break
      case 'sec-websocket-key':
        continue
    }
    lines.push(`${name}: ${value}\r\n`)
  }
  const authority = pseudo.get(':authority') ?? host
  if (authority === undefined) throw new HttpRefusal(400, 'the request names no host')
  if (host !== undefined && host.toLowerCase() !== authority.toLowerCase())
    throw new HttpRefusal(400, 'host and :authority name different hosts')
  const scheme = pseudo.get(':scheme')
  if (scheme !== 'http' && scheme !== 'https') throw new HttpRefusal(400, 'the request has no scheme of HTTP')
  const protocol = pseudo.get(':protocol')
  const webSocket = protocol === 'websocket' && pseudo.get(':method') === 'CONNECT'
  if (protocol !== undefined && !webSocket) throw new HttpRefusal(501, 'only websocket is tunnelled through CONNECT')
  if (webSocket && length !== undefined) throw new HttpRefusal(400, 'a WebSocket has no content-length')
  // Cut into pieces for the sake of compression (RFC 9113 §8.2.3).
  if (cookies.length > 0) lines.push(`cookie: ${cookies.join('; ')}\r\n`)
  if (webSocket) lines.push(`connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${webSocketKey}\r\n`)
  else if (!ended && length === undefined) lines.push('transfer-encoding: chunked\r\n')
  if (ended && length !== undefined && Number(length) !== 0)
    throw new HttpRefusal(400, 'the request ends before its content-length')
  const method = webSocket ? 'GET' : (pseudo.get(':method') ?? '')
  const path = pseudo.get(':path') ?? ''
  // A whole URL would do in HTTP/1.
  if (!path.startsWith('/') && path !== '*') throw new HttpRefusal(400, 'the path is malformed')
  const text = `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\n${lines.join('')}`
  const head = parseRequestHead(text.slice(0, -2))
  if (webSocket && !head.upgrade) throw new HttpRefusal(400, 'the request for a WebSocket is malformed')
  return { head, bytes: text.length + teBytes + 2, grpc, trailers, webSocketKey: webSocket ? webSocketKey : null }
}

/** The head of a service's answer in HTTP/1, as HTTP/2 has it. */
export function answerHeaders(
  { status, fields }: ResponseHead,
  base: string,
  changes: FieldChanges | null = null,
): OutgoingHttpHeaders {
  const changed = changes ? changeFields(fields, changes) : fields
  const pairs = pairsOf(keepCookiesHome(changed, base)).filter(([name]) => !ofTheConnection.has(name))
  return { ...headersOf(pairs), ':status': status }
}

/** A request for a service that speaks HTTP/2. */
export interface RequestToHttp2 {
  method: string
  target: string
  authority: string
  scheme: string
  /** In HTTP/1 text, ours about the visitor included, each with its line end. */
  fields: string
  /** The visitor can be told trailers. */
  trailers: boolean
  /** To be asked for as RFC 8441 has it. */
  webSocket: boolean
}

/** The head of a request as HTTP/2 has it. */
export function requestHeaders(request: RequestToHttp2): OutgoingHttpHeaders {
  const { method, scheme, authority, target, fields, trailers, webSocket } = request
  const pairs = pairsOf(fields).filter(
    ([name]) => name !== 'host' && name !== 'sec-websocket-key' && !ofTheConnection.has(name),
  )
  return {
    ...headersOf(pairs),
    ...(trailers && { te: 'trailers' }),
    ':method': webSocket ? 'CONNECT' : method,
    ...(webSocket && { ':protocol': 'websocket' }),
    ':scheme': scheme,
    ':authority': authority,
    ':path': target,
  }
}

/**
 * What a service that speaks HTTP/2 has sent, as the fields of a head or the trailers of HTTP/1.
 * @throws HttpRefusal for what would become something else there.
 */
export function fieldLines(headers: IncomingHttpHeaders): string {
  let lines = ''
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':') || ofTheConnection.has(name)) continue
    for (const one of Array.isArray(value) ? value : [value]) {
      if (!namePattern.test(name) || !valuePattern.test(one)) throw new HttpRefusal(400, 'a header field is malformed')
      lines += `${name}: ${one}\r\n`
    }
  }
  return lines
}

/** What a service that speaks HTTP/2 has sent, for the visitor: an answer's head, an interim one, or trailers. */
export function passedHeaders(
  headers: IncomingHttpHeaders,
  base: string,
  changes: FieldChanges | null = null,
): OutgoingHttpHeaders {
  if (changes) {
    const fields = changeFields(wellFormedLines(headers), changes)
    return { ...headersOf(pairsOf(keepCookiesHome(fields, base))), ':status': headers[':status'] }
  }
  const passed: OutgoingHttpHeaders = Object.create(null)
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || ofTheConnection.has(name)) continue
    passed[name] =
      name === 'set-cookie' && Array.isArray(value)
        ? value.map((cookie) => keepCookiesHome(`set-cookie: ${cookie}`, base).slice('set-cookie: '.length))
        : value
  }
  return passed
}

/** What nghttp2 lets pass and HTTP/1 would not is left out. */
function wellFormedLines(headers: IncomingHttpHeaders): string {
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one) => [name, one] as const),
  )
  return pairs
    .filter(([name, value]) => !ofTheConnection.has(name) && namePattern.test(name) && valuePattern.test(value))
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
}

/** Trailers in HTTP/1 text. @throws HttpRefusal when they are malformed. */
export function trailerHeaders(text: string): OutgoingHttpHeaders {
  const pairs = pairsOf(text)
  for (const [name, value] of pairs)
    if (!namePattern.test(name) || !valuePattern.test(value)) throw new HttpRefusal(400, 'a trailer field is malformed')
  // What frames or routes a message does so in its head alone.
  return headersOf(pairs.filter(([name]) => !ofTheConnection.has(name) && name !== 'content-length' && name !== 'host'))
}

/** The bytes that a head or trailers would have in HTTP/1, with a status line that has no words. */
export function sizeOf(headers: OutgoingHttpHeaders | IncomingHttpHeaders): number {
  let bytes = lineEndBytes
  for (const [name, value] of Object.entries(headers))
    for (const one of Array.isArray(value) ? value : [value])
      bytes += name === ':status' ? statusLineBytes : name.length + String(one).length + colonBytes + lineEndBytes
  return bytes
}

const lineEndBytes = 2
/** With the space behind it. */
const colonBytes = 2
const statusLineBytes = 'HTTP/1.1 200 \r\n'.length

/** What HTTP/2 adds for each field when it counts (RFC 9113 §6.5.2). */
const fieldOverheadBytes = 32

const pseudoNames: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path', ':protocol'])
const namePattern = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/
/** gRPC itself; its form for browsers (`application/grpc-web`) is content with HTTP/1. */
const grpcPattern = /^application\/grpc(?:[+;]|$)/i

/** What HTTP/2 does not have (RFC 9113 §8.2.2). */
const ofTheConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'te',
])

function pairsOf(fields: string): [name: string, value: string][] {
  return fields
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
}

/** Fields that appear more than once are joined, as RFC 9110 §5.3 allows; only `set-cookie` cannot be. */
function headersOf(pairs: readonly [name: string, value: string][]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of pairs) {
    const known = headers[name]
    if (name === 'set-cookie') headers[name] = [...(known ?? []), value]
    else headers[name] = known === undefined ? value : `${known}, ${value}`
  }
  return headers
}
