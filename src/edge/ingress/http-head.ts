import { normalHost } from '../routing.ts'
import { isIdentityHeader } from './forwarded.ts'

/**
 * Reads the heads of HTTP/1 messages. Strict on purpose: what two parsers could read in two ways is refused, because the service
 * behind the tunnel is the second parser. What is kept is kept byte for byte: a head is text in latin1, one character a byte.
 */

/** The largest head, in bytes: twice what common servers take, so that they are the ones to complain. */
export const headBytesMax = 65_536

/** The most header fields of one head: real browsers send about 30. */
export const headFieldsMax = 200

/** Interim (1xx) responses before the final one: one or two are usual. */
export const interimResponsesMax = 32

/** How long a message's body is. */
export type BodyFraming =
  | { kind: 'none' }
  | { kind: 'length'; bytes: number }
  | { kind: 'chunked' }
  | { kind: 'until-close' }

export interface RequestHead {
  method: string
  /** The path and query as they came; an absolute-form target is reduced to them. */
  target: string
  version: '1.0' | '1.1'
  /** The name to route by. */
  host: string
  /** The Host field as it came. */
  authority: string
  accept: string
  body: BodyFraming
  /** The visitor asks to speak WebSocket on this connection. */
  upgrade: boolean
  /** The visitor can take another response on this connection. */
  keepAlive: boolean
  /** The fields that go to the service, each with its line end. */
  fields: string
}

export interface ResponseHead {
  status: number
  reason: string
  body: BodyFraming
  /** The service will take another request on this stream. */
  keepAlive: boolean
  /** The protocol of a 101 response. */
  upgrade: string
  fields: string
}

type RefusalStatus = 400 | 413 | 421 | 431 | 501 | 503 | 505

/** A message that must not be passed on. */
export class HttpRefusal extends Error {
  readonly status: RefusalStatus
  constructor(status: RefusalStatus, message: string) {
    super(message)
    this.name = 'HttpRefusal'
    this.status = status
  }
}

/**
 * Parses a request head, given without its final empty line.
 * @param fieldsMax the most fields: more where ours are in it.
 * @throws HttpRefusal for whatever is not exactly one well-formed request that every server reads the same way.
 */
export function parseRequestHead(text: string, fieldsMax: number = headFieldsMax): RequestHead {
  const lines = text.split('\r\n')
  const first = requestLine.exec(lines[0] ?? '')
  if (!first) throw badRequestLine(lines[0] ?? '')
  const method = first[1] ?? ''
  const version = first[3] === '1' ? '1.1' : '1.0'
  const fields = readFields(lines, fieldsMax)
  const authority = fields.one('host')
  if (authority === undefined) throw new HttpRefusal(400, 'the request names no host')
  if (!authorityPattern.test(authority)) throw new HttpRefusal(400, 'the Host field is not a host name')
  const target = originForm(method, first[2] ?? '', authority)
  const body = framing(fields, version)
  const connection = fields.list('connection')
  for (const name of connection)
    if (protectedFields.has(name))
      throw new HttpRefusal(400, 'the Connection field names a field that frames or routes the message')
  const wants = fields.one('upgrade')?.toLowerCase() === 'websocket' && connection.includes('upgrade')
  const upgrade = wants && method === 'GET' && version === '1.1' && body.kind === 'none'
  return {
    method,
    target,
    version,
    host: normalHost(authority),
    authority,
    accept: fields.all('accept').join(','),
    body: body,
    upgrade,
    keepAlive: version === '1.1' && !connection.includes('close'),
    fields:
      fields.keep((name) => !removedFromRequests.has(name) && !connection.includes(name) && !isIdentityHeader(name)) +
      (upgrade ? upgradeFields : ''),
  }
}

/**
 * Parses a service's response head, given without its final empty line.
 * @param method of the request it answers: it decides whether a body follows.
 * @throws HttpRefusal where the length of the response is not beyond doubt.
 */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const lines = text.split('\r\n')
  const first = statusLine.exec(lines[0] ?? '')
  if (!first) throw new HttpRefusal(400, 'the status line is malformed')
  const version = first[1] === '1' ? '1.1' : '1.0'
  const status = Number(first[2])
  const fields = readFields(lines, headFieldsMax)
  const declared = framing(fields, version)
  const connection = fields.list('connection')
  const bodiless = status < 200 || status === 204 || status === 304 || method === 'HEAD'
  const body: BodyFraming = bodiless
    ? { kind: 'none' }
    : declared.kind === 'none' && !fields.has('content-length')
      ? { kind: 'until-close' }
      : declared
  const switching = status === 101
  return {
    status,
    reason: first[3] ?? '',
    body,
    keepAlive:
      body.kind !== 'until-close' &&
      (version === '1.1' ? !connection.includes('close') : connection.includes('keep-alive')),
    upgrade: switching ? (fields.one('upgrade') ?? '').toLowerCase() : '',
    fields:
      fields.keep(
        (name) => !removedFromResponses.has(name) && !(connection.includes(name) && !protectedFields.has(name)),
      ) + (switching ? upgradeFields : ''),
  }
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const requestLine = new RegExp(`^(${token}) ([\\x21-\\x7e\\x80-\\xff]+) HTTP/1\\.([01])$`)
const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/
const fieldLine = new RegExp(`^(${token}):[\\t ]*([\\t\\x20-\\x7e\\x80-\\xff]*)$`)
const authorityPattern = /^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/
const digits = /^\d{1,15}$/
const upgradeFields = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

/** Removing one of these because `Connection` names it would change where a message ends or goes. */
const protectedFields = new Set(['host', 'content-length', 'transfer-encoding'])

/** Fields about this connection, not about the request. `http2-settings` belongs to the upgrade to h2c, which is never offered. */
const removedFromRequests = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy', // would become the HTTP_PROXY variable of a CGI program
  'te',
  'trailer', // the trailer section of a request is dropped
  'upgrade',
  'http2-settings',
])

const removedFromResponses = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade'])

class Fields {
  readonly #names: string[]
  readonly #values: string[]
  readonly #lines: string[]

  constructor(names: string[], values: string[], lines: string[]) {
    this.#names = names
    this.#values = values
    this.#lines = lines
  }

  has(name: string): boolean {
    return this.#names.includes(name)
  }

  all(name: string): string[] {
    return this.#values.filter((_, index) => this.#names[index] === name)
  }

  /** The value of a field that may appear once. */
  one(name: string): string | undefined {
    const index = this.#names.indexOf(name)
    if (index === -1) return undefined
    if (this.#names.indexOf(name, index + 1) !== -1) throw new HttpRefusal(400, `the field ${name} appears twice`)
    return this.#values[index]
  }

  /** The comma-separated words of a field, in lower case. */
  list(name: string): string[] {
    if (!this.#names.includes(name)) return []
    return this.all(name)
      .flatMap((value) => value.toLowerCase().split(','))
      .map((word) => word.trim())
  }

  /** The lines of the fields that `wanted` accepts, unchanged. */
  keep(wanted: (name: string) => boolean): string {
    let text = ''
    for (let index = 0; index < this.#names.length; index++)
      if (wanted(this.#names[index] ?? '')) text += `${this.#lines[index + 1]}\r\n`
    return text
  }
}

function readFields(lines: string[], fieldsMax: number): Fields {
  if (lines.length - 1 > fieldsMax) throw new HttpRefusal(431, `more than ${fieldsMax} header fields`)
  const names: string[] = []
  const values: string[] = []
  for (let index = 1; index < lines.length; index++) {
    const field = fieldLine.exec(lines[index] ?? '')
    if (!field) throw new HttpRefusal(400, 'a header field is malformed')
    names.push((field[1] ?? '').toLowerCase())
    values.push((field[2] ?? '').trimEnd())
  }
  return new Fields(names, values, lines)
}

function framing(fields: Fields, version: '1.0' | '1.1'): BodyFraming {
  const coding = fields.one('transfer-encoding')
  const length = fields.one('content-length')
  if (coding !== undefined) {
    if (length !== undefined) throw new HttpRefusal(400, 'both Content-Length and Transfer-Encoding')
    if (version === '1.0') throw new HttpRefusal(400, 'Transfer-Encoding in HTTP/1.0')
    if (coding.toLowerCase() !== 'chunked') throw new HttpRefusal(400, 'a transfer coding other than chunked')
    return { kind: 'chunked' }
  }
  if (length === undefined) return { kind: 'none' }
  if (!digits.test(length)) throw new HttpRefusal(400, 'the Content-Length is not a number')
  const bytes = Number(length)
  return bytes === 0 ? { kind: 'none' } : { kind: 'length', bytes }
}

function originForm(method: string, target: string, authority: string): string {
  if (method === 'CONNECT') throw new HttpRefusal(400, 'CONNECT is for proxies')
  if (target.startsWith('/') || (target === '*' && method === 'OPTIONS')) return target
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target)
  if (!absolute) throw new HttpRefusal(400, 'the request target is neither a path nor a URL')
  if ((absolute[1] ?? '').toLowerCase() !== authority.toLowerCase())
    throw new HttpRefusal(400, 'the request target and the Host field name different hosts')
  const rest = absolute[2] ?? ''
  return rest.startsWith('/') ? rest : `/${rest}`
}

function badRequestLine(line: string): HttpRefusal {
  if (/ HTTP\/\d(\.\d)?$/.test(line) && !/ HTTP\/1\.[01]$/.test(line))
    return new HttpRefusal(505, 'only HTTP/1.1 and HTTP/1.0 are spoken here')
  return new HttpRefusal(400, 'the request line is malformed')
}
