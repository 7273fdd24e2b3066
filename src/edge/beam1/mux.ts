import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { buffersPassed } from '../../lib/garbage.ts'
import { TokenBuckets } from '../../lib/token-buckets.ts'
import { type LinkEnd, LinkError, type LinkErrorCode, type ReadSource } from '../../link/index.ts'
import {
  encodeFrame,
  type FrameHeader,
  FrameParser,
  type FrameSink,
  flag,
  frameType,
  goAwayCode,
  Violation,
} from './frame.ts'
import type { Beam1Limits } from './limits.ts'
import { type MuxHost, MuxStream } from './mux-stream.ts'
import { Outbox } from './outbox.ts'

export interface MuxOptions {
  /** An ordered, reliable byte pipe; the session closes it. */
  duplex: Duplex
  limits: Beam1Limits
  /** The other end opens one stream and no more. */
  onStream(stream: MuxStream): void
  /** As much was read as takes the time of so many bytes in large frames, and `source` may be paused for a moment. */
  onRead(bytes: number, source: ReadSource): void
  /** The session has ended, with all its streams. Called once. */
  onEnd(end: LinkEnd): void
}

/**
 * The accepting end of a yamux session. What the other end does against the rules ends it with a go-away that says so.
 */
export class Mux implements MuxHost, ReadSource {
  readonly #options: MuxOptions
  readonly #parser = new FrameParser()
  #state: 'open' | 'closing' | 'gone' = 'open'

  readonly #streams = new Map<number, MuxStream>()
  /** Ended by us, with the other end's end still to come. */
  readonly #lingering = new Set<MuxStream>()
  /** Those that are not open yet, oldest first. */
  readonly #waiting = new Set<MuxStream>()
  #control: MuxStream | null = null
  #next = 2
  #unaccepted = 0
  /** Nobody opens streams here any more: the other end has said that it goes. */
  #goes = false
  #streamsMax: number

  readonly #outbox: Outbox

  #grownBytes = 0
  #unreadBytes = 0
  readonly #idleFrames: TokenBuckets

  #ticker: NodeJS.Timeout | null = null
  #closeTimer: NodeJS.Timeout | null = null
  #heard = false
  /** Since the cost of reading was told. */
  #framesRead = 0
  #silentTicks = 0
  #pings = 0
  #pingedAt = 0
  #roundTripMs = roundTripGuessMs
  /** Something was sent or received on a stream, since the last look. */
  #moved = true
  #idleTicks = 0

  constructor(options: MuxOptions) {
    const { duplex, limits } = options
    this.#options = options
    this.#streamsMax = limits.streamsMax
    this.#idleFrames = new TokenBuckets({
      perSecond: limits.idleFramesPerSecond,
      burst: limits.idleFramesBurst,
      keysMax: 1,
    })
    this.#outbox = new Outbox({
      duplex,
      queuedBytesMax: limits.queuedBytesMax,
      onOverflow: () => this.#end('limit', 'the agent does not read what it is told'),
      onData: () => {
        this.#moved = true
      },
    })
    duplex.on('data', this.#receive)
    duplex.once('end', () => this.#end('lost', 'the agent has closed the connection'))
    duplex.on('error', (error: Error) => this.#end('lost', `the connection broke: ${error.message}`))
    duplex.once('close', () => this.#end('lost', 'the connection broke'))
    this.#ticker = setInterval(this.#tick, limits.deadPeerMs / ticksPerDeadPeer)
    this.#ping()
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Streams of ours that are open, or linger. */
  get streamCount(): number {
    return this.#streams.size - (this.#control ? 1 : 0)
  }

  /** How many streams the other end takes at once. */
  set streamsMax(most: number) {
    this.#streamsMax = Math.min(most, this.#options.limits.streamsMax)
  }

  /**
   * Opens a stream to the other end, or lets it wait until one of its streams is free.
   * @param mustAnswer an end without a single byte before it means that the other end has refused the stream.
   * @throws LinkError `limit` when too many wait, `refused` when the other end goes, `lost` when it has gone
   */
  open(mustAnswer: boolean): MuxStream {
    if (this.#state !== 'open') throw new LinkError('lost', 'the agent is away')
    if (this.#goes) throw new LinkError('refused', 'the agent takes no more streams')
    if (this.#waiting.size >= this.#options.limits.waitingMax)
      throw new LinkError('limit', 'too many visitors wait for the agent')
    const stream = new MuxStream(this, mustAnswer)
    this.#waiting.add(stream)
    this.#admit()
    return stream
  }

  pause(): void {
    this.#options.duplex.pause()
  }

  resume(): void {
    this.#options.duplex.resume()
  }

  /** Ends the session in order: what the control stream has been told leaves before it. Idempotent. */
  close(code: LinkErrorCode, reason: string): void {
    if (this.#state !== 'open') return
    const { duplex, limits } = this.#options
    this.#state = 'closing'
    this.#parser.stop()
    const control = this.#control
    const last = this.#outbox.close(control && !control.destroyed ? control : null)
    const goAway = encodeFrame({
      type: frameType.goAway,
      flags: 0,
      stream: 0,
      length: code === 'protocol' ? goAwayCode.protocol : goAwayCode.normal,
    })
    duplex.end(Buffer.concat([last, goAway]))
    // Reads on and drops: closing on unread bytes would reset the last words away.
    duplex.resume()
    this.#closeTimer = setTimeout(() => duplex.destroy(), limits.closeMs)
    this.#over({ code, reason })
  }

  /** Ends the session at once. Idempotent. */
  destroy(reason: string): void {
    this.#end('closed', reason)
  }

  // From its streams.

  get roundTripMs(): number {
    return this.#roundTripMs
  }

  get windowBytesMax(): number {
    return this.#options.limits.windowBytesMax
  }

  ready(stream: MuxStream): void {
    this.#outbox.ready(stream)
  }

  tell({ number }: MuxStream, flags: number, windowBytes: number): void {
    this.#outbox.send({ type: frameType.window, flags, stream: number, length: windowBytes })
  }

  mayGrow(bytes: number): boolean {
    if (this.#grownBytes + bytes > this.#options.limits.windowGrowthBytesMax) return false
    this.#grownBytes += bytes
    return true
  }

  unreadChanged(stream: MuxStream, difference: number): void {
    this.#unreadBytes += difference
    if (difference <= 0 || this.#unreadBytes <= this.#options.limits.unreadBytesMax) return
    let worst = stream
    for (const other of this.#streams.values()) if (other.unreadCost > worst.unreadCost) worst = other
    worst.destroy(new LinkError('limit', 'too much of what the agent has sent waits for its visitors'))
  }

  gone(stream: MuxStream, lingers: boolean): void {
    this.#waiting.delete(stream)
    if (lingers) this.#lingering.add(stream)
    else this.#forget(stream)
  }

  // Opening.

  #admit(): void {
    const { unacceptedMax } = this.#options.limits
    for (const stream of this.#waiting) {
      if (this.#state !== 'open' || this.streamCount >= this.#streamsMax || this.#unaccepted >= unacceptedMax) return
      this.#waiting.delete(stream)
      const number = this.#next
      this.#next += 2
      this.#streams.set(number, stream)
      this.#unaccepted += 1
      this.#outbox.send({ type: frameType.window, flags: flag.open, stream: number, length: 0 })
      stream.begin(number)
      if (this.#next > lastNumber) this.close('closed', 'all numbers of streams are used up')
    }
  }

  #accepted(stream: MuxStream): void {
    if (stream.isAccepted) return
    stream.isAccepted = true
    this.#unaccepted -= 1
    this.#admit()
  }

  #forget(stream: MuxStream): void {
    if (this.#streams.get(stream.number) !== stream) return
    this.#streams.delete(stream.number)
    this.#lingering.delete(stream)
    this.#outbox.forget(stream)
    this.#grownBytes -= stream.grownBytes
    if (!stream.isAccepted) this.#unaccepted -= 1
    this.#admit()
    this.#endIfGone()
  }

  #endIfGone(): void {
    if (this.#goes && this.streamCount === 0) this.close('closed', 'the agent has said that it goes')
  }

  // Reading.

  readonly #receive = (chunk: Buffer): void => {
    if (this.#state !== 'open') return
    this.#heard = true
    try {
      this.#parser.push(chunk, this.#sink)
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      this.close('protocol', error.message)
    }
    buffersPassed(chunk.length)
    const cost = chunk.length + this.#framesRead * frameCostBytes
    this.#framesRead = 0
    if (this.isOpen) this.#options.onRead(cost, this)
  }

  readonly #sink: FrameSink = {
    header: (header) => {
      this.#framesRead += 1
      switch (header.type) {
        case frameType.ping:
          this.#onPing(header)
          break
        case frameType.goAway:
          this.#onGoAway(header)
          break
        default:
          this.#onStreamFrame(header)
      }
    },
    data: (number, piece) => {
      const stream = this.#streams.get(number)
      if (!stream) return
      if (this.#lingering.has(stream)) {
        // Nobody reads it any more, and it has more to say.
        this.tell(stream, flag.reset, 0)
        this.#forget(stream)
        return
      }
      this.#moved = true
      stream.receive(piece)
    },
    dataEnd: ({ stream: number, flags }) => {
      const stream = this.#streams.get(number)
      if (stream) this.#onFlags(stream, flags)
    },
  }

  #onPing({ flags, stream, length }: FrameHeader): void {
    if (stream !== 0) throw new Violation('a ping of a stream')
    if ((flags & flag.open) !== 0) {
      this.#idle()
      this.#outbox.send({ type: frameType.ping, flags: flag.accept, stream: 0, length })
    } else if (length === this.#pings && this.#pingedAt !== 0) {
      this.#roundTripMs = performance.now() - this.#pingedAt
      this.#pingedAt = 0
    } else this.#idle()
  }

  #onGoAway({ stream, length }: FrameHeader): void {
    if (stream !== 0) throw new Violation('a go-away of a stream')
    if (length !== goAwayCode.normal) {
      this.#end('closed', `the agent has ended the session with the code ${length}`)
      return
    }
    this.#goes = true
    this.#endIfGone()
  }

  #onStreamFrame(header: FrameHeader): void {
    const { type, flags, stream: number, length } = header
    if (number === 0) throw new Violation('a frame of no stream')
    if ((flags & flag.open) !== 0) this.#onOpen(number)
    if (length === 0 && flags === 0) this.#idle()
    const stream = this.#streams.get(number)
    if (!stream) {
      this.#onLate(number)
      return
    }
    if ((flags & flag.accept) !== 0) this.#accepted(stream)
    if (type === frameType.data) {
      stream.expect(length)
      return
    }
    stream.receiveWindow(length)
    this.#onFlags(stream, flags)
  }

  #onOpen(number: number): void {
    if (number % 2 === 0) throw new Violation('a stream with a number that is ours to give')
    if (this.#control) throw new Violation('a second stream')
    const stream = new MuxStream(this, false)
    this.#control = stream
    stream.isAccepted = true
    this.#streams.set(number, stream)
    this.#outbox.send({ type: frameType.window, flags: flag.accept, stream: number, length: 0 })
    stream.begin(number)
    this.#options.onStream(stream)
  }

  /** What the other end has sent before it heard that a stream is over. */
  #onLate(number: number): void {
    const known = number % 2 === 0 ? number < this.#next : number === this.#control?.number
    if (!known) throw new Violation('a stream that nobody has opened')
  }

  #onFlags(stream: MuxStream, flags: number): void {
    if ((flags & (flag.end | flag.reset)) === 0) return
    if (this.#lingering.has(stream)) this.#forget(stream)
    else if ((flags & flag.reset) !== 0) stream.receiveReset()
    else stream.receiveEnd()
  }

  /** A frame that says nothing, or asks for an answer. */
  #idle(): void {
    if (!this.#idleFrames.take('', performance.now())) throw new Violation('too many frames that say nothing')
  }

  // Life and death.

  /** Counts its own calls and not the time, so that a process that was suspended does not take its agents for dead. */
  readonly #tick = (): void => {
    const { deadPeerMs, idleMs, waitingMs, lingerMs } = this.#options.limits
    this.#silentTicks = this.#heard ? 0 : this.#silentTicks + 1
    this.#idleTicks = this.#moved ? 0 : this.#idleTicks + 1
    this.#heard = false
    this.#moved = false
    if (this.#silentTicks >= ticksPerDeadPeer - 1) this.#end('lost', `the agent has been silent for ${deadPeerMs} ms`)
    else if (this.#idleTicks >= (idleMs / deadPeerMs) * ticksPerDeadPeer)
      this.close('lost', `the agent has sent no heartbeat for ${idleMs} ms`)
    if (this.#state !== 'open') return
    const now = performance.now()
    for (const stream of this.#waiting)
      if (now - stream.since > waitingMs)
        stream.destroy(new LinkError('limit', 'the agent has as many requests as it takes at once'))
    for (const stream of [...this.#lingering]) {
      if (now - stream.since <= lingerMs) continue
      this.tell(stream, flag.reset, 0)
      this.#forget(stream)
    }
    this.#ping()
  }

  #ping(): void {
    this.#pings = (this.#pings + 1) % 2 ** 32
    this.#pingedAt = performance.now()
    this.#outbox.send({ type: frameType.ping, flags: flag.open, stream: 0, length: this.#pings })
  }

  /** The connection is of no use any more. */
  #end(code: LinkErrorCode, reason: string): void {
    if (this.#state === 'gone') return
    const before = this.#state
    this.#state = 'gone'
    this.#parser.stop()
    if (this.#closeTimer) clearTimeout(this.#closeTimer)
    this.#options.duplex.destroy()
    if (before === 'open') this.#over({ code, reason })
  }

  #over(end: LinkEnd): void {
    if (this.#ticker) clearInterval(this.#ticker)
    this.#ticker = null
    this.#outbox.close(null)
    const error = new LinkError('lost', end.reason)
    for (const stream of [...this.#waiting, ...this.#streams.values()]) stream.abandon(error)
    this.#options.onEnd(end)
  }
}

/** What a frame costs beside its bytes, in bytes that are read in as much time: a microsecond. */
const frameCostBytes = 256
/** Four looks in `deadPeerMs`, of which three without a sound mean death: noticed between 3/4 and all of it. */
const ticksPerDeadPeer = 4
const roundTripGuessMs = 50
/** The largest even number that a frame has room for. */
const lastNumber = 2 ** 32 - 2
