import { LinkError, type LinkErrorCode } from './link.ts'

/** The bytes of a link; docs/protocols/link.md tells the same in prose. Changing a value here makes another protocol. */

/** Offered and required in the TLS handshake (ALPN). */
export const protocolName = 'pharos-link/2'

/** The first bytes of the dialling side, on every transport: a stranger is recognised by them at once. */
export const preface: Buffer = Buffer.from('PHAROS/2', 'latin1')

/** type: u8, payload length: u24, stream: u32; all big endian. */
export const headerBytes = 8

export const frameType = {
  hello: 1,
  welcome: 2,
  refuse: 3,
  open: 4,
  data: 5,
  window: 6,
  end: 7,
  reset: 8,
  ping: 9,
  pong: 10,
  message: 11,
  drain: 12,
  close: 13,
  datagram: 14,
  path: 15,
  wish: 16,
  invite: 17,
  join: 18,
  move: 19,
  retire: 20,
  received: 21,
} as const

export type FrameType = (typeof frameType)[keyof typeof frameType]

/** What each side may send on a new stream before the first window frame, in bytes. */
export const initialWindowBytes = 256 * 1024

/** The longest payload of one data frame that is accepted. */
export const dataBytesMax = 64 * 1024

/** The longest datagram: what one packet of UDP over IPv4 carries. It may be empty, too, as there. */
export const datagramBytesMax = 65_507

/** A window may never exceed this, so that its counter fits in 31 bits. */
export const windowCeilingBytes = 2 ** 31 - 1

/** The stream numbers end here: dialler odd, acceptor even, each used once. */
export const streamNumberMax = 2 ** 32 - 1

/** The text of a refuse, reset or close frame is cut to this. */
export const reasonBytesMax = 1024

export const pingBytes = 8
export const windowBytes = 4
export const receivedBytes = 4

/** A connection of a link: u32. The first one is 0; the accepting end numbers the others, each number once. */
export const connectionNumberBytes = 4
export const connectionNumberMax = 2 ** 32 - 1

/** What proves that a further connection belongs to a link: random, used once. */
export const joinSecretBytes = 32

export const wireCode = {
  closed: 0,
  lost: 1,
  protocol: 2,
  refused: 3,
  unauthorized: 4,
  limit: 5,
  unreachable: 6,
  superseded: 7,
  later: 8,
} as const satisfies Record<LinkErrorCode, number>

/** The peer broke the rules; ends the link with `protocol`. The message says which rule, for the logs of both ends. */
export class Violation extends Error {}

/** Writes a frame's header into `target` at `at`; there must be room for `headerBytes`. */
export function writeHeader(target: Buffer, at: number, type: FrameType, length: number, stream: number): void {
  target[at] = type
  target.writeUIntBE(length, at + 1, 3)
  target.writeUInt32BE(stream, at + 4)
}

export function encodeFrame(type: FrameType, stream: number, payload?: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + (payload?.length ?? 0))
  writeHeader(frame, 0, type, payload?.length ?? 0, stream)
  if (payload) frame.set(payload, headerBytes)
  return frame
}

/** @throws LinkError `limit` when the JSON is longer than `bytesMax` or `value` has no JSON form. */
export function encodeJson(type: FrameType, stream: number, value: unknown, bytesMax: number): Buffer {
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new LinkError('limit', 'what is sent over a link must have a JSON form')
  const payload = Buffer.from(text)
  if (payload.length > bytesMax) {
    throw new LinkError('limit', `${payload.length} bytes of JSON are more than the ${bytesMax} a link carries here`)
  }
  return encodeFrame(type, stream, payload)
}

export function encodeWindow(stream: number, bytes: number): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + windowBytes)
  writeHeader(frame, 0, frameType.window, windowBytes, stream)
  frame.writeUInt32BE(bytes, headerBytes)
  return frame
}

export function encodeInvite(connection: number, secret: Uint8Array): Buffer {
  const payload = Buffer.allocUnsafe(connectionNumberBytes + joinSecretBytes)
  payload.writeUInt32BE(connection)
  payload.set(secret, connectionNumberBytes)
  return encodeFrame(frameType.invite, 0, payload)
}

/** The stream goes on over the connection of that number, in the direction of this frame. */
export function encodeMove(stream: number, connection: number): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + connectionNumberBytes)
  writeHeader(frame, 0, frameType.move, connectionNumberBytes, stream)
  frame.writeUInt32BE(connection, headerBytes)
  return frame
}

/** Bytes of data and datagram frames, headers and all, that this connection has brought since the last frame of this type. */
export function encodeReceived(bytes: number): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + receivedBytes)
  writeHeader(frame, 0, frameType.received, receivedBytes, 0)
  frame.writeUInt32BE(bytes, headerBytes)
  return frame
}

export function encodeReason(type: FrameType, stream: number, code: LinkErrorCode, reason: string): Buffer {
  const text = Buffer.from(reason).subarray(0, reasonBytesMax)
  return encodeFrame(type, stream, Buffer.concat([Buffer.of(wireCode[code]), text]))
}

/** An unknown code reads as `closed`, so that the list can grow; the text may be cut in the middle of a character. */
export function decodeReason(payload: Buffer): { code: LinkErrorCode; reason: string } {
  const number = payload[0]
  if (number === undefined) throw new Violation('a reason without a code')
  return { code: codeOfNumber.get(number) ?? 'closed', reason: printable(payload.toString('utf8', 1)) }
}

export function decodeJson(payload: Buffer): unknown {
  try {
    return JSON.parse(strictUtf8.decode(payload))
  } catch {
    throw new Violation('a payload that is not JSON in UTF-8')
  }
}

const codeOfNumber = new Map<number, LinkErrorCode>(
  Object.entries(wireCode).map(([code, number]) => [number, code as LinkErrorCode]), // the keys of wireCode are the codes
)
const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

// The text ends up in logs and on terminals: a peer must not be able to move the cursor there.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
