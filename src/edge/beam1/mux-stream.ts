import { performance } from 'node:perf_hooks'
import { Duplex } from 'node:stream'
import { LinkError, type LinkStream, Outgoing } from '../../link/index.ts'
import {
  flag,
  frameType,
  headerBytes,
  initialWindowBytes,
  Violation,
  windowCeilingBytes,
  writeHeader,
} from './frame.ts'

/** What a stream needs of the session it runs in. */
export interface MuxHost {
  readonly roundTripMs: number
  readonly windowBytesMax: number
  /** The stream has something to send: it gets its turn. */
  ready(stream: MuxStream): void
  /** Sends a frame without data. */
  tell(stream: MuxStream, flags: number, windowBytes: number): void
  /** Asks whether a window may grow by `bytes`; what is granted is given back with `gone`. */
  mayGrow(bytes: number): boolean
  /** What the stream holds unread has changed, counted in bytes of memory. */
  unreadChanged(stream: MuxStream, difference: number): void
  /** Nobody uses it any more. `lingers`: the other end has been told of our end, and its own is still to come. */
  gone(stream: MuxStream, lingers: boolean): void
}

/**
 * A stream of a yamux session.
 *
 *   waiting ──begin──▶ open ──both ends, or a reset──▶ gone
 *                        └──destroyed without an error──▶ lingering ──the other end's end, or a reset──▶ gone
 *
 * Sending: `_write` keeps the chunks and their callback until the session has taken all of them (`fill`), as far as the other end's window
 * allows. Receiving: every piece is pushed at once, since the window bounds them; what has been read is granted again.
 */
export class MuxStream extends Duplex implements LinkStream {
  /** 0 while it waits. */
  number = 0
  /** There are no datagrams in this protocol. */
  onDatagram: LinkStream['onDatagram'] = null
  /** What unread data costs in memory. */
  unreadCost = 0
  /** How far the window has grown beyond the first one. */
  grownBytes = 0
  /** The other end has taken the stream up. */
  isAccepted = false
  /** When it began to wait, or to linger, ms of the monotonic clock. */
  since = performance.now()
  readonly #host: MuxHost
  readonly #mustAnswer: boolean

  readonly #outgoing = new Outgoing(0)

  #receiveCredit = initialWindowBytes
  #window = initialWindowBytes
  #unread = 0
  #pieces = 0
  #grantedAt = 0
  #heard = false

  #localEnded = false
  #remoteEnded = false
  #reset = false

  /** @param mustAnswer an end without a single byte before it means that the other end has refused the stream. */
  constructor(host: MuxHost, mustAnswer: boolean) {
    super({ allowHalfOpen: true, readableHighWaterMark: highWaterMarkBytes, writableHighWaterMark: highWaterMarkBytes })
    this.#host = host
    this.#mustAnswer = mustAnswer
    // The other end may reset a stream at any moment, also one whose user looks elsewhere; that must never end the process.
    this.on('error', () => undefined)
  }

  sendDatagram(): void {
    // There are none in this protocol: a datagram may be lost, and here each one is.
  }

  // From the session.

  /** It has its number and may send. */
  begin(number: number): void {
    this.number = number
    this.#outgoing.credit = initialWindowBytes
    if (this.#localEnded) this.#host.tell(this, flag.end, 0)
    if (this.sendable) this.#host.ready(this)
  }

  /** So many bytes are about to arrive. @throws Violation when they are more than its window, or come after its end. */
  expect(bytes: number): void {
    if (this.#remoteEnded && bytes > 0) throw new Violation('data after the end of a stream')
    if (bytes > this.#receiveCredit) throw new Violation('more data than the window allows')
  }

  receive(piece: Buffer): void {
    if (this.destroyed) return
    this.#receiveCredit -= piece.length
    this.#heard = true
    this.#pieces += 1
    // What is small and stays would keep the whole buffer that it was read in.
    this.push(piece.length < crumbBytes ? Buffer.from(piece) : piece)
    this.#account()
  }

  /** @throws Violation when it has ended before. */
  receiveEnd(): void {
    if (this.#remoteEnded) throw new Violation('a second end of a stream')
    this.#remoteEnded = true
    if (this.destroyed) return
    if (this.#mustAnswer && !this.#heard)
      this.destroy(new LinkError('unreachable', 'the agent has ended the stream without an answer'))
    else this.push(null)
  }

  receiveReset(): void {
    this.#reset = true
    this.destroy(
      this.#heard
        ? new LinkError('closed', 'the agent has reset the stream')
        : new LinkError('unreachable', 'the agent has refused the stream'),
    )
  }

  receiveWindow(bytes: number): void {
    this.#outgoing.credit += bytes
    if (this.#outgoing.credit > windowCeilingBytes) throw new Violation('a window out of range')
    if (this.sendable) this.#host.ready(this)
  }

  /** Ends it without telling the other end: that is gone. */
  abandon(error: LinkError): void {
    this.#reset = true
    this.destroy(error)
  }

  get sendable(): boolean {
    return this.#outgoing.sendable
  }

  /** Writes one data frame into the room from `at` to `end`. Returns where it ends. */
  fill(target: Buffer, at: number, end: number): number {
    const begin = at + headerBytes
    const length = this.#outgoing.take(target, begin, Math.min(end - begin, frameDataBytesMax))
    writeHeader(target, at, { type: frameType.data, flags: 0, stream: this.number, length })
    this.#outgoing.settle()
    return begin + length
  }

  // Duplex.

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send([chunk], done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#end()
    done()
  }

  override _read(): void {
    // Pieces are pushed as they arrive; reading is noticed in `read`.
  }

  /** Every way of consuming a Duplex comes through here, or pushes through at once: the place to grant what was read. */
  // biome-ignore lint/suspicious/noExplicitAny: the signature is Duplex's
  override read(size?: number): any {
    const chunk = super.read(size)
    if (chunk !== null) this.#account()
    return chunk
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { unsent, written } = this.#outgoing.drop()
    this.#host.unreadChanged(this, -this.unreadCost)
    this.unreadCost = 0
    this.#leave(error !== null || unsent)
    done(error)
    written?.(error ?? new LinkError('closed', 'the stream was closed before everything was sent'))
  }

  /** Tells the other end, unless it knows. Between two ends that have parted in order there is no reset. */
  #leave(broken: boolean): void {
    const over = this.#reset || this.number === 0 || (this.#localEnded && this.#remoteEnded)
    if (over) this.#host.gone(this, false)
    else if (broken) {
      this.#host.tell(this, flag.reset, 0)
      this.#host.gone(this, false)
    } else {
      this.#end()
      this.since = performance.now()
      this.#host.gone(this, !this.#remoteEnded)
    }
  }

  #end(): void {
    if (this.#localEnded) return
    this.#localEnded = true
    if (this.number !== 0) this.#host.tell(this, flag.end, 0)
  }

  #send(chunks: Buffer[], done: (error?: Error | null) => void): void {
    this.#outgoing.keep(chunks, done)
    if (this.sendable) this.#host.ready(this)
  }

  /** Reckons what is unread, and grants again what was read once that is half a window. */
  #account(): void {
    const unread = this.readableLength
    if (unread === 0) this.#pieces = 0
    else if (unread < this.#unread) this.#pieces = Math.ceil((this.#pieces * unread) / this.#unread)
    this.#unread = unread
    const cost = unread + this.#pieces * pieceCostBytes
    const difference = cost - this.unreadCost
    this.unreadCost = cost
    if (difference !== 0) this.#host.unreadChanged(this, difference)
    if (this.#remoteEnded || this.destroyed) return
    if (this.#window - this.#receiveCredit - unread >= this.#window / 2) this.#grant(unread)
  }

  #grant(unread: number): void {
    const now = performance.now()
    // Half a window within two round trips: the window is what limits this stream, so it grows.
    const quick = now - this.#grantedAt < Math.max(quickGrantMsMin, 2 * this.#host.roundTripMs)
    this.#grantedAt = now
    const larger = Math.min(this.#host.windowBytesMax, this.#window * 2)
    if (quick && larger > this.#window && this.#host.mayGrow(larger - this.#window)) {
      this.grownBytes += larger - this.#window
      this.#window = larger
    }
    const bytes = this.#window - this.#receiveCredit - unread
    this.#receiveCredit += bytes
    this.#host.tell(this, 0, bytes)
  }
}

/** One turn of a stream: with its header it fills one TLS record, so that the other end gets it in one piece. */
const frameDataBytesMax = 16 * 1024 - headerBytes
/** What a stream buffers before `write` answers false. */
const highWaterMarkBytes = 128 * 1024
/** What a received piece costs beside its bytes, roughly: a thousand one-byte frames are not a thousand bytes of memory. */
const pieceCostBytes = 512
/** Smaller pieces are copied out of the buffer that they were read in: that may be 16 KiB, and would stay as long as they do. */
const crumbBytes = 4 * 1024
const quickGrantMsMin = 10
