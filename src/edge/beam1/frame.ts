/**
 * Frames of yamux, the multiplexer inside `beam/1`: 12 bytes of header (big endian), and behind a data frame's as many bytes as its length says.
 *
 *     version: u8 = 0, type: u8, flags: u16, stream: u32, length: u32
 *
 * The length is a window's growth in a window frame, an echoed number in a ping, a reason in a go-away.
 */
export const headerBytes = 12
const version = 0

export const frameType = { data: 0, window: 1, ping: 2, goAway: 3 } as const
export type FrameType = (typeof frameType)[keyof typeof frameType]

/** `open` asks, `accept` answers (of streams and pings), `end` closes one direction, `reset` both. */
export const flag = { open: 1, accept: 2, end: 4, reset: 8 } as const
const flagsKnown = flag.open | flag.accept | flag.end | flag.reset

export const goAwayCode = { normal: 0, protocol: 1, internal: 2 } as const

/** What each end may send on a stream before it is granted more. */
export const initialWindowBytes = 256 * 1024

/** The largest window that the other end may give: agents that are deployed give 16 MiB at most. */
export const windowCeilingBytes = 2 ** 31 - 1

/** The other end has broken the rules: the session ends. */
export class Violation extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Violation'
  }
}

export interface FrameHeader {
  type: FrameType
  flags: number
  stream: number
  length: number
}

export function writeHeader(target: Buffer, at: number, { type, flags, stream, length }: FrameHeader): void {
  target.writeUInt8(version, at)
  target.writeUInt8(type, at + 1)
  target.writeUInt16BE(flags, at + 2)
  target.writeUInt32BE(stream, at + 4)
  target.writeUInt32BE(length, at + 8)
}

export function encodeFrame(header: FrameHeader): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes)
  writeHeader(frame, 0, header)
  return frame
}

/** What the parser finds. Every method may throw a `Violation`. */
export interface FrameSink {
  /** Judges a header; of a data frame before its payload is read: stream and length are the other end's claims. */
  header(header: FrameHeader): void
  /** A part of a data frame's payload, as it came: never copied. */
  data(stream: number, piece: Buffer): void
  /** A data frame is complete; its flags hold from here on. */
  dataEnd(header: FrameHeader): void
}

/** Cuts a byte stream into frames, whatever the pieces it arrives in. `stop` is for good: what follows is dropped. */
export class FrameParser {
  readonly #collected = Buffer.alloc(headerBytes)
  #have = 0
  #data: FrameHeader | null = null
  #dataLeft = 0
  #stopped = false

  stop(): void {
    this.#stopped = true
  }

  /** Feeds `chunk`; the sink owns it from here on. @throws Violation, after which the parser is of no use. */
  push(chunk: Buffer, sink: FrameSink): void {
    for (let at = 0; at < chunk.length && !this.#stopped; ) {
      const frame = this.#data
      if (frame) {
        const piece = chunk.subarray(at, at + this.#dataLeft)
        at += piece.length
        this.#dataLeft -= piece.length
        if (this.#dataLeft === 0) this.#data = null
        sink.data(frame.stream, piece)
        if (this.#dataLeft === 0) sink.dataEnd(frame)
        continue
      }
      const end = Math.min(chunk.length, at + headerBytes - this.#have)
      chunk.copy(this.#collected, this.#have, at, end)
      this.#have += end - at
      at = end
      if (this.#have < headerBytes) return
      this.#have = 0
      const header = this.#readHeader()
      sink.header(header)
      if (header.type !== frameType.data) continue
      if (header.length === 0) sink.dataEnd(header)
      else {
        this.#data = header
        this.#dataLeft = header.length
      }
    }
  }

  #readHeader(): FrameHeader {
    const header = this.#collected
    if (header.readUInt8(0) !== version) throw new Violation('an unknown version of yamux')
    const type = header.readUInt8(1)
    const flags = header.readUInt16BE(2)
    if (!isFrameType(type)) throw new Violation(`an unknown frame type ${type}`)
    if ((flags & ~flagsKnown) !== 0) throw new Violation('an unknown flag')
    return { type, flags, stream: header.readUInt32BE(4), length: header.readUInt32BE(8) }
  }
}

const isFrameType = (type: number): type is FrameType => type <= frameType.goAway
