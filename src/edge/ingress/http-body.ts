import { type BodyFraming, HttpRefusal } from './http-head.ts'

/** Hexadecimal digits of a chunk's size: 2^52 bytes, below the largest exact number. */
const chunkSizeDigitsMax = 13

/** Bytes of a trailer section. */
const trailerBytesMax = 16_384

/**
 * Follows a body through the bytes that carry it and passes them on as they are. Of chunked bodies the framing is checked
 * (no extensions, no bare line feeds); a request's trailer section is dropped, because fields in it would bypass the head's rules.
 * For HTTP/2, which frames by itself, only what is inside is passed on, and the trailer section is kept aside.
 */
export class BodyReader {
  /** The whole body has been seen. */
  done: boolean
  readonly #framing: BodyFraming
  readonly #dropTrailers: boolean
  readonly #unframe: boolean
  #trailers = ''
  #left: number
  #state: 'size' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'trailer-lf' = 'size'
  #digits = 0
  #trailerBytes = 0
  #lineBytes = 0

  constructor(framing: BodyFraming, options: { dropTrailers: boolean; unframe?: boolean }) {
    this.#framing = framing
    this.#dropTrailers = options.dropTrailers
    this.#unframe = options.unframe ?? false
    this.#left = framing.kind === 'length' ? framing.bytes : 0
    this.done = framing.kind === 'none'
  }

  /** With `unframe`: the trailer section, each field with its line end. */
  get trailers(): string {
    return this.#trailers
  }

  /**
   * Takes what belongs to the body from `bytes` and gives it to `pass`.
   * @returns how many bytes it took: the rest belongs to the next message.
   * @throws HttpRefusal when chunked framing is broken.
   */
  read(bytes: Buffer, pass: (part: Buffer) => void): number {
    if (this.done) return 0
    switch (this.#framing.kind) {
      case 'none':
        return 0
      case 'until-close':
        if (bytes.length > 0) pass(bytes)
        return bytes.length
      case 'length': {
        const taken = Math.min(this.#left, bytes.length)
        this.#left -= taken
        if (this.#left === 0) this.done = true
        if (taken > 0) pass(taken === bytes.length ? bytes : bytes.subarray(0, taken))
        return taken
      }
      case 'chunked':
        return this.#readChunked(bytes, pass)
    }
  }

  #readChunked(bytes: Buffer, pass: (part: Buffer) => void): number {
    let at = 0
    /** Where the bytes begin that are to be passed on; everything up to `at` once the loop leaves. */
    let from = 0
    while (at < bytes.length && !this.done) {
      if (this.#state === 'data') {
        const taken = Math.min(this.#left, bytes.length - at)
        this.#left -= taken
        if (this.#unframe) pass(bytes.subarray(at, at + taken))
        at += taken
        if (this.#left === 0) this.#state = 'data-cr'
        continue
      }
      const byte = bytes[at] ?? 0
      at++
      switch (this.#state) {
        case 'size': {
          const digit = hexDigit(byte)
          if (digit !== -1 && this.#digits < chunkSizeDigitsMax) {
            this.#digits++
            this.#left = this.#left * 16 + digit
          } else if (byte === 13 && this.#digits > 0) this.#state = 'size-lf'
          else throw new HttpRefusal(400, 'a chunk size is malformed')
          break
        }
        case 'size-lf':
          expect(byte, 10)
          this.#digits = 0
          this.#lineBytes = 0
          this.#state = this.#left === 0 ? 'trailer' : 'data'
          if (this.#left === 0 && this.#dropTrailers && !this.#unframe) {
            if (at > from) pass(bytes.subarray(from, at))
            from = at
          }
          break
        case 'data-cr':
          expect(byte, 13)
          this.#state = 'data-lf'
          break
        case 'data-lf':
          expect(byte, 10)
          this.#state = 'size'
          break
        case 'trailer':
          if (++this.#trailerBytes > trailerBytesMax) throw new HttpRefusal(400, 'the trailer section is too large')
          if (byte === 13) this.#state = 'trailer-lf'
          else if (byte < 32 && byte !== 9) throw new HttpRefusal(400, 'a trailer field is malformed')
          else {
            this.#lineBytes++
            if (this.#unframe) this.#trailers += String.fromCharCode(byte)
          }
          break
        case 'trailer-lf':
          expect(byte, 10)
          this.#state = 'trailer'
          this.done = this.#lineBytes === 0
          if (this.#unframe && !this.done) this.#trailers += '\r\n'
          this.#lineBytes = 0
          break
      }
    }
    if (this.#unframe) return at
    const dropping = this.#dropTrailers && (this.#state === 'trailer' || this.#state === 'trailer-lf')
    if (!dropping && at > from) pass(from === 0 && at === bytes.length ? bytes : bytes.subarray(from, at))
    if (dropping && this.done) pass(lineEnd)
    return at
  }
}

const lineEnd = Buffer.from('\r\n')

function expect(byte: number, wanted: number): void {
  if (byte !== wanted) throw new HttpRefusal(400, 'a chunk does not end where it says')
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const letter = byte | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
