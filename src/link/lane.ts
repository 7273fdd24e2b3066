import { performance } from 'node:perf_hooks'
import { buffersPassed } from '../lib/garbage.ts'
import { Budget, type Flight } from './budget.ts'
import type { Channel } from './channel.ts'
import type { LinkLimits } from './limits.ts'
import type { LinkErrorCode } from './link.ts'
import { FrameParser, type FrameSink } from './parser.ts'
import { giveStaging, stagingBytes, takeStaging } from './staging.ts'
import { type DataSource, Turns } from './turns.ts'
import {
  encodeFrame,
  encodeReason,
  encodeReceived,
  type FrameType,
  frameType,
  headerBytes,
  pingBytes,
  preface,
  receivedBytes,
  Violation,
} from './wire.ts'

/** What a lane reports to whoever owns it: frames, and its end. Ping, pong and received stay in the lane. */
export interface LaneSink extends FrameSink {
  /** The connection broke, fell silent, or the peer broke a rule. Called at most once; not after `close` or `destroy`. */
  broken(code: LinkErrorCode, reason: string): void
  /** So many bytes were read, and what was in them has been passed on. */
  read?(bytes: number): void
}

/**
 * One connection of a link: it cuts what arrives into frames and gathers what leaves. All frames of a tick leave in one
 * write; control frames go first, then streams that carry little, then bulk as far as the link's budget allows; they take turns,
 * one frame each, and no more than two writes are ever waiting in the connection, so that a bulk stream puts at most those in
 * front of a small one.
 */
export class Lane {
  readonly remoteAddress: string
  /** Round trip in milliseconds as last measured, including what was queued before the ping. */
  roundTripMs = roundTripGuessMs
  /** Who hears of frames: the handshake, then the session. */
  sink: LaneSink
  readonly #duplex: Channel['duplex']
  readonly #limits: LinkLimits
  readonly #parser: FrameParser
  #state: 'open' | 'closing' | 'gone' = 'open'

  readonly #control: Buffer[] = []
  #controlBytes = 0
  readonly #small = new Turns()
  readonly #bulk = new Turns()
  #budget = new Budget()
  readonly #flight: Flight = { bytes: 0 }
  #receivedOwed = 0
  #receivedTimer: NodeJS.Timeout | null = null
  #flushPlanned = false
  #flushing = false
  #writes = 0
  #batchBytes = batchBytesMin
  #pongOwed: Buffer | null = null

  #heard = false
  #silentTicks = 0
  #moved = false
  #stalledTicks = 0
  #pinged: Buffer | null = null
  #pingedAt = 0
  #ticker: NodeJS.Timeout | null = null
  #closeTimer: NodeJS.Timeout | null = null

  /** @param side the dialling side sends the preface, the accepting side expects it. */
  constructor(channel: Channel, side: 'dials' | 'accepts', limits: LinkLimits, sink: LaneSink) {
    this.remoteAddress = channel.remoteAddress
    this.sink = sink
    this.#limits = limits
    this.#duplex = channel.duplex
    this.#parser = new FrameParser(side === 'accepts')
    if (side === 'dials') this.control(preface)
    channel.duplex.on('data', this.#receive)
    channel.duplex.once('end', () => this.#break('lost', 'the other end has closed the connection'))
    channel.duplex.on('error', (error: Error) => this.#break('lost', `the connection broke: ${error.message}`))
    channel.duplex.once('close', () => {
      this.#break('lost', 'the connection broke')
      this.destroy()
    })
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Bytes of data on their way here. */
  get inFlight(): number {
    return this.#flight.bytes
  }

  /**
   * Hands the lane to a session: frames go to `sink`, bulk keeps to `budget`, and the peer is watched: pinged, and reported
   * `lost` when it says or reads nothing.
   */
  start(sink: LaneSink, budget: Budget): void {
    if (this.#state !== 'open') return
    this.sink = sink
    this.#budget = budget
    this.#ticker ??= setInterval(this.#tick, this.#limits.deadPeerMs / ticksPerDeadPeer)
    this.#ping()
  }

  /** Stops reading for a moment: a peer that is not read for `deadPeerMs` counts as silent. */
  pause(): void {
    this.#duplex.pause()
  }

  resume(): void {
    this.#duplex.resume()
  }

  /** Queues an encoded frame ahead of all data. */
  control(frame: Buffer): void {
    if (this.#state !== 'open') return
    this.#control.push(frame)
    this.#controlBytes += frame.length
    if (this.#controlBytes > this.#limits.queuedBytesMax) {
      this.#break(
        'limit',
        `more than ${this.#limits.queuedBytesMax} bytes wait to be sent: the other end reads too slowly`,
      )
      return
    }
    this.#planFlush()
  }

  /** `source` has something to send: it gets its turn. */
  ready(source: DataSource): void {
    if (this.#state !== 'open' || source.isReady) return
    if (source.isBulk) this.#bulk.add(source)
    else this.#small.add(source)
    this.#planFlush()
  }

  /** Says why, lets the peer read it, and ends the connection. What else was queued still leaves, data does not. Idempotent. */
  close(type: typeof frameType.close | typeof frameType.refuse, code: LinkErrorCode, reason: string): void {
    if (this.#state !== 'open') return
    this.#control.push(encodeReason(type, 0, code, reason))
    this.finish()
  }

  /** Lets what is queued leave, data excepted, and ends the connection. Idempotent. */
  finish(): void {
    if (this.#state !== 'open') return
    for (const frame of this.#control.splice(0)) this.#duplex.write(frame)
    this.#duplex.end()
    this.abandon()
  }

  /** Neither sends nor hears anything any more, and lets the peer end the connection. Idempotent. */
  abandon(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#stop()
    // What still arrives is read and dropped: closing with unread bytes would make the kernel take back our last frame.
    this.#closeTimer = setTimeout(() => this.destroy(), this.#limits.closeMs)
    this.#duplex.once('end', () => this.destroy())
  }

  /** Cuts the connection at once. Idempotent. */
  destroy(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#stop()
    if (this.#closeTimer) clearTimeout(this.#closeTimer)
    this.#duplex.destroy()
  }

  readonly #receive = (chunk: Buffer): void => {
    if (this.#state !== 'open') return
    this.#heard = true
    buffersPassed(chunk.length)
    try {
      this.#parser.push(chunk, this.#frames)
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      this.#break('protocol', error.message)
      return
    }
    this.sink.read?.(chunk.length)
  }

  readonly #frames: FrameSink = {
    header: (type, stream, length) => {
      if (type === frameType.received && stream === 0 && length === receivedBytes) return
      this.sink.header(type, stream, length)
      if (type === frameType.data) this.#oweReceived(headerBytes)
    },
    data: (stream, piece) => {
      this.#oweReceived(piece.length)
      this.sink.data(stream, piece)
    },
    frame: (type: FrameType, stream: number, payload: Buffer): void => {
      if (type === frameType.ping) {
        // Only the latest is answered: a peer that pings and does not read must not make us remember its pings.
        this.#pongOwed = payload
        this.#planFlush()
      } else if (type === frameType.pong) {
        if (this.#pinged?.equals(payload)) this.roundTripMs = performance.now() - this.#pingedAt
      } else if (type === frameType.received) {
        this.#budget.received(this.#flight, payload.readUInt32BE(0))
      } else {
        if (type === frameType.datagram) this.#oweReceived(headerBytes + payload.length)
        this.sink.frame(type, stream, payload)
      }
    },
  }

  #break(code: LinkErrorCode, reason: string): void {
    if (this.#state !== 'open') return
    this.#parser.stop()
    this.sink.broken(code, reason)
  }

  /** The other end is told soon, with whatever leaves next, so that it knows what is on its way. */
  #oweReceived(bytes: number): void {
    this.#receivedOwed += bytes
    this.#receivedTimer ??= setTimeout(this.#payReceived, receivedDelayMs)
  }

  readonly #payReceived = (): void => {
    this.#receivedTimer = null
    if (this.#receivedOwed > 0) this.#planFlush()
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#flushing || this.#writes >= writesMax) return
    this.#flushPlanned = true
    // Not nextTick: an immediate runs after all sockets of this turn of the event loop were read, and gathers all of them.
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#flushPlanned = false
    this.#flushing = true
    while (this.#state === 'open' && this.#writes < writesMax && this.#writeSome()) {}
    this.#flushing = false
  }

  /** One write of what waits; false when nothing does, or nothing may leave. */
  #writeSome(): boolean {
    this.#answer()
    const first = this.#control[0]
    if (first === undefined && this.#small.isEmpty && this.#bulk.isEmpty) return false
    if (first !== undefined && first.length > stagingBytes) {
      this.#control.shift()
      this.#controlBytes -= first.length
      this.#write(first, null)
      return true
    }
    const staging = takeStaging()
    const length = this.#gather(staging)
    if (this.#state !== 'open') {
      giveStaging(staging)
      return false
    }
    if (length > copyBelowBytes) {
      this.#write(staging.subarray(0, length), staging)
      return true
    }
    const small = Buffer.allocUnsafe(length)
    staging.copy(small, 0, 0, length)
    giveStaging(staging)
    if (length > 0) this.#write(small, null)
    return length > 0
  }

  /** Queues what the peer is owed: kept until now because only the latest counts. */
  #answer(): void {
    const frames = this.#control.length
    if (this.#pongOwed) this.#control.push(encodeFrame(frameType.pong, 0, this.#pongOwed))
    this.#pongOwed = null
    if (this.#receivedOwed > 0) this.#control.push(encodeReceived(this.#receivedOwed))
    this.#receivedOwed = 0
    for (const frame of this.#control.slice(frames)) this.#controlBytes += frame.length
  }

  #gather(staging: Buffer): number {
    let at = 0
    let taken = 0
    for (const frame of this.#control) {
      if (at + frame.length > stagingBytes) break
      at += frame.copy(staging, at)
      taken += 1
    }
    if (taken === this.#control.length) this.#control.length = 0
    else this.#control.splice(0, taken)
    this.#controlBytes -= at
    if (this.#control.length > 0) return at
    const end = Math.max(at, this.#batchBytes)
    // Bulk has a turn in every write in which it may have one, however much else there is.
    const bulkMay = !this.#bulk.isEmpty && this.#budget.admits(this.#flight, this.#wake)
    at = this.#fill(this.#small, staging, at, bulkMay ? end - bulkTurnBytes : end)
    return this.#fill(this.#bulk, staging, at, end)
  }

  #fill(turns: Turns, staging: Buffer, from: number, end: number): number {
    let at = from
    while (!turns.isEmpty && end - at >= headerBytes + frameRoomBytesMin) {
      if (turns === this.#bulk && !this.#budget.admits(this.#flight, this.#wake)) break
      const source = turns.take()
      if (source === null) break
      const began = at
      at = source.fill(staging, at, end)
      if (this.#state !== 'open') break // filling has told a writer that it is done, and that writer has closed the link
      this.#budget.sent(this.#flight, at - began)
      if (source.sendable) this.ready(source)
      if (at === began) break // what it has is larger than the room that is left: the next write has it
    }
    return at
  }

  readonly #wake = (): void => {
    if (this.#state === 'open') this.#planFlush()
  }

  #write(bytes: Buffer, staging: Buffer | null): void {
    this.#writes += 1
    buffersPassed(bytes.length)
    const begun = performance.now()
    this.#duplex.write(bytes, (error) => {
      if (staging) giveStaging(staging)
      this.#writes -= 1
      this.#moved = true
      if (error || this.#state !== 'open') return
      const tookMs = performance.now() - begun
      if (tookMs < quickWriteMs) this.#batchBytes = Math.min(stagingBytes, this.#batchBytes * 2)
      else if (tookMs > slowWriteMs) this.#batchBytes = Math.max(batchBytesMin, this.#batchBytes / 2)
      if (this.#waits) this.#planFlush()
    })
  }

  get #waits(): boolean {
    if (this.#control.length > 0 || !this.#small.isEmpty || !this.#bulk.isEmpty || this.#pongOwed !== null) return true
    return this.#receivedOwed > 0 && this.#receivedTimer === null
  }

  #ping(): void {
    this.#pinged = Buffer.allocUnsafe(pingBytes)
    this.#pingedAt = performance.now()
    this.#pinged.writeDoubleBE(this.#pingedAt)
    this.control(encodeFrame(frameType.ping, 0, this.#pinged))
  }

  /** Counts its own calls and not the time, so that a process that was suspended does not take its peers for dead. */
  readonly #tick = (): void => {
    this.#silentTicks = this.#heard ? 0 : this.#silentTicks + 1
    this.#stalledTicks = this.#moved || this.#writes === 0 ? 0 : this.#stalledTicks + 1
    this.#heard = false
    this.#moved = false
    if (this.#silentTicks >= ticksPerDeadPeer - 1) {
      this.#break('lost', `the other end has been silent for ${this.#limits.deadPeerMs} ms`)
    } else if (this.#stalledTicks >= (this.#limits.stalledWriteMs / this.#limits.deadPeerMs) * ticksPerDeadPeer) {
      this.#break('lost', `the other end has read nothing for ${this.#limits.stalledWriteMs} ms`)
    } else if (this.#writes < writesMax) {
      this.#ping()
    }
  }

  #stop(): void {
    this.#parser.stop()
    this.#budget.drop(this.#flight)
    if (this.#ticker) clearInterval(this.#ticker)
    this.#ticker = null
    if (this.#receivedTimer) clearTimeout(this.#receivedTimer)
    this.#receivedTimer = null
    this.#control.length = 0
    this.#small.clear()
    this.#bulk.clear()
  }
}

/** Writes handed to the connection and not yet taken by the kernel: one on its way, one to follow it without a pause. */
const writesMax = 2
/**
 * The size of a write adapts between this and `stagingBytes`: a slow network must not hold a quarter of a megabyte in front of a
 * small frame. Not lower, because writes also take long on a busy machine, which small ones would keep busier still.
 */
const batchBytesMin = 64 * 1024
const quickWriteMs = 50
const slowWriteMs = 250
/** Up to here a write is copied out of the staging buffer, so that slow links do not hold one each. */
const copyBelowBytes = 32 * 1024
/** With less room than this left in a write, a stream waits for the next one instead of sending a crumb. */
const frameRoomBytesMin = 1024
/** Kept free for bulk in a write that small streams could fill. */
const bulkTurnBytes = 16 * 1024
/** Often enough to measure a round trip, seldom enough to cost nothing beside a gigabyte a second. */
const receivedDelayMs = 5
/** Four looks in `deadPeerMs`, of which three without a sound mean death: noticed between 3/4 and all of it. */
const ticksPerDeadPeer = 4
const roundTripGuessMs = 50
