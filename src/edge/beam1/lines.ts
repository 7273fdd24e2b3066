import type { Duplex } from 'node:stream'

export interface LinesOptions {
  stream: Duplex
  lineBytesMax: number
  onLine(line: string): void
  /** The stream has ended, or a line is too long. Called once; no more lines come. */
  onEnd(reason: 'ended' | 'too long'): void
}

/** Reads a stream line by line; the rest waits while it is held. */
export class Lines {
  readonly #options: LinesOptions
  /** The beginning of a line: pieces without an end of line. */
  #begun: Buffer[] = []
  #begunBytes = 0
  /** What has not been looked at. */
  #unread: Buffer = nothing
  #held = false
  #over = false

  constructor(options: LinesOptions) {
    this.#options = options
    const { stream } = options
    stream.on('data', (chunk: Buffer) => {
      this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk])
      this.#read()
    })
    stream.once('end', () => this.#end('ended'))
    stream.once('close', () => this.#end('ended'))
  }

  hold(): void {
    this.#held = true
    this.#options.stream.pause()
  }

  goOn(): void {
    this.#held = false
    this.#read()
    if (!this.#held) this.#options.stream.resume()
  }

  #read(): void {
    const { lineBytesMax, onLine } = this.#options
    while (this.#unread.length > 0 && !this.#held && !this.#over) {
      const at = this.#unread.indexOf(lineFeed)
      const piece = at === -1 ? this.#unread : this.#unread.subarray(0, at)
      this.#unread = at === -1 ? nothing : this.#unread.subarray(at + 1)
      this.#begun.push(piece)
      this.#begunBytes += piece.length
      if (this.#begunBytes > lineBytesMax || this.#begun.length > piecesMax) {
        this.#end('too long')
        return
      }
      if (at === -1) return
      const line = Buffer.concat(this.#begun, this.#begunBytes).toString('utf8')
      this.#begun = []
      this.#begunBytes = 0
      onLine(line)
    }
  }

  #end(reason: 'ended' | 'too long'): void {
    if (this.#over) return
    this.#over = true
    this.#options.onEnd(reason)
  }
}

const lineFeed = 10
const nothing = Buffer.alloc(0)
/** A line comes in one piece, or a few: whoever sends it byte by byte is up to something. */
const piecesMax = 4_096
