import type { Readable } from 'node:stream'
import { BodyReader } from './http-body.ts'
import { type BodyFraming, HttpRefusal } from './http-head.ts'

/** Bytes that all who hold bodies share. */
export interface Room {
  /** False: there is no room for so many. */
  take(bytes: number): boolean
  give(bytes: number): void
}

/** Collects a body before anybody gets it. What is collected is a copy: the bytes themselves go on to the service. */
export class BodyPeek {
  /** The whole body. Rejects with an HttpRefusal when it is too large, broken, or does not come. */
  readonly whole: Promise<Buffer>
  readonly #reader: BodyReader
  readonly #bytesMax: number
  readonly #room: Room
  readonly #parts: Buffer[] = []
  readonly #settle: { resolve: (body: Buffer) => void; reject: (error: HttpRefusal) => void }
  #read = 0
  #bytes = 0
  #over = false

  constructor(framing: BodyFraming, bytesMax: number, room: Room) {
    this.#reader = new BodyReader(framing, { dropTrailers: true, unframe: true })
    this.#bytesMax = bytesMax
    this.#room = room
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    this.whole = promise
    this.#settle = { resolve, reject }
    if (framing.kind === 'length' && framing.bytes > bytesMax) this.#fail(tooLarge(bytesMax))
    else if (this.#reader.done) this.#done()
  }

  get over(): boolean {
    return this.#over
  }

  /** @param input everything that has come since the head. */
  look(input: Buffer): void {
    if (this.#over) return
    try {
      this.#read += this.#reader.read(input.subarray(this.#read), (part) => this.#keep(part))
    } catch (error) {
      if (!(error instanceof HttpRefusal)) throw error
      this.#fail(error)
      return
    }
    if (this.#reader.done) this.#done()
  }

  /** The next bytes of a body that only its end delimits. */
  add(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#keep(chunk)
    } catch (error) {
      if (!(error instanceof HttpRefusal)) throw error
      this.#fail(error)
    }
  }

  /** Such a body has ended. */
  complete(): void {
    this.#done()
  }

  /** It will not come any more. Idempotent. */
  giveUp(): void {
    this.#fail(new HttpRefusal(400, 'the body did not arrive'))
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length
    if (this.#bytes > this.#bytesMax) throw tooLarge(this.#bytesMax)
    if (!this.#room.take(part.length)) {
      this.#bytes -= part.length
      throw new HttpRefusal(503, 'too many bodies are being checked at this moment')
    }
    this.#parts.push(Buffer.from(part))
  }

  #done(): void {
    if (this.#over) return
    this.#settle.resolve(Buffer.concat(this.#parts))
    this.#end()
  }

  #fail(error: HttpRefusal): void {
    if (this.#over) return
    this.#settle.reject(error)
    this.#end()
  }

  #end(): void {
    this.#over = true
    const kept = this.#parts.reduce((sum, part) => sum + part.length, 0)
    this.#parts.length = 0
    this.#room.give(kept)
  }
}

const tooLarge = (bytesMax: number): HttpRefusal =>
  new HttpRefusal(413, `a body that has to be checked may have ${bytesMax} bytes`)

/** The same of a request of HTTP/2, whose body is read off its stream and has to be given to the service from here. */
export class StreamPeek {
  readonly #peek: BodyPeek
  readonly whole: Promise<Buffer>
  /** Once it is whole. */
  body: Buffer | undefined

  constructor(stream: Readable, bytesMax: number, room: Room) {
    this.#peek = new BodyPeek({ kind: 'until-close' }, bytesMax, room)
    this.whole = this.#peek.whole.then((body) => {
      this.body = body
      return body
    })
    // Whoever waits hears of it; the stream ends by itself where nobody does.
    this.whole.catch(() => undefined)
    stream.on('data', (chunk: Buffer) => this.#peek.add(chunk))
    stream.once('end', () => {
      // What is reset ends, too.
      if (stream.destroyed || ('closed' in stream && stream.closed === true)) this.#peek.giveUp()
      else this.#peek.complete()
    })
  }

  /** It will not come any more. Idempotent. */
  giveUp(): void {
    this.#peek.giveUp()
  }
}
