/**
 * The first message of a TLS connection, read without answering it: whom the client wants and what it wants to speak there.
 * Strict and bounded, since whatever is read wrongly here is routed wrongly. Extensions that do not matter for routing, GREASE
 * among them, are only checked for their shape. The layout is that of RFC 8446 §4.1.2 and RFC 6066 §3.
 */

export interface ClientHello {
  /** The wanted host as the client wrote it, null when it named none. */
  serverName: string | null
  /** What it offers to speak (ALPN), most wanted first. */
  protocols: string[]
}

export type HelloReading =
  | { state: 'incomplete' }
  | { state: 'complete'; hello: ClientHello }
  /** Not a ClientHello that this edge takes: `alert` is what to tell the client. */
  | { state: 'refused'; alert: TlsAlert; reason: string }

/** TLS alerts that an edge sends (RFC 8446 §6, RFC 6066 §3). */
export const tlsAlerts = {
  unexpected_message: 10,
  record_overflow: 22,
  illegal_parameter: 47,
  access_denied: 49,
  decode_error: 50,
  internal_error: 80,
  user_canceled: 90,
  unrecognized_name: 112,
} as const
export type TlsAlert = keyof typeof tlsAlerts

/** Common ones are 0.3 to 2 KiB, also with post-quantum keys; a resumed session adds a few KiB of ticket. */
export const helloBytesMax = 16 * 1024

/** Clients send one record, those that hide the name from simple filters a few. */
export const helloRecordsMax = 64

/** What was received so far never grows beyond this before it is complete or refused. */
export const helloInputBytesMax = helloBytesMax + helloRecordsMax * 5

/** @param input everything received so far, from the connection's first byte. */
export function readClientHello(input: Buffer): HelloReading {
  try {
    const message = joinRecords(input)
    return message ? { state: 'complete', hello: parseHello(message) } : { state: 'incomplete' }
  } catch (error) {
    if (error instanceof HelloRefusal) return { state: 'refused', alert: error.alert, reason: error.message }
    throw error
  }
}

/** A fatal alert in a record of its own, as every version of TLS understands it before keys are agreed upon. */
export function alertRecord(alert: TlsAlert): Buffer {
  return Buffer.from([alertRecordType, 3, 3, 0, 2, fatalLevel, tlsAlerts[alert]])
}

const handshakeRecordType = 22
const alertRecordType = 21
const fatalLevel = 2
const clientHelloType = 1
const recordHeaderBytes = 5
const messageHeaderBytes = 4
const recordBytesMax = 2 ** 14
const serverNameExtension = 0
const protocolsExtension = 16
const hostNameType = 0

class HelloRefusal extends Error {
  readonly alert: TlsAlert
  constructor(alert: TlsAlert, message: string) {
    super(message)
    this.name = 'HelloRefusal'
    this.alert = alert
  }
}

/** The body of the ClientHello, or undefined while some of it is missing. */
function joinRecords(input: Buffer): Buffer | undefined {
  const pieces: Buffer[] = []
  let have = 0
  let at = 0
  for (let records = 0; ; records++) {
    const type = input[at]
    if (type === undefined) return undefined
    if (type !== handshakeRecordType) throw new HelloRefusal('unexpected_message', 'it does not begin with a handshake')
    const major = input[at + 1]
    if (major === undefined) return undefined
    if (major !== 3) throw new HelloRefusal('decode_error', 'its record has an unknown version')
    if (input.length < at + recordHeaderBytes) return undefined
    const length = input.readUInt16BE(at + 3)
    if (length === 0) throw new HelloRefusal('decode_error', 'a record is empty')
    if (length > recordBytesMax) throw new HelloRefusal('record_overflow', 'a record is too long')
    if (records === helloRecordsMax) throw new HelloRefusal('decode_error', 'it is cut into too many records')
    at += recordHeaderBytes
    const piece = input.subarray(at, at + length)
    at += length
    pieces.push(piece)
    have += piece.length
    const whole = wholeLength(pieces)
    // What the record announces counts, not only what has arrived: nothing may follow a ClientHello in its record.
    if (whole !== undefined && have - piece.length + length > whole)
      throw new HelloRefusal('unexpected_message', 'something follows the ClientHello in its record')
    if (whole !== undefined && have === whole) return Buffer.concat(pieces, have).subarray(messageHeaderBytes)
    if (piece.length < length) return undefined
  }
}

/** The length of the message with its header, as soon as that can be told. */
function wholeLength(pieces: readonly Buffer[]): number | undefined {
  const [first] = pieces
  const start = first && first.length >= messageHeaderBytes ? first : Buffer.concat(pieces.slice(0, messageHeaderBytes))
  if (start.length > 0 && start[0] !== clientHelloType)
    throw new HelloRefusal('unexpected_message', 'its first message is not a ClientHello')
  if (start.length < messageHeaderBytes) return undefined
  const length = start.readUIntBE(1, 3) + messageHeaderBytes
  if (length > helloBytesMax) throw new HelloRefusal('decode_error', `it is larger than ${helloBytesMax} bytes`)
  return length
}

function parseHello(message: Buffer): ClientHello {
  const body = new Fields(message)
  if (body.number(2) < 0x0301) throw new HelloRefusal('decode_error', 'it asks for an unknown version')
  body.take(32) // random
  if (body.vector(1).length > 32) throw new HelloRefusal('decode_error', 'its session id is too long')
  const suites = body.vector(2).length
  if (suites < 2 || suites % 2 !== 0) throw new HelloRefusal('decode_error', 'its cipher suites are malformed')
  if (body.vector(1).length === 0) throw new HelloRefusal('decode_error', 'it names no compression')
  const hello: ClientHello = { serverName: null, protocols: [] }
  if (body.atEnd) return hello
  const extensions = new Fields(body.vector(2))
  body.end()
  const seen = new Set<number>()
  while (!extensions.atEnd) {
    const type = extensions.number(2)
    const content = new Fields(extensions.vector(2))
    if (seen.has(type)) throw new HelloRefusal('illegal_parameter', 'an extension appears twice')
    seen.add(type)
    if (type === serverNameExtension) hello.serverName = parseServerName(content)
    else if (type === protocolsExtension) hello.protocols = parseProtocols(content)
  }
  return hello
}

/** Exactly one name: two would let the edge route by one and the service answer for the other. */
function parseServerName(content: Fields): string {
  const names = new Fields(content.vector(2))
  content.end()
  if (names.number(1) !== hostNameType)
    throw new HelloRefusal('illegal_parameter', 'its server name is of an unknown kind')
  const name = names.vector(2).toString('latin1')
  if (!names.atEnd) throw new HelloRefusal('illegal_parameter', 'it names more than one server')
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,253}$/.test(name))
    throw new HelloRefusal('illegal_parameter', 'its server name is not a host name')
  return name
}

function parseProtocols(content: Fields): string[] {
  const list = new Fields(content.vector(2))
  content.end()
  const protocols: string[] = []
  do {
    const protocol = list.vector(1)
    if (protocol.length === 0) throw new HelloRefusal('decode_error', 'it offers a protocol without a name')
    protocols.push(protocol.toString('latin1'))
  } while (!list.atEnd)
  return protocols
}

/** Reads TLS's numbers and vectors in order. Reading past the end refuses the message. */
class Fields {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  take(length: number): Buffer {
    if (this.#bytes.length - this.#at < length) throw new HelloRefusal('decode_error', 'a field is cut short')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  number(bytes: number): number {
    return this.take(bytes).readUIntBE(0, bytes)
  }

  /** Bytes behind their length, which takes `lengthBytes`. */
  vector(lengthBytes: number): Buffer {
    return this.take(this.number(lengthBytes))
  }

  end(): void {
    if (!this.atEnd) throw new HelloRefusal('decode_error', 'a field is too long')
  }
}
