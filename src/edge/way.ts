import { Duplex } from 'node:stream'
import { LinkError, type LinkStream } from '../link/index.ts'
import type { Pacer } from './pacer.ts'

/** What a visitor has sent is kept up to this, in bytes, until the service speaks: a request's head fits, an upload does not. */
const keptBytesMax = 64 * 1024

export interface WayOptions {
  /** Opens the way to another agent that was not tried yet; null when there is none. */
  next: () => LinkStream | null
  /** The present rate; null for none. */
  pacer: () => Pick<Pacer, 'pass'> | null
}

/**
 * A visitor's way to the service where that is more than one link's stream: it goes over to another agent as long as no service has
 * seen the visitor, and it keeps to a rate.
 */
export class Way extends Duplex implements LinkStream {
  readonly #options: WayOptions
  #stream: LinkStream
  /** What was sent, while it could be sent again; null once the service has spoken or it became too much. */
  #kept: Buffer[] | null = []
  #keptBytes = 0
  #sent = false
  #ended = false

  constructor(stream: LinkStream, options: WayOptions) {
    super({ allowHalfOpen: true })
    this.#options = options
    this.#stream = stream
    this.#listen(stream)
  }

  get onDatagram(): LinkStream['onDatagram'] {
    return this.#stream.onDatagram
  }

  set onDatagram(hear: LinkStream['onDatagram']) {
    this.#stream.onDatagram = hear
  }

  sendDatagram(payload: Uint8Array): void {
    this.#sent = true
    this.#stream.sendDatagram(payload)
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#keep(chunk)
    this.#paced(chunk.length, () => this.#send(chunk, done))
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#ended = true
    this.#stream.end()
    done()
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#kept = null
    this.#stream.destroy(error ?? undefined)
    done(error)
  }

  #listen(stream: LinkStream): void {
    const own = (news: () => void): void => {
      if (this.#stream === stream && !this.destroyed) news()
    }
    stream.on('data', (chunk: Buffer) =>
      own(() => {
        this.#kept = null
        const { pacer } = this.#options
        if (pacer() === null) {
          if (!this.push(chunk)) stream.pause()
          return
        }
        stream.pause()
        this.#paced(chunk.length, () => {
          if (!this.destroyed && this.push(chunk)) stream.resume()
        })
      }),
    )
    stream.once('end', () => own(() => this.#paced(0, () => this.push(null))))
    stream.on('error', (error) => own(() => this.#failed(error)))
    stream.once('close', () => own(() => this.#closed(stream)))
    stream.pause()
  }

  #closed(stream: LinkStream): void {
    if (!stream.readableEnded) this.#failed(new LinkError('closed', 'the stream was closed'))
  }

  /** Another agent gets what was sent, if no service can have seen it: it was refused, or there was nothing yet. */
  #failed(error: Error): void {
    const unseen = !this.#sent || (error instanceof LinkError && neverReached.has(error.code))
    const next = unseen && this.#kept ? this.#options.next() : null
    if (!next) {
      this.destroy(error)
      return
    }
    next.onDatagram = this.#stream.onDatagram
    this.#stream = next
    this.#listen(next)
    for (const chunk of this.#kept ?? []) next.write(chunk)
    if (this.#ended) next.end()
    next.resume()
    this.emit('moved')
  }

  #send(chunk: Buffer, done: () => void): void {
    if (this.destroyed) {
      done()
      return
    }
    this.#sent = true
    const stream = this.#stream
    if (stream.destroyed || stream.write(chunk)) {
      done()
      return
    }
    const settle = (): void => {
      stream.off('drain', settle)
      stream.off('close', settle)
      this.off('moved', settle)
      done()
    }
    stream.once('drain', settle)
    stream.once('close', settle)
    this.once('moved', settle)
  }

  #paced(bytes: number, go: () => void): void {
    const pacer = this.#options.pacer()
    if (pacer) pacer.pass(bytes, go)
    else go()
  }

  #keep(chunk: Buffer): void {
    this.#keptBytes += chunk.length
    if (this.#keptBytes > keptBytesMax) this.#kept = null
    // The ingress reuses nothing of it, but a slice would pin the whole read buffer.
    else this.#kept?.push(chunk.length < chunk.buffer.byteLength / 2 ? Buffer.from(chunk) : chunk)
  }
}

/** With these the agent has told, or the edge knows, that no service was asked. */
const neverReached: ReadonlySet<string> = new Set(['refused', 'unreachable', 'limit'])
