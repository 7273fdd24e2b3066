import { newShortId } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import { Budget } from './budget.ts'
import { type Connection, Connections, type ConnectionsHost, type Further } from './connections.ts'
import { type CarrierHost, DatagramCarrier, type PathRole } from './datagrams/carrier.ts'
import { pathOfferBytes, pathOfferBytesMax } from './datagrams/sealed-wire.ts'
import type { Lane } from './lane.ts'
import type { LinkLimits } from './limits.ts'
import {
  type DatagramState,
  type Link,
  type LinkEnd,
  LinkError,
  type LinkErrorCode,
  type LinkEvents,
  type LinkStream,
} from './link.ts'
import { SessionStream, type StreamHost } from './stream.ts'
import {
  connectionNumberBytes,
  dataBytesMax,
  datagramBytesMax,
  decodeJson,
  decodeReason,
  encodeFrame,
  encodeJson,
  encodeMove,
  encodeReason,
  encodeWindow,
  type FrameType,
  frameType,
  joinSecretBytes,
  pingBytes,
  reasonBytesMax,
  receivedBytes,
  streamNumberMax,
  Violation,
  windowBytes,
} from './wire.ts'

export interface SessionOptions {
  lane: Lane
  side: 'dials' | 'accepts'
  /** How this link comes to further connections. */
  further(connections: Connections): Further
  greeting: unknown
  events: LinkEvents
  limits: LinkLimits
  log: Log
  /** Whether datagrams may have a path of their own. */
  path: PathRole | null
}

/** A link after its handshake: the streams and messages of both ends, over its connections. */
export class Session implements Link, ConnectionsHost, StreamHost, CarrierHost {
  readonly id = newShortId()
  readonly greeting: unknown
  readonly remoteAddress: string
  readonly closed: Promise<LinkEnd>
  readonly interactive: Connection
  readonly #lane: Lane
  readonly #connections: Connections
  readonly #further: Further
  readonly #events: LinkEvents
  readonly #limits: LinkLimits
  readonly #log: Log
  readonly #streams = new Map<number, SessionStream>()
  readonly #numbers: { nextLocal: number; lastRemote: number }
  readonly #remoteIsOdd: boolean
  readonly #datagrams: DatagramCarrier
  #arrived: SessionStream[] = []
  #localCount = 0
  #remoteCount = 0
  #unreadCost = 0
  #grownBytes = 0
  #draining = false
  #end: LinkEnd | null = null
  #resolveClosed: (end: LinkEnd) => void = () => undefined

  constructor(options: SessionOptions) {
    this.greeting = options.greeting
    this.remoteAddress = options.lane.remoteAddress
    this.#lane = options.lane
    this.#events = options.events
    this.#limits = options.limits
    this.#log = options.log
    this.#remoteIsOdd = options.side === 'accepts'
    this.#numbers = this.#remoteIsOdd ? { nextLocal: 2, lastRemote: -1 } : { nextLocal: 1, lastRemote: 0 }
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    const { lane, side, limits, log, path } = options
    this.#connections = new Connections(lane, this, new Budget(), limits)
    this.#further = options.further(this.#connections)
    this.interactive = this.#connections.interactive
    this.#datagrams = new DatagramCarrier({ lane, side, limits, log, path, host: this })
  }

  // Link.

  get streamCount(): number {
    return this.#streams.size
  }

  get draining(): boolean {
    return this.#draining
  }

  get datagrams(): DatagramState {
    return this.#datagrams.state
  }

  open(head: unknown): LinkStream {
    const number = this.#numbers.nextLocal
    const stream = new SessionStream(this, number, false, this.#limits.windowBytesMax)
    try {
      this.#refuseToOpen(number)
      const frame = encodeJson(frameType.open, number, head, this.#limits.headBytesMax)
      this.#numbers.nextLocal += 2
      this.#add(stream)
      this.#localCount += 1
      this.#lane.control(frame)
    } catch (error) {
      stream.receiveReset(
        error instanceof LinkError ? error : new LinkError('limit', 'the head of a stream must have a JSON form'),
      )
    }
    return stream
  }

  send(message: unknown): void {
    if (this.#end) return
    this.#lane.control(encodeJson(frameType.message, 0, message, this.#limits.messageBytesMax))
  }

  drain(): void {
    this.#lane.control(encodeFrame(frameType.drain, 0))
  }

  close(reason: string, code: LinkErrorCode = 'closed'): void {
    if (this.#end) return
    this.#connections.close(code, reason)
    this.#finish({ code, reason })
  }

  // From the connections.

  header(on: Connection, type: FrameType, stream: number, length: number): void {
    const { of, most, least, where } = shapes[type]
    if (where !== undefined && (where === 'first') !== (on.number === 0)) {
      throw new Violation(`a frame of type ${type} on connection ${on.number}`)
    }
    if (on.retiredThere && of === 'stream') throw new Violation('a frame on a connection that was retired')
    const longest =
      type === frameType.open
        ? this.#limits.headBytesMax
        : type === frameType.message
          ? this.#limits.messageBytesMax
          : most
    if ((of === 'stream') !== (stream !== 0)) throw new Violation(`frame type ${type} on stream ${stream}`)
    if (length < least || length > longest) throw new Violation(`a frame of type ${type} with ${length} bytes`)
    if (of === 'handshake') throw new Violation(`a handshake frame (type ${type}) after the handshake`)
    if (type !== frameType.open && of === 'stream' && !this.#everOpened(stream)) {
      throw new Violation(`frame type ${type} on stream ${stream}, which was never opened`)
    }
  }

  data(on: Connection, number: number, piece: Buffer): void {
    // A stream that is gone here may still be sent to: the peer has not read our reset yet.
    this.#streams.get(number)?.receive(piece, on)
  }

  frame(on: Connection, type: FrameType, number: number, payload: Buffer): void {
    const stream = this.#streams.get(number)
    switch (type) {
      case frameType.open:
        this.#accept(number, decodeJson(payload))
        return
      case frameType.window:
        stream?.receiveWindow(payload.readUInt32BE(0))
        return
      case frameType.end:
        stream?.receiveEnd(on)
        return
      case frameType.reset: {
        const { code, reason } = decodeReason(payload)
        stream?.receiveReset(new LinkError(code, reason))
        return
      }
      case frameType.message:
        this.#receiveMessage(decodeJson(payload))
        return
      case frameType.drain:
        this.#draining = true
        return
      case frameType.close: {
        const end = decodeReason(payload)
        this.#connections.close('closed', 'as asked')
        this.#finish(end)
        return
      }
      case frameType.wish:
        this.#further.wished()
        return
      case frameType.invite:
        this.#further.invited(payload.readUInt32BE(0), payload.subarray(connectionNumberBytes))
        return
      case frameType.move:
        this.#moved(on, stream, payload.readUInt32BE(0))
        return
      case frameType.retire:
        this.#connections.retiredThere(on)
        return
      case frameType.datagram:
        this.#datagrams.receive(number, payload)
        return
      case frameType.path:
        this.#datagrams.take(payload)
        return
      case frameType.hello:
      case frameType.welcome:
      case frameType.refuse:
      case frameType.data:
      case frameType.ping:
      case frameType.pong:
      case frameType.join:
      case frameType.received:
        return // `header` has refused the first three; the others never reach this
    }
  }

  read(on: Lane, bytes: number): void {
    this.#events.onRead?.(bytes, on)
  }

  broken(code: LinkErrorCode, reason: string): void {
    if (this.#end) return
    if (code === 'lost') this.#connections.destroy()
    else this.#connections.close(code, reason)
    this.#finish({ code, reason })
  }

  lost(connection: Connection): void {
    for (const stream of [...this.#streams.values()]) {
      if (stream.uses(connection))
        stream.destroy(new LinkError('lost', 'the connection that carried this stream broke'))
    }
  }

  leave(connection: Connection): void {
    for (const stream of this.#streams.values()) {
      // One that waits for its turn there has it, and moves with the next.
      if (stream.sending === connection && !stream.isReady) this.#move(stream, this.interactive)
    }
  }

  look(): void {
    for (const stream of this.#streams.values()) {
      if (stream.sending === this.interactive || stream.isReady || stream.writableEnded) continue
      stream.pace.settle()
      if (!stream.isBulk) this.#move(stream, this.interactive)
    }
  }

  // From the streams.

  get roundTripMs(): number {
    return this.#lane.roundTripMs
  }

  arrived(stream: SessionStream): void {
    this.#arrived.push(stream)
    if (this.#arrived.length === 1) setImmediate(this.#deliver)
  }

  ready(stream: SessionStream): void {
    if (stream.isReady || !this.#streams.has(stream.number)) return
    this.#place(stream)
    stream.sending.lane?.ready(stream)
  }

  sendEnd(stream: SessionStream): void {
    if (this.#streams.has(stream.number)) this.#laneOf(stream).control(encodeFrame(frameType.end, stream.number))
  }

  sendWindow(stream: SessionStream, bytes: number): void {
    if (this.#streams.has(stream.number)) this.#lane.control(encodeWindow(stream.number, bytes))
  }

  sendDatagram(stream: SessionStream, payload: Uint8Array): void {
    if (this.#streams.has(stream.number)) this.#datagrams.send(stream.number, payload)
  }

  mayGrow(bytes: number): boolean {
    if (this.#grownBytes + bytes > this.#limits.windowGrowthBytesMax) return false
    this.#grownBytes += bytes
    return true
  }

  unreadChanged(stream: SessionStream, difference: number): void {
    if (!this.#streams.has(stream.number)) return
    this.#unreadCost += difference
    if (this.#unreadCost <= this.#limits.unreadBytesMax) return
    const fullest = [...this.#streams.values()].reduce(
      (most, other) => (other.unreadCost > most.unreadCost ? other : most),
      stream,
    )
    fullest.destroy(
      new LinkError('limit', 'too much data waits on this link, most of it on this stream, and nobody reads it'),
    )
  }

  gone(stream: SessionStream, reset: LinkError | null): void {
    if (!this.#streams.delete(stream.number)) return
    if (this.isRemote(stream.number)) this.#remoteCount -= 1
    else this.#localCount -= 1
    this.#unreadCost -= stream.unreadCost
    this.#grownBytes -= stream.grownBytes
    this.#datagrams.forget(stream.number)
    stream.receiving.receivers -= 1
    stream.sending.senders -= 1
    this.#connections.released(stream.sending)
    if (reset) this.#laneOf(stream).control(encodeReason(frameType.reset, stream.number, reset.code, reset.message))
  }

  /** Chooses the connection for what this stream sends next. */
  #place(stream: SessionStream): void {
    stream.pace.settle()
    const { sending } = stream
    if (!stream.isBulk || sending.retired || sending.retiredThere) this.#move(stream, this.interactive)
    else if (sending === this.interactive && stream.isKnownThere) {
      const to = this.#connections.forBulk(this.#further, stream.awaitsConnection)
      stream.awaitsConnection = to === null
      if (to) this.#move(stream, to)
    }
  }

  #move(stream: SessionStream, to: Connection): void {
    const from = stream.sending
    if (from === to) return
    from.lane?.control(encodeMove(stream.number, to.number))
    stream.sending = to
    from.senders -= 1
    to.senders += 1
    this.#connections.released(from)
  }

  /** Where what follows the data of a stream is sent, so that it does not overtake it. */
  #laneOf({ sending }: SessionStream): Lane {
    return sending.lane?.isOpen ? sending.lane : this.#lane
  }

  #moved(on: Connection, stream: SessionStream | undefined, number: number): void {
    const to = this.#connections.named(number)
    if (to === null) stream?.destroy(new LinkError('lost', 'the connection that carried this stream broke'))
    else stream?.receiveMove(on, to)
  }

  #add(stream: SessionStream): void {
    this.#streams.set(stream.number, stream)
    stream.sending.senders += 1
    stream.receiving.receivers += 1
  }

  // From the carrier of datagrams.

  get newestRemoteStream(): number {
    return Math.max(0, this.#numbers.lastRemote)
  }

  isRemote(stream: number): boolean {
    return (stream % 2 === 1) === this.#remoteIsOdd
  }

  arrivedDatagram(stream: number, payload: Buffer): void {
    try {
      this.#streams.get(stream)?.receiveDatagram(payload)
    } catch (error) {
      this.#log.error({ err: error, link: this.id }, 'a datagram could not be handled')
    }
  }

  pathChanged(up: boolean): void {
    this.#log.info({ link: this.id, up }, 'the sealed path for datagrams has come up or gone down')
    this.#events.onDatagramPath?.(up ? 'udp' : 'frames', this)
  }

  violated(reason: string): void {
    this.close(reason, 'protocol')
  }

  readonly #deliver = (): void => {
    const streams = this.#arrived
    this.#arrived = []
    for (const stream of streams) stream.deliver()
  }

  /** @throws LinkError why no stream can be opened now */
  #refuseToOpen(number: number): void {
    if (this.#end) throw new LinkError(this.#end.code, `the link has ended: ${this.#end.reason}`)
    if (this.#draining) throw new LinkError('refused', 'the other end takes no more streams on this link')
    if (this.#localCount >= this.#limits.streamsMax) {
      throw new LinkError('limit', `${this.#limits.streamsMax} streams are open on this link already`)
    }
    if (number > streamNumberMax) {
      this.close('the stream numbers of this link are used up', 'limit')
      throw new LinkError('limit', 'the stream numbers of this link are used up')
    }
  }

  #accept(number: number, head: unknown): void {
    if (!this.isRemote(number) || number <= this.#numbers.lastRemote)
      throw new Violation(`stream number ${number} is not the peer's next`)
    this.#numbers.lastRemote = number
    if (this.#remoteCount >= this.#limits.streamsMax) {
      const reason = `${this.#limits.streamsMax} streams are open on this link already`
      this.#lane.control(encodeReason(frameType.reset, number, 'limit', reason))
      return
    }
    const stream = new SessionStream(this, number, true, this.#limits.windowBytesMax)
    this.#add(stream)
    this.#remoteCount += 1
    try {
      this.#events.onStream(stream, head, this)
    } catch (error) {
      if (!(error instanceof LinkError)) this.#log.error({ err: error, link: this.id }, 'a stream could not be served')
      stream.destroy(error instanceof LinkError ? error : new LinkError('refused', 'the stream could not be served'))
    }
  }

  #receiveMessage(message: unknown): void {
    try {
      this.#events.onMessage?.(message, this)
    } catch (error) {
      if (!(error instanceof LinkError))
        this.#log.error({ err: error, link: this.id }, 'a message could not be handled')
      throw new Violation('a message that could not be handled')
    }
  }

  #finish(end: LinkEnd): void {
    this.#end = end
    this.#further.close()
    const error = new LinkError(end.code, `the link has ended: ${end.reason}`)
    this.#datagrams.close()
    for (const stream of [...this.#streams.values()]) stream.receiveReset(error)
    this.#resolveClosed(end)
  }

  #everOpened(number: number): boolean {
    return this.isRemote(number) ? number <= this.#numbers.lastRemote : number < this.#numbers.nextLocal
  }
}

interface Shape {
  of: 'stream' | 'link' | 'handshake'
  least: number
  most: number
  /** On the first connection only, or on the others only. */
  where?: 'first' | 'further'
}

/** For each frame type: where it belongs and how long its payload may be. Open and message have limits of their own. */
const shapes: Record<FrameType, Shape> = {
  [frameType.hello]: { of: 'handshake', least: 0, most: 0 },
  [frameType.welcome]: { of: 'handshake', least: 0, most: 0 },
  [frameType.refuse]: { of: 'handshake', least: 0, most: 0 },
  [frameType.open]: { of: 'stream', least: 1, most: 0, where: 'first' },
  [frameType.data]: { of: 'stream', least: 1, most: dataBytesMax },
  [frameType.window]: { of: 'stream', least: windowBytes, most: windowBytes, where: 'first' },
  [frameType.end]: { of: 'stream', least: 0, most: 0 },
  [frameType.reset]: { of: 'stream', least: 1, most: 1 + reasonBytesMax },
  [frameType.ping]: { of: 'link', least: pingBytes, most: pingBytes },
  [frameType.pong]: { of: 'link', least: pingBytes, most: pingBytes },
  [frameType.message]: { of: 'link', least: 1, most: 0, where: 'first' },
  [frameType.drain]: { of: 'link', least: 0, most: 0, where: 'first' },
  [frameType.close]: { of: 'link', least: 1, most: 1 + reasonBytesMax, where: 'first' },
  [frameType.datagram]: { of: 'stream', least: 0, most: datagramBytesMax, where: 'first' },
  [frameType.path]: { of: 'link', least: pathOfferBytes, most: pathOfferBytesMax, where: 'first' },
  [frameType.wish]: { of: 'link', least: 0, most: 0, where: 'first' },
  [frameType.invite]: {
    of: 'link',
    least: connectionNumberBytes + joinSecretBytes,
    most: connectionNumberBytes + joinSecretBytes,
    where: 'first',
  },
  [frameType.join]: { of: 'handshake', least: 0, most: 0 },
  [frameType.move]: { of: 'stream', least: connectionNumberBytes, most: connectionNumberBytes },
  [frameType.retire]: { of: 'link', least: 0, most: 0, where: 'further' },
  [frameType.received]: { of: 'link', least: receivedBytes, most: receivedBytes },
}
