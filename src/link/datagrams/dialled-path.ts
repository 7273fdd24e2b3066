import { Violation } from '../wire.ts'
import type { SealedPathLimits } from './limits.ts'
import { Packets } from './packets.ts'
import type { DatagramPath, PathHost } from './path.ts'
import {
  datagramRoom,
  type PathNews,
  type PathOffer,
  packetBytesBase,
  packetBytesTried,
  packetBytesTriedOnLoopback,
} from './sealed-wire.ts'
import type { Ticker } from './ticker.ts'

export interface DialledPathOptions {
  offer: PathOffer
  /** The other end is this machine: larger packets are tried. */
  loopback: boolean
  host: PathHost
  limits: SealedPathLimits
  ticker: Ticker
  send(packet: Buffer): void
  onClose(): void
}

/**
 * The dialling end of a sealed path, which decides whether it works:
 *
 *     probing ──pong──▶ up ──unansweredPingsMax pings without a pong──▶ probing
 *
 * Probing, it pings ever more seldom, for ever: a path that was blocked comes back by itself. Up, it pings to notice when the
 * path dies, to keep routers from forgetting it, and now and then in a larger packet to find the path's size.
 */
export class DialledPath implements DatagramPath {
  readonly #options: DialledPathOptions
  readonly #packets: Packets
  readonly #stopTicking: () => void
  #state: 'probing' | 'up' | 'closed' = 'probing'
  #token = 0
  /** Pongs to earlier pings say nothing any more. */
  #oldestToken = 1
  #unanswered = 0
  #pingedAt = 0
  #probeWaitMs: number
  #usedAt = Number.NEGATIVE_INFINITY

  #sizesLeft: number[]
  /** The pings that try the first of them. */
  #sizeTokens: number[] = []
  #sizeRetryAt = Number.POSITIVE_INFINITY

  constructor(options: DialledPathOptions) {
    const { offer, host, limits, ticker } = options
    this.#options = options
    this.#probeWaitMs = limits.tickMs
    this.#sizesLeft = this.#allSizes()
    this.#packets = new Packets({
      side: 'dials',
      session: offer.session,
      secret: offer.secret,
      limits,
      ticker,
      sink: {
        datagram: (stream, payload) => {
          this.noteUse()
          host.arrived(stream, payload)
        },
        ping: () => undefined, // the accepting end has no reason to ask
        pong: (news) => this.#hear(news),
        send: (packet) => options.send(packet),
      },
    })
    this.#stopTicking = ticker.every(limits.tickMs, () => this.#tick())
  }

  /** Packets can be sent from here on. */
  begin(): void {
    if (this.#state === 'probing') this.#ping(packetBytesBase)
  }

  carries(bytes: number): boolean {
    return this.#state === 'up' && bytes <= datagramRoom(this.#packets.packetBytes)
  }

  add(stream: number, payload: Uint8Array): void {
    this.noteUse()
    this.#packets.add(stream, payload)
  }

  noteUse(): void {
    const now = this.#options.ticker.now()
    const idle = now - this.#usedAt >= this.#options.limits.activeMs
    this.#usedAt = now
    if (idle && this.#state === 'up') this.#pingInTurn()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#stopTicking()
    this.#packets.close()
    this.#options.onClose()
  }

  receive(packet: Buffer): void {
    const opened = this.#packets.open(packet, true)
    if (!opened) return
    try {
      this.#packets.deliver(opened.plain)
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      this.#options.host.violated(error.message)
    }
  }

  #tick(): void {
    const { limits, ticker } = this.#options
    const now = ticker.now()
    this.#packets.tick()
    if (this.#state === 'probing') {
      if (now - this.#pingedAt < this.#probeWaitMs) return
      this.#probeWaitMs = Math.min(limits.probeMsMax, this.#probeWaitMs * 2)
      this.#ping(packetBytesBase)
      return
    }
    if (this.#unanswered >= limits.unansweredPingsMax) {
      this.#turnDown()
      return
    }
    if (this.#inUse(now) || now - this.#pingedAt >= limits.idlePingMs) {
      this.#pingInTurn()
      this.#trySize(now)
    }
  }

  #inUse(now: number): boolean {
    return now - this.#usedAt < this.#options.limits.activeMs
  }

  /** In use, pings are as large as the datagrams' packets: a path that has come to lose those alone is noticed, too. */
  #pingInTurn(): void {
    this.#unanswered += 1
    this.#ping(this.#inUse(this.#options.ticker.now()) ? this.#packets.packetBytes : 0)
  }

  get #nextToken(): number {
    return (this.#token + 1) % 2 ** 32
  }

  #ping(packetBytes: number): void {
    this.#token = this.#nextToken
    this.#pingedAt = this.#options.ticker.now()
    const news: PathNews = {
      token: this.#token,
      up: this.#state === 'up',
      knows: this.#options.host.newestRemoteStream,
      epoch: this.#packets.heardEpoch,
      size: this.#packets.packetBytes,
    }
    this.#packets.sendNews('ping', news, packetBytes)
  }

  #hear(news: PathNews): void {
    if (news.token < this.#oldestToken || news.token > this.#token) return
    this.#options.host.heardOfStreams(news.knows)
    if (this.#sizeTokens.includes(news.token)) {
      this.#packets.packetBytes = this.#sizesLeft.shift() ?? packetBytesBase
      this.#sizeTokens = []
    } else {
      this.#unanswered = 0
    }
    if (this.#state !== 'probing') return
    this.#state = 'up'
    this.#options.host.pathChanged(true)
    // The accepting end may use the path from here on, and is told so at once.
    this.#pingInTurn()
  }

  #turnDown(): void {
    const { limits, host } = this.#options
    this.#state = 'probing'
    this.#probeWaitMs = limits.tickMs
    this.#unanswered = 0
    this.#oldestToken = this.#nextToken
    this.#packets.packetBytes = packetBytesBase
    this.#sizesLeft = this.#allSizes()
    this.#sizeTokens = []
    this.#sizeRetryAt = Number.POSITIVE_INFINITY
    host.pathChanged(false)
    // So that the accepting end stops using the path as well, where only its own direction still works.
    this.#ping(packetBytesBase)
  }

  /** Pings in a packet of the next larger size, unless all were tried. */
  #trySize(now: number): void {
    const { limits } = this.#options
    if (now >= this.#sizeRetryAt) {
      this.#sizeRetryAt = Number.POSITIVE_INFINITY
      this.#sizesLeft = this.#allSizes().filter((bytes) => bytes > this.#packets.packetBytes)
    }
    const bytes = this.#sizesLeft[0]
    if (bytes === undefined) return
    if (this.#sizeTokens.length >= limits.sizeTries) {
      this.#sizesLeft = []
      this.#sizeTokens = []
      this.#sizeRetryAt = now + limits.sizeRetryMs
      return
    }
    this.#sizeTokens.push(this.#nextToken)
    this.#ping(bytes)
  }

  #allSizes(): number[] {
    return [...(this.#options.loopback ? packetBytesTriedOnLoopback : packetBytesTried)]
  }
}
