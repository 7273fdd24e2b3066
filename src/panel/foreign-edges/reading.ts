import { AppError } from '../../contract/errors.ts'

interface ReadingLimits {
  /** Bytes kept of each text. */
  textBytesMax: number
  /** Bytes with the texts cut. */
  bytesMax: number
  /** Bytes as they come. */
  readBytesMax: number
}

const [quote, backslash, letterU] = [0x22, 0x5c, 0x75]

/**
 * The JSON value that comes, each text of it cut: what a visitor has written must not make a report too large. An edge sends a
 * report that is not taken again and again, and nothing after it. Throws `too_large`, and `invalid_request` for what is no JSON.
 */
export async function readCutJson(content: AsyncIterable<Uint8Array>, limits: ReadingLimits): Promise<unknown> {
  const pieces: Uint8Array[] = []
  const cutter = new TextCutter(limits.textBytesMax)
  let [read, kept] = [0, 0]
  for await (const piece of content) {
    const cut = cutter.take(piece)
    read += piece.length
    kept += cut.length
    if (read > limits.readBytesMax || kept > limits.bytesMax)
      throw new AppError('too_large', `The report is larger than ${limits.bytesMax} bytes: send fewer records at once`)
    pieces.push(cut)
  }
  try {
    // A character in the middle of which a text was cut becomes a replacement character.
    return JSON.parse(new TextDecoder().decode(Buffer.concat(pieces)))
  } catch {
    throw new AppError('invalid_request', 'The report is not valid JSON', {
      details: [{ where: 'body', problem: 'is not valid JSON', expected: 'JSON' }],
    })
  }
}

/** Copies JSON and leaves out what is too much of a text, as it comes. An escape sequence stays whole or goes. */
class TextCutter {
  readonly #most: number
  #inText = false
  /** Bytes that still belong to an escape sequence; -1 where its kind is not known yet. */
  #escaped = 0
  /** Whether the escape sequence is kept. */
  #keeps = false
  #kept = 0

  constructor(most: number) {
    this.#most = most
  }

  take(piece: Uint8Array): Uint8Array {
    const cut = new Uint8Array(piece.length)
    let length = 0
    for (const byte of piece) if (this.#isKept(byte)) cut[length++] = byte
    // A part of it would keep the whole.
    return length === piece.length ? cut : cut.slice(0, length)
  }

  #isKept(byte: number): boolean {
    if (!this.#inText) {
      this.#inText = byte === quote
      this.#kept = 0
      return true
    }
    if (this.#escaped !== 0) {
      this.#escaped = this.#escaped > 0 ? this.#escaped - 1 : byte === letterU ? 4 : 0
      return this.#keeps
    }
    if (byte === quote) {
      this.#inText = false
      return true
    }
    this.#keeps = this.#kept++ < this.#most
    if (byte === backslash) this.#escaped = -1
    return this.#keeps
  }
}
