import { Violation } from '../wire.ts'
import { type Direction, type Opened, Opener, Sealer } from './keys.ts'
import type { SealedPathLimits } from './limits.ts'
import {
  decodeNews,
  encodeNews,
  type PathNews,
  packetBytesBase,
  packetBytesMax,
  packetKind,
  recordHeaderBytes,
  sealedOverheadBytes,
} from './sealed-wire.ts'
import type { Ticker } from './ticker.ts'

/** What a path does with what arrives. */
export interface PacketSink {
  datagram(stream: number, payload: Buffer): void
  ping(news: PathNews, packetBytes: number): void
  pong(news: PathNews): void
  /** A batch has become a packet, or a ping has. */
  send(packet: Buffer): void
}

export interface PacketsOptions {
  side: Direction
  session: number
  secret: Buffer
  limits: SealedPathLimits
  ticker: Ticker
  sink: PacketSink
}

/** One end of a sealed path as packets: datagrams of a tick gathered into as few as fit, sealed, opened and taken apart. */
export class Packets {
  /** The largest packet that is known to get through. */
  packetBytes = packetBytesBase
  readonly #sealer: Sealer
  readonly #opener: Opener
  readonly #limits: SealedPathLimits
  readonly #ticker: Ticker
  readonly #sink: PacketSink
  #batch: Buffer | null = null
  #batchBytes = 0
  #flushIsPlanned = false
  /** Packets that did not open since the last tick. */
  #refused = 0
  #closed = false

  constructor({ side, session, secret, limits, ticker, sink }: PacketsOptions) {
    this.#sealer = new Sealer(secret, side, session, limits, ticker.now())
    this.#opener = new Opener(secret, side === 'dials' ? 'accepts' : 'dials', limits)
    this.#limits = limits
    this.#ticker = ticker
    this.#sink = sink
  }

  /** The newest epoch of the other end that was heard of: belongs into every ping and pong. */
  get heardEpoch(): number {
    return this.#opener.epoch
  }

  /** Adds a datagram, which must have `datagramRoom`, to the packet that leaves at the end of this turn of the event loop. */
  add(stream: number, payload: Uint8Array): void {
    const need = recordHeaderBytes + payload.length
    if (this.#batch && this.#batchBytes + need > this.packetBytes - sealedOverheadBytes) this.flush()
    if (!this.#batch) {
      this.#batch = takeBatch()
      this.#batch[0] = packetKind.datagrams
      this.#batchBytes = 1
      if (!this.#flushIsPlanned) {
        this.#flushIsPlanned = true
        // Not nextTick: an immediate runs after all sockets of this turn were read, and gathers all of them.
        setImmediate(this.#flushPlanned)
      }
    }
    const at = this.#batchBytes
    this.#batch.writeUInt32BE(stream, at)
    this.#batch.writeUInt16BE(payload.length, at + 4)
    this.#batch.set(payload, at + recordHeaderBytes)
    this.#batchBytes = at + need
  }

  flush(): void {
    const batch = this.#batch
    if (!batch) return
    this.#batch = null
    if (!this.#closed) this.#sink.send(this.#sealer.seal(batch.subarray(0, this.#batchBytes), this.#ticker.now()))
    giveBatch(batch)
  }

  /** Sends a ping or a pong in a packet of at least `packetBytes`. */
  sendNews(kind: 'ping' | 'pong', news: PathNews, packetBytes: number): void {
    const plain = encodeNews(kind, news, packetBytes - sealedOverheadBytes)
    this.#sink.send(this.#sealer.seal(plain, this.#ticker.now()))
  }

  /**
   * What is in a packet; null when it is forged, damaged or repeated.
   * @param expected whether it comes from where packets of this path come from: others are the first not to be looked at.
   */
  open(packet: Buffer, expected: boolean): Opened | null {
    if (this.#closed || packet.length > packetBytesMax) return null
    const { strangePacketsMax, forgedPacketsMax } = this.#limits
    if (this.#refused >= (expected ? forgedPacketsMax : strangePacketsMax)) return null
    const opened = this.#opener.open(packet, this.#ticker.now())
    if (!opened) this.#refused += 1
    return opened
  }

  /** Hands on what `open` gave. @throws Violation for nonsense that was sealed properly. */
  deliver(plain: Buffer): void {
    switch (plain[0]) {
      case packetKind.datagrams:
        this.#deliverDatagrams(plain)
        return
      case packetKind.ping:
      case packetKind.pong: {
        const news = decodeNews(plain)
        this.#sealer.confirm(news.epoch)
        if (plain[0] === packetKind.ping) this.#sink.ping(news, plain.length + sealedOverheadBytes)
        else this.#sink.pong(news)
        return
      }
      default:
        throw new Violation(`a sealed packet of the unknown kind ${plain[0]}`)
    }
  }

  tick(): void {
    this.#refused = 0
  }

  close(): void {
    this.#closed = true
  }

  readonly #flushPlanned = (): void => {
    this.#flushIsPlanned = false
    this.flush()
  }

  #deliverDatagrams(plain: Buffer): void {
    let at = 1
    while (at < plain.length) {
      const begin = at + recordHeaderBytes
      if (begin > plain.length) throw new Violation('a datagram of the sealed path without a whole header')
      const end = begin + plain.readUInt16BE(at + 4)
      if (end > plain.length) throw new Violation('a datagram of the sealed path that is longer than its packet')
      this.#sink.datagram(plain.readUInt32BE(at), plain.subarray(begin, end))
      at = end
    }
  }
}

/** Idle batches kept, in the process: paths that send in the same turn of the event loop. */
const spareMax = 16
const spare: Buffer[] = []
const takeBatch = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(packetBytesMax)
function giveBatch(batch: Buffer): void {
  if (spare.length < spareMax) spare.push(batch)
}
