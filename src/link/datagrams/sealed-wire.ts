import { Violation } from '../wire.ts'

/** The bytes of the sealed path; docs/protocols/link.md tells the same in prose. Changing a value here makes another protocol. */

/** The first byte of each packet. */
export const sealedVersion = 1

/** version: u8, epoch: u8, session: u48, sequence: u64; all big endian, in clear, and authenticated. */
export const sealedHeaderBytes = 16
/** At the end of each packet: AES-256-GCM's whole tag. */
export const sealedTagBytes = 16
export const sealedOverheadBytes = sealedHeaderBytes + sealedTagBytes

/** What fits every path, IPv6 with a tunnel below it included: a path starts with packets of this size. */
export const packetBytesBase = 1200
/** The sizes that are tried beyond it. The largest fills an Ethernet frame with IPv6; */
export const packetBytesTried: readonly number[] = [1280, 1372, 1452]
/** … and on the machine itself, where nothing has to fit a wire. */
export const packetBytesTriedOnLoopback: readonly number[] = [1452, 8192]
export const packetBytesMax = 8192

/** The first byte inside a packet. */
export const packetKind = { datagrams: 1, ping: 2, pong: 3 } as const

/** Before each datagram in a packet: stream: u32, length: u16. */
export const recordHeaderBytes = 6

/** What a sealed packet of `bytes` has room for in one datagram. */
export const datagramRoom = (bytes: number): number => bytes - sealedOverheadBytes - 1 - recordHeaderBytes

/** The payload of a path frame: what the dialling end needs to know. */
export interface PathOffer {
  port: number
  session: number
  /** Both ends derive all keys from it. */
  secret: Buffer
}

export const pathSecretBytes = 32
/** version: u8, port: u16, session: u48, secret. */
export const pathOfferBytes = 1 + 2 + 6 + pathSecretBytes
/** What an offer of a later version may have. */
export const pathOfferBytesMax = 1024

export function encodeOffer({ port, session, secret }: PathOffer): Buffer {
  const payload = Buffer.alloc(pathOfferBytes)
  payload[0] = sealedVersion
  payload.writeUInt16BE(port, 1)
  payload.writeUIntBE(session, 3, 6)
  secret.copy(payload, 9)
  return payload
}

/** Null for a version of the future: there is no path then. @throws Violation */
export function decodeOffer(payload: Buffer): PathOffer | null {
  if (payload[0] !== sealedVersion) return null
  const port = payload.readUInt16BE(1)
  if (port === 0) throw new Violation('a path to port 0')
  return { port, session: payload.readUIntBE(3, 6), secret: payload.subarray(9, pathOfferBytes) }
}

/**
 * What both ends tell each other about the path, in a ping and in its pong:
 * kind: u8, token: u32, up: u8, knows: u32, epoch: u8, size: u16, zeros.
 */
export interface PathNews {
  /** Ties the pong to its ping. */
  token: number
  /** The dialling end holds the path for good: the accepting end may use it. */
  up: boolean
  /** The newest stream number of the other end that was heard of: datagrams of streams up to it find their stream. */
  knows: number
  /** The other end's newest epoch under which a packet arrived: it may go on to the next. */
  epoch: number
  /** The packet size that is known to get through. */
  size: number
}

export const newsBytes = 13

/** @param plainBytes filled up with zeros to this, so that the packet has the size that is to be tried. */
export function encodeNews(kind: 'ping' | 'pong', news: PathNews, plainBytes: number): Buffer {
  const plain = Buffer.alloc(Math.max(newsBytes, plainBytes))
  plain[0] = packetKind[kind]
  plain.writeUInt32BE(news.token, 1)
  plain[5] = news.up ? 1 : 0
  plain.writeUInt32BE(news.knows, 6)
  plain[10] = news.epoch
  plain.writeUInt16BE(news.size, 11)
  return plain
}

/** @throws Violation */
export function decodeNews(plain: Buffer): PathNews {
  if (plain.length < newsBytes) throw new Violation('a ping of the sealed path that is cut short')
  return {
    token: plain.readUInt32BE(1),
    up: plain[5] === 1,
    knows: plain.readUInt32BE(6),
    epoch: plain[10] ?? 0,
    size: plain.readUInt16BE(11),
  }
}
