import { performance } from 'node:perf_hooks'
import type { Channel } from './channel.ts'
import type { LinkLimits } from './limits.ts'
import type { LinkErrorCode } from './link.ts'
import { FrameParser, type FrameSink } from './parser.ts'
import { giveStaging, stagingBytes, takeStaging } from './staging.ts'
import {
  encodeFrame,
  encodeReason,
  type FrameType,
  frameType,
  headerBytes,
  pingBytes,
  preface,
  Violation,
} from './wire.ts'

/** What a lane reports to whoever owns it: frames, and its end. Ping and pong stay in the lane. */
export interface LaneSink extends FrameSink {
  /** The connection broke, fell silent, or the peer broke a rule. Called at most once; not after `close` or `destroy`. */
  broken(code: LinkErrorCode, reason: string): void
}

/** Something with bytes to send: a stream. */
export interface DataSource {
  /** True when `fill` would write something now. */
  readonly sendable: boolean
  /**
   * Writes one turn's frames into `target` from `at` on; answers where they ended. At `end` it should be done, and must
   * be at the end of `target`: only a frame that cannot be cut goes beyond `end`.
   */
  fill(target: Buffer, at: number, end: number): number
  /** Links the sources that wait for their turn; the lane's own. */
  nextReady: DataSource | null
  isReady: boolean
}

/**
 * One connection of a link: it cuts what arrives into frames and gathers what leaves. All frames of a tick leave in one
 * write; control frames go first; streams with data take turns, one frame each, and no more than two writes are ever
 * waiting in the connection, so that a bulk stream puts at most those in front of a small one.
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
  #firstReady: DataSource | null = null
  #lastReady: DataSource | null = null
  #flushPlanned = false
  #writes = 0
  #batchBytes = batchBytesFirst
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

  /** Starts to watch the peer: pings it, and reports it `lost` when it says or reads nothing. */
  watch(): void {
    this.#ticker ??= setInterval(this.#tick, this.#limits.deadPeerMs / ticksPerDeadPeer)
    this.#ping()
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
    this.#append(source)
    this.#planFlush()
  }

  /** Says why, lets the peer read it, and ends the connection. What else was queued still leaves, data does not. Idempotent. */
  close(type: typeof frameType.close | typeof frameType.refuse, code: LinkErrorCode, reason: string): void {
    if (this.#state !== 'open') return
    this.#control.push(encodeReason(type, 0, code, reason))
    this.#state = 'closing'
    this.#stopWatching()
    this.#parser.stop()
    for (const frame of this.#control.splice(0)) this.#duplex.write(frame)
    this.#duplex.end()
    // What still arrives is read and dropped: closing with unread bytes would make the kernel take back our last frame.
    this.#closeTimer = setTimeout(() => this.destroy(), this.#limits.closeMs)
    this.#duplex.once('end', () => this.destroy())
  }

  /** Cuts the connection at once. Idempotent. */
  destroy(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#stopWatching()
    if (this.#closeTimer) clearTimeout(this.#closeTimer)
    this.#parser.stop()
    this.#control.length = 0
    this.#firstReady = null
    this.#lastReady = null
    this.#duplex.destroy()
  }

  readonly #receive = (chunk: Buffer): void => {
    if (this.#state !== 'open') return
    this.#heard = true
    try {
      this.#parser.push(chunk, this.#frames)
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      this.#break('protocol', error.message)
    }
  }

  readonly #frames: FrameSink = {
    header: (type, stream, length) => this.sink.header(type, stream, length),
    data: (stream, piece) => this.sink.data(stream, piece),
    frame: (type: FrameType, stream: number, payload: Buffer): void => {
      if (type === frameType.ping) {
        // Only the latest is answered: a peer that pings and does not read must not make us remember its pings.
        this.#pongOwed = payload
        this.#planFlush()
      } else if (type === frameType.pong) {
        if (this.#pinged?.equals(payload)) this.roundTripMs = performance.now() - this.#pingedAt
      } else {
        this.sink.frame(type, stream, payload)
      }
    },
  }

  #break(code: LinkErrorCode, reason: string): void {
    if (this.#state !== 'open') return
    this.#parser.stop()
    this.sink.broken(code, reason)
  }

  #append(source: DataSource): void {
    source.isReady = true
    source.nextReady = null
    if (this.#lastReady) this.#lastReady.nextReady = source
    else this.#firstReady = source
    this.#lastReady = source
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#writes >= writesMax) return
    this.#flushPlanned = true
    // Not nextTick: an immediate runs after all sockets of this turn of the event loop were read, and gathers all of them.
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#flushPlanned = false
    while (this.#state === 'open' && this.#writes < writesMax) {
      if (this.#pongOwed) {
        this.#control.push(encodeFrame(frameType.pong, 0, this.#pongOwed))
        this.#controlBytes += headerBytes + pingBytes
        this.#pongOwed = null
      }
      const first = this.#control[0]
      if (first === undefined && this.#firstReady === null) return
      if (first !== undefined && first.length > stagingBytes) {
        this.#control.shift()
        this.#controlBytes -= first.length
        this.#write(first, null)
        continue
      }
      const staging = takeStaging()
      const length = this.#gather(staging)
      if (length > copyBelowBytes) {
        this.#write(staging.subarray(0, length), staging)
      } else {
        const small = Buffer.allocUnsafe(length)
        staging.copy(small, 0, 0, length)
        giveStaging(staging)
        if (length === 0) return
        this.#write(small, null)
      }
    }
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
    const end = Math.max(at, this.#batchBytes)
    while (this.#firstReady !== null && this.#control.length === 0 && end - at >= headerBytes + frameRoomBytesMin) {
      const source: DataSource = this.#firstReady
      this.#firstReady = source.nextReady
      if (this.#firstReady === null) this.#lastReady = null
      source.isReady = false
      if (!source.sendable) continue
      const began = at
      at = source.fill(staging, at, end)
      if (source.sendable && !source.isReady) this.#append(source)
      if (at === began && source.isReady) break // what it has is larger than the room that is left: the next write has it
    }
    return at
  }

  #write(bytes: Buffer, staging: Buffer | null): void {
    this.#writes += 1
    const begun = performance.now()
    this.#duplex.write(bytes, (error) => {
      if (staging) giveStaging(staging)
      this.#writes -= 1
      this.#moved = true
      if (error || this.#state !== 'open') return
      const tookMs = performance.now() - begun
      if (tookMs < quickWriteMs) this.#batchBytes = Math.min(stagingBytes, this.#batchBytes * 2)
      else if (tookMs > slowWriteMs) this.#batchBytes = Math.max(batchBytesMin, this.#batchBytes / 2)
      if (this.#control.length > 0 || this.#firstReady !== null || this.#pongOwed) this.#planFlush()
    })
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

  #stopWatching(): void {
    if (this.#ticker) clearInterval(this.#ticker)
    this.#ticker = null
  }
}

/** Writes handed to the connection and not yet taken by the kernel: one on its way, one to follow it without a pause. */
const writesMax = 2
/** The size of a write adapts between these: a slow network must not hold a quarter of a megabyte in front of a small frame. */
const batchBytesMin = 16 * 1024
const batchBytesFirst = 64 * 1024
const quickWriteMs = 20
const slowWriteMs = 100
/** Up to here a write is copied out of the staging buffer, so that slow links do not hold one each. */
const copyBelowBytes = 64 * 1024
/** With less room than this left in a write, a stream waits for the next one instead of sending a crumb. */
const frameRoomBytesMin = 1024
/** Four looks in `deadPeerMs`, of which three without a sound mean death: noticed between 3/4 and all of it. */
const ticksPerDeadPeer = 4
const roundTripGuessMs = 50
