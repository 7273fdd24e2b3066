import { Violation } from '../wire.ts'
import type { SealedPathLimits } from './limits.ts'
import { Packets } from './packets.ts'
import type { DatagramPath, PathHost } from './path.ts'
import { datagramRoom, type PathNews, packetBytesBase, packetBytesMax } from './sealed-wire.ts'
import type { Ticker } from './ticker.ts'

export interface Address {
  address: string
  port: number
}

export interface AcceptedPathOptions {
  session: number
  secret: Buffer
  host: PathHost
  limits: SealedPathLimits
  ticker: Ticker
  send(packet: Buffer, to: Address): void
  onClose(): void
}

/**
 * The accepting end of a sealed path. It answers pings, and believes them: it uses the path while the dialling end says that
 * it works, and sends to where the newest genuine packet came from, so that a router that changes the dialler's port changes
 * nothing. Before the first one it sends nothing to anybody.
 */
export class AcceptedPath implements DatagramPath {
  readonly #options: AcceptedPathOptions
  readonly #packets: Packets
  #remote: Address | null = null
  #up = false
  #heardPingAt = 0
  #sentAt = Number.NEGATIVE_INFINITY
  /** When the use that still goes on began. */
  #inUseSince = 0

  constructor(options: AcceptedPathOptions) {
    const { session, secret, host, limits, ticker } = options
    this.#options = options
    this.#packets = new Packets({
      side: 'accepts',
      session,
      secret,
      limits,
      ticker,
      sink: {
        datagram: (stream, payload) => host.arrived(stream, payload),
        ping: (news, packetBytes) => this.#answer(news, packetBytes),
        pong: () => undefined, // this end asks nothing
        send: (packet) => {
          if (this.#remote) options.send(packet, this.#remote)
        },
      },
    })
  }

  carries(bytes: number): boolean {
    return this.#up && bytes <= datagramRoom(this.#packets.packetBytes)
  }

  add(stream: number, payload: Uint8Array): void {
    this.noteUse()
    this.#packets.add(stream, payload)
  }

  noteUse(): void {
    const now = this.#options.ticker.now()
    if (now - this.#sentAt >= this.#options.limits.activeMs) this.#inUseSince = now
    this.#sentAt = now
  }

  close(): void {
    this.#up = false
    this.#packets.close()
    this.#options.onClose()
  }

  /** A packet that claims to belong to this path. It costs one try to open it, and no answer unless it is genuine. */
  receive(packet: Buffer, from: Address): void {
    const expected = from.port === this.#remote?.port && from.address === this.#remote.address
    const opened = this.#packets.open(packet, expected)
    if (!opened) return
    if (opened.newest && !expected) this.#remote = { address: from.address, port: from.port }
    try {
      this.#packets.deliver(opened.plain)
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      this.#options.host.violated(error.message)
    }
  }

  tick(now: number): void {
    const { activeMs, silentMs, idlePingMs, unansweredPingsMax } = this.#options.limits
    this.#packets.tick()
    if (!this.#up) return
    const used = now - this.#sentAt < activeMs
    const silent = used
      ? now - Math.max(this.#heardPingAt, this.#inUseSince) >= silentMs
      : now - this.#heardPingAt >= idlePingMs * unansweredPingsMax
    if (silent) this.#turn(false)
  }

  #answer(news: PathNews, packetBytes: number): void {
    const { host, ticker } = this.#options
    this.#heardPingAt = ticker.now()
    this.#packets.packetBytes = Math.min(packetBytesMax, Math.max(packetBytesBase, news.size))
    host.heardOfStreams(news.knows)
    this.#turn(news.up)
    // As large as the question: what got here is to get back, too.
    this.#packets.sendNews(
      'pong',
      {
        token: news.token,
        up: news.up,
        knows: host.newestRemoteStream,
        epoch: this.#packets.heardEpoch,
        size: this.#packets.packetBytes,
      },
      packetBytes,
    )
  }

  #turn(up: boolean): void {
    if (this.#up === up) return
    this.#up = up
    this.#options.host.pathChanged(up)
  }
}
