import { type FrameType, frameType, headerBytes, preface, Violation } from './wire.ts'

/** What the parser finds. Every method may throw a `Violation`. */
export interface FrameSink {
  /** Judges a frame before its payload is read: type, stream and length are the peer's claims. */
  header(type: FrameType, stream: number, length: number): void
  /** A whole frame, except data. `payload` is the sink's to keep. */
  frame(type: FrameType, stream: number, payload: Buffer): void
  /** A part of a data frame's payload, as it came: never copied. */
  data(stream: number, piece: Buffer): void
}

/**
 * Cuts a byte stream into frames, whatever the pieces it arrives in.
 *
 *     preface ──8 bytes──▶ header ──8 bytes──▶ payload ──length bytes──▶ header …
 *                          header ──data────▶ data ────length bytes──▶ header …
 *
 * `stop` leaves every state for good: what follows is dropped.
 */
export class FrameParser {
  #state: 'preface' | 'header' | 'payload' | 'data' | 'stopped'
  /** Collects what may straddle chunks: the preface, a header, the payload of a frame that is not data. */
  #collected: Buffer
  #have = 0
  #type: FrameType = frameType.ping
  #stream = 0
  #dataLeft = 0
  readonly #header = Buffer.alloc(headerBytes)

  /** @param expectPreface true on the accepting side, whose peer speaks first. */
  constructor(expectPreface: boolean) {
    this.#state = expectPreface ? 'preface' : 'header'
    this.#collected = this.#header
  }

  stop(): void {
    this.#state = 'stopped'
  }

  /** Feeds `chunk`; the parser and the sink own it from here on. @throws Violation, after which the parser is of no use. */
  push(chunk: Buffer, sink: FrameSink): void {
    let at = 0
    while (at < chunk.length) {
      switch (this.#state) {
        case 'data': {
          const piece = chunk.subarray(at, at + this.#dataLeft)
          at += piece.length
          this.#dataLeft -= piece.length
          if (this.#dataLeft === 0) this.#expectHeader()
          sink.data(this.#stream, piece)
          break
        }
        case 'header': {
          at = this.#collect(chunk, at)
          if (this.#have < headerBytes) return
          this.#readHeader(sink)
          break
        }
        case 'payload': {
          at = this.#collect(chunk, at)
          if (this.#have < this.#collected.length) return
          const payload = this.#collected
          this.#expectHeader()
          sink.frame(this.#type, this.#stream, payload)
          break
        }
        case 'preface': {
          at = this.#collect(chunk, at)
          // Judged byte by byte: a stranger that sends three bytes and waits is not waited for.
          if (!this.#header.subarray(0, this.#have).equals(preface.subarray(0, this.#have))) {
            throw new Violation('not the preface of a link')
          }
          if (this.#have === preface.length) this.#expectHeader()
          break
        }
        case 'stopped':
          return
      }
    }
  }

  #readHeader(sink: FrameSink): void {
    const header = this.#header
    const type = header.readUInt8(0)
    const length = header.readUIntBE(1, 3)
    this.#stream = header.readUInt32BE(4)
    if (!isFrameType(type)) throw new Violation(`an unknown frame type ${type}`)
    this.#type = type
    sink.header(type, this.#stream, length)
    if (type === frameType.data) {
      this.#state = 'data'
      this.#dataLeft = length
    } else if (length === 0) {
      this.#expectHeader()
      sink.frame(type, this.#stream, empty)
    } else {
      this.#state = 'payload'
      this.#collected = Buffer.allocUnsafe(length)
      this.#have = 0
    }
  }

  #collect(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#collected.length - this.#have)
    chunk.copy(this.#collected, this.#have, at, end)
    this.#have += end - at
    return end
  }

  #expectHeader(): void {
    if (this.#state === 'stopped') return
    this.#state = 'header'
    this.#collected = this.#header
    this.#have = 0
  }
}

const empty = Buffer.alloc(0)

const isFrameType = (type: number): type is FrameType => type >= frameType.hello && type <= frameType.received
