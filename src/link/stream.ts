import { performance } from 'node:perf_hooks'
import { Duplex } from 'node:stream'
import type { Connection } from './connections.ts'
import { LinkError, type LinkStream } from './link.ts'
import { Outgoing } from './outgoing.ts'
import { Pace } from './pace.ts'
import type { DataSource } from './turns.ts'
import { frameType, headerBytes, initialWindowBytes, Violation, windowCeilingBytes, writeHeader } from './wire.ts'

/** What a stream needs of the link it runs on. */
export interface StreamHost {
  readonly remoteAddress: string
  readonly roundTripMs: number
  /** Where a stream begins, in both directions. */
  readonly interactive: Connection
  /** The stream has received something: `deliver` is to be called at the end of this turn of the event loop. */
  arrived(stream: SessionStream): void
  /** The stream has something to send: it gets its turn, on the connection that suits its pace. */
  ready(stream: SessionStream): void
  sendEnd(stream: SessionStream): void
  sendWindow(stream: SessionStream, bytes: number): void
  sendDatagram(stream: SessionStream, payload: Uint8Array): void
  /** Asks whether a window may grow by `bytes`; what is granted is given back with `gone`. */
  mayGrow(bytes: number): boolean
  /** What the stream holds unread has changed, counted in bytes of memory. */
  unreadChanged(stream: SessionStream, difference: number): void
  /** The stream is over; `reset` is set when the other end must be told. */
  gone(stream: SessionStream, reset: LinkError | null): void
}

/**
 * A stream of a link, with the manners of a socket, so that `node:http`, `ws` and `pipeline` take it for one.
 *
 * Sending: `_write` keeps the chunks and their callback until the lane has taken all of them (`fill`), frame by frame, as far
 * as the peer's window allows; that is how back-pressure reaches the source. Receiving: every piece is pushed at once, since
 * the window bounds them; what has been read is granted again.
 */
export class SessionStream extends Duplex implements DataSource, LinkStream {
  readonly number: number
  readonly remoteAddress: string
  readonly connecting = false
  onDatagram: LinkStream['onDatagram'] = null
  nextReady: DataSource | null = null
  isReady = false
  /** What unread data costs in memory. */
  unreadCost = 0
  /** How far the window has grown beyond the first one. */
  grownBytes = 0
  /** The connection of our next data. */
  sending: Connection
  /** The connection whose data is next in order. */
  receiving: Connection
  /** The other end has sent something of this stream: what it is sent on another connection cannot come before the open. */
  isKnownThere: boolean
  readonly pace = new Pace()
  /** A connection for it was asked for, and it still waits on the first one. */
  awaitsConnection = false
  readonly #host: StreamHost
  readonly #windowBytesMax: number

  readonly #outgoing = new Outgoing(initialWindowBytes)

  #receiveCredit = initialWindowBytes
  /** What arrived on other connections than the one whose turn it is; a connection stands for the move to it. */
  #held: Map<Connection, (Buffer | Connection | 'end')[]> | null = null
  #heldItems = 0
  #heldMoves = 0
  /** Bytes that arrived and were not handed on yet: in this turn, or held. */
  #waiting = 0
  #granted = false
  /** Pieces that arrived in this turn of the event loop. */
  #arrived: Buffer[] = []
  #window = initialWindowBytes
  #pieces = 0
  #unread = 0
  #grantedAt = 0

  #localEnded = false
  #remoteEnded = false
  #remoteReset = false
  #idleMs = 0
  #idleTimer: NodeJS.Timeout | null = null

  /** @param isKnownThere the other end has opened it. */
  constructor(host: StreamHost, number: number, isKnownThere: boolean, windowBytesMax: number) {
    super({ allowHalfOpen: true, readableHighWaterMark: highWaterMarkBytes, writableHighWaterMark: highWaterMarkBytes })
    this.number = number
    this.remoteAddress = host.remoteAddress
    this.#host = host
    this.#windowBytesMax = windowBytesMax
    this.isKnownThere = isKnownThere
    this.sending = host.interactive
    this.receiving = host.interactive
    // A peer may reset a stream at any moment, also one whose user looks elsewhere; that must never end the process.
    this.on('error', ignore)
  }

  // From the link.

  /** @throws Violation when the peer sends more than its window or after its end. */
  receive(piece: Buffer, on: Connection): void {
    if (piece.length > this.#receiveCredit) throw new Violation('more data than the window allows')
    this.#receiveCredit -= piece.length
    this.#waiting += piece.length
    this.isKnownThere = true
    if (on === this.receiving) this.#take(piece)
    else this.#hold(piece, on)
  }

  /** @throws Violation when the peer has ended it before. */
  receiveEnd(on: Connection): void {
    this.isKnownThere = true
    if (on === this.receiving) this.#takeEnd()
    else this.#hold('end', on)
  }

  /** The peer's data goes on over another connection. @throws Violation where it cannot. */
  receiveMove(on: Connection, to: Connection): void {
    this.isKnownThere = true
    if (to === on) throw new Violation('a move to the same connection')
    if (on !== this.receiving) {
      this.#heldMoves += 1
      if (this.#heldMoves > heldMovesMax) throw new Violation('a stream that moves without end')
      this.#hold(to, on)
      return
    }
    this.#receiveOn(to)
    this.#replay()
  }

  /** Whether something of this stream is lost with `connection`. */
  uses(connection: Connection): boolean {
    return this.sending === connection || this.receiving === connection || this.#held?.has(connection) === true
  }

  /** Hands on what has arrived in this turn of the event loop: crumbs as one piece, large pieces as they are. */
  deliver(): void {
    const arrived = this.#arrived
    if (arrived.length === 0 || this.destroyed) return
    this.#arrived = []
    const bytes = arrived.reduce((sum, piece) => sum + piece.length, 0)
    // A crumb costs more as an event of its own than copying it does; for large pieces it is the other way round.
    const pieces = arrived.length > 1 && bytes < arrived.length * crumbBytes ? [Buffer.concat(arrived, bytes)] : arrived
    this.#waiting -= bytes
    this.#pieces += pieces.length
    for (const piece of pieces) this.push(piece)
    this.#account()
  }

  receiveWindow(bytes: number): void {
    this.isKnownThere = true
    this.#outgoing.credit += bytes
    if (bytes === 0 || this.#outgoing.credit > windowCeilingBytes) throw new Violation('a window out of range')
    if (this.sendable) this.#host.ready(this)
  }

  /** Ends the stream without telling the other end: it told us, or it is gone. */
  receiveReset(error: LinkError): void {
    this.#remoteReset = true
    this.destroy(error)
  }

  receiveDatagram(payload: Buffer): void {
    if (this.destroyed) return
    this.#active()
    this.onDatagram?.(payload)
  }

  // From the lane.

  get sendable(): boolean {
    return this.#outgoing.sendable
  }

  get isBulk(): boolean {
    return this.pace.isBulk
  }

  fill(target: Buffer, at: number, end: number): number {
    const begin = at + headerBytes
    const bytes = this.#outgoing.take(target, begin, Math.min(end - begin, frameBytes))
    writeHeader(target, at, frameType.data, bytes, this.number)
    this.pace.carry(bytes)
    this.#active()
    this.#outgoing.settle()
    if (this.sendable) this.#host.ready(this)
    return begin + bytes
  }

  // LinkStream.

  sendDatagram(payload: Uint8Array): void {
    if (this.destroyed) return
    this.#active()
    this.#host.sendDatagram(this, payload)
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
    this.#localEnded = true
    this.#host.sendEnd(this)
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
    this.setTimeout(0)
    this.#arrived = []
    this.#held = null
    const { written } = this.#outgoing.drop()
    const bothEnded = this.#localEnded && this.#remoteEnded
    this.#host.gone(this, this.#remoteReset || bothEnded ? null : resetError(error))
    done(error)
    written?.(error ?? new LinkError('closed', 'the stream was closed before everything was sent'))
  }

  // What node:http and ws ask of a socket.

  /** Emits `timeout` after `ms` without traffic; 0 stops that. */
  setTimeout(ms: number, onTimeout?: () => void): this {
    if (this.#idleTimer) clearTimeout(this.#idleTimer)
    this.#idleTimer = null
    this.#idleMs = ms
    if (ms > 0 && !this.destroyed) this.#idleTimer = setTimeout(() => this.emit('timeout'), ms).unref()
    if (onTimeout) {
      if (ms > 0) this.once('timeout', onTimeout)
      else this.removeListener('timeout', onTimeout)
    }
    return this
  }

  get timeout(): number {
    return this.#idleMs
  }

  /** Every frame leaves at the end of its tick: there is nothing to switch. */
  setNoDelay(): this {
    return this
  }

  /** The link watches the peer for all its streams. */
  setKeepAlive(): this {
    return this
  }

  /** What keeps the process alive is the link's connection. */
  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  #send(chunks: Buffer[], done: (error?: Error | null) => void): void {
    this.#outgoing.keep(chunks, done)
    if (this.sendable) this.#host.ready(this)
  }

  #take(piece: Buffer): void {
    if (this.#remoteEnded) throw new Violation('data after the end of a stream')
    this.#active()
    this.#arrived.push(piece)
    if (this.#arrived.length === 1) this.#host.arrived(this)
  }

  #takeEnd(): void {
    if (this.#remoteEnded) throw new Violation('a second end of a stream')
    this.deliver()
    this.#remoteEnded = true
    this.push(null)
  }

  #hold(item: Buffer | Connection | 'end', on: Connection): void {
    this.#held ??= new Map()
    const held = this.#held.get(on)
    if (held) held.push(item)
    else this.#held.set(on, [item])
    this.#heldItems += 1
    this.#recount()
  }

  #receiveOn(to: Connection): void {
    this.receiving.receivers -= 1
    this.receiving = to
    to.receivers += 1
  }

  /** Takes what was held back for the connection whose turn has come, and so on as far as that leads. */
  #replay(): void {
    let queue = this.#held?.get(this.receiving)
    while (queue && !this.destroyed) {
      this.#held?.delete(this.receiving)
      const at = queue.findIndex((item) => item !== 'end' && !Buffer.isBuffer(item))
      const [now, move, later] =
        at === -1 ? [queue, undefined, []] : [queue.slice(0, at), queue[at], queue.slice(at + 1)]
      for (const item of now) {
        this.#heldItems -= 1
        if (Buffer.isBuffer(item)) this.#take(item)
        else this.#takeEnd()
      }
      if (later.length > 0) this.#held?.set(this.receiving, later)
      if (move === undefined || move === 'end' || Buffer.isBuffer(move)) break
      this.#heldItems -= 1
      this.#heldMoves -= 1
      this.#receiveOn(move)
      queue = this.#held?.get(this.receiving)
    }
    this.#recount()
  }

  #active(): void {
    this.#idleTimer?.refresh()
  }

  /** Reckons what is unread, and grants again what was read once that is half a window. */
  #account(): void {
    const unread = this.readableLength
    if (unread === 0) this.#pieces = 0
    else if (unread < this.#unread) this.#pieces = Math.ceil((this.#pieces * unread) / this.#unread)
    this.#unread = unread
    this.#recount()
    if (this.#remoteEnded || this.destroyed) return
    const read = this.#window - this.#receiveCredit - unread - this.#waiting
    if (read >= this.#window / 2 || (!this.#granted && read >= firstGrantBytes)) this.#grant(unread)
  }

  #recount(): void {
    const cost = this.#unread + this.#waiting + (this.#pieces + this.#heldItems) * pieceCostBytes
    const difference = cost - this.unreadCost
    this.unreadCost = cost
    if (difference !== 0) this.#host.unreadChanged(this, difference)
  }

  #grant(unread: number): void {
    const now = performance.now()
    // Half a window within two round trips: the window is what limits this stream, so it grows.
    const quick = now - this.#grantedAt < Math.max(quickGrantMsMin, 2 * this.#host.roundTripMs)
    this.#grantedAt = now
    const larger = Math.min(this.#windowBytesMax, this.#window * 2)
    if (quick && larger > this.#window && this.#host.mayGrow(larger - this.#window)) {
      this.grownBytes += larger - this.#window
      this.#window = larger
    }
    this.#granted = true
    const bytes = this.#window - this.#receiveCredit - unread - this.#waiting
    this.#receiveCredit += bytes
    this.#host.sendWindow(this, bytes)
  }
}

/**
 * One turn of a stream: the payload of a data frame as we send it. With its header it fills one TLS record, so that the other
 * end, which is handed record by record, gets it in one piece (a fifth less CPU than 16 KiB of payload).
 */
const frameBytes = 16 * 1024 - headerBytes
/** What a stream buffers before `write` answers false. */
const highWaterMarkBytes = 128 * 1024
/** What a received piece costs beside its bytes, roughly: a thousand one-byte frames are not a thousand bytes of memory. */
const pieceCostBytes = 128
const quickGrantMsMin = 10
/** The first grant comes early: it tells the opener that the stream is known here, so that it may move to another connection. */
const firstGrantBytes = 32 * 1024
/** Moves of a stream that wait for an earlier one: a sender moves it about once a second at most. */
const heldMovesMax = 16
/** Pieces that are smaller than this on average are joined before they are handed on. */
const crumbBytes = 4 * 1024

const ignore = (): void => undefined

/** What the other end is told. The text of a foreign error stays here: it may speak of files, hosts and secrets. */
function resetError(error: Error | null): LinkError {
  if (error instanceof LinkError) return error
  return new LinkError('closed', 'the stream was closed by the other end')
}
