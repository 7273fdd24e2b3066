import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'

/**
 * An agent that speaks `beam/1`, written from the description of the protocol alone: it shares nothing with the edge's side of it, so that the
 * two agree on the protocol or not at all. What the edge does against the rules is in `faults`.
 */
export class Beam1Peer {
  readonly socket: TLSSocket
  /** What the edge has done against the rules. */
  readonly faults: string[] = []
  /** Names of tunnels and the local ports that they lead to. */
  readonly services = new Map<string, number>()
  /** Frames that came, without the payloads of data. */
  readonly frames: PeerFrame[] = []
  readonly streams = new Map<number, PeerStream>()
  /** The most streams that were open at once. */
  streamsPeak = 0
  readonly closed: Promise<void>
  /** Hears each frame before it is handled; true: it is not to be handled. */
  onFrame: ((frame: PeerFrame) => boolean) | null = null
  #input: Buffer = Buffer.alloc(0)
  #lines = ''
  #inbox: Message[] = []
  #waiting: ((message: Message | null) => void)[] = []
  #over = false
  readonly #window: number

  constructor(socket: TLSSocket, window = peerWindow) {
    this.socket = socket
    this.#window = window
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#over = true
        for (const stream of this.streams.values()) stream.lost()
        for (const give of this.#waiting.splice(0)) give(null)
        resolve()
      })
    })
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
      this.#read()
    })
  }

  /** Dials an edge. @param tls how its certificate is checked; it must be, unless told otherwise. */
  static async dial(port: number, tls: ConnectionOptions, window?: number): Promise<Beam1Peer> {
    const socket = connectTls({ host: '127.0.0.1', port, ALPNProtocols: ['beam/1'], ...tls })
    await once(socket, 'secureConnect')
    if (socket.alpnProtocol !== 'beam/1') throw new Error(`the edge speaks ${String(socket.alpnProtocol)}`)
    return new Beam1Peer(socket, window)
  }

  /** Opens the control stream and says hello. Resolves to the answer, null when the connection ended without one. */
  hello(token: string, more: Message = {}): Promise<Message | null> {
    this.openControl()
    this.say({ type: 'hello', token, proto_version: 1, max_streams: 128, ...more })
    return this.next()
  }

  openControl(): void {
    this.frame(windowFrame, syn, controlStream, this.#window - firstWindow)
    this.streams.set(controlStream, new PeerStream(this, controlStream, this.#window))
  }

  say(message: Message): void {
    this.sayLine(JSON.stringify(message))
  }

  sayLine(line: string): void {
    this.data(controlStream, Buffer.from(`${line}\n`))
  }

  /** The next message of the edge; null when the connection has ended. */
  next(): Promise<Message | null> {
    const first = this.#inbox.shift()
    if (first) return Promise.resolve(first)
    if (this.#over) return Promise.resolve(null)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Registers a tunnel that leads to a local port. Resolves to the answer. */
  register(name: string, port: number, more: Message = {}): Promise<Message | null> {
    this.services.set(name, port)
    this.say({ type: 'register', name, port, ...more })
    return this.next()
  }

  /** Sends a frame without payload, whatever the rules say. */
  frame(type: number, flags: number, stream: number, length: number): void {
    this.socket.write(header(type, flags, stream, length))
  }

  /** Sends a data frame, whatever the rules say. */
  data(stream: number, payload: Buffer, flags = 0): void {
    this.socket.write(Buffer.concat([header(dataFrame, flags, stream, payload.length), payload]))
  }

  #read(): void {
    for (;;) {
      if (this.#input.length < 12) return
      const frame: PeerFrame = {
        version: this.#input.readUInt8(0),
        type: this.#input.readUInt8(1),
        flags: this.#input.readUInt16BE(2),
        stream: this.#input.readUInt32BE(4),
        length: this.#input.readUInt32BE(8),
      }
      const payloadBytes = frame.type === dataFrame ? frame.length : 0
      if (this.#input.length < 12 + payloadBytes) return
      const payload = this.#input.subarray(12, 12 + payloadBytes)
      this.#input = this.#input.subarray(12 + payloadBytes)
      this.frames.push(frame)
      if (!this.onFrame?.(frame)) this.#handle(frame, payload)
    }
  }

  #handle(frame: PeerFrame, payload: Buffer): void {
    const { type, flags, stream: number, length } = frame
    if (frame.version !== 0) this.faults.push('a frame of another version')
    if (type === pingFrame) {
      if (flags === syn) this.frame(pingFrame, ack, 0, length)
      return
    }
    if (type === goAwayFrame) return
    if ((flags & syn) !== 0) this.#opened(number)
    const stream = this.streams.get(number)
    if (!stream) return
    if (type === windowFrame) stream.granted(length)
    else if (number === controlStream) this.#control(payload, stream)
    else stream.arrived(payload)
    if ((flags & rst) !== 0) stream.lost()
    else if ((flags & fin) !== 0) stream.ended()
  }

  #opened(number: number): void {
    if (number % 2 !== 0 || this.streams.has(number)) this.faults.push(`a stream opened as ${number}`)
    const stream = new PeerStream(this, number, this.#window)
    this.streams.set(number, stream)
    this.streamsPeak = Math.max(this.streamsPeak, this.streams.size - 1)
    this.frame(windowFrame, ack, number, this.#window - firstWindow)
    stream.serve()
  }

  #control(payload: Buffer, stream: PeerStream): void {
    stream.consumed(payload.length)
    this.#lines += payload.toString()
    const lines = this.#lines.split('\n')
    this.#lines = lines.pop() ?? ''
    for (const line of lines) {
      const message = JSON.parse(line) as Message
      const waiter = this.#waiting.shift()
      if (waiter) waiter(message)
      else this.#inbox.push(message)
    }
  }
}

/** A stream that the edge has opened: its first line names the service, the rest is copied both ways. */
export class PeerStream {
  readonly #peer: Beam1Peer
  readonly number: number
  readonly #window: number
  #mayReceive: number
  #unconsumed = 0
  #maySend = firstWindow
  #queue: Buffer[] = []
  #endQueued = false
  #sentEnd = false
  #gotEnd = false
  #service: Socket | null = null
  #prefix: Buffer | null = Buffer.alloc(0)

  constructor(peer: Beam1Peer, number: number, window: number) {
    this.#peer = peer
    this.number = number
    this.#window = window
    this.#mayReceive = window
  }

  serve(): void {
    this.#prefix = Buffer.alloc(0)
  }

  arrived(payload: Buffer): void {
    if (payload.length > this.#mayReceive) this.#peer.faults.push(`more than the window on stream ${this.number}`)
    if (this.#gotEnd) this.#peer.faults.push(`data after the end of stream ${this.number}`)
    this.#mayReceive -= payload.length
    if (this.#prefix) {
      this.#prefix = Buffer.concat([this.#prefix, payload])
      const at = this.#prefix.indexOf(10)
      if (at === -1) {
        if (this.#prefix.length > 64) this.abort()
        return
      }
      const rest = this.#prefix.subarray(at + 1)
      const name = this.#prefix.toString('latin1', 0, at)
      this.#prefix = null
      this.consumed(at + 1)
      this.#dial(name)
      if (rest.length > 0) this.#toService(rest)
      return
    }
    this.#toService(payload)
  }

  ended(): void {
    if (this.#gotEnd) this.#peer.faults.push(`a second end of stream ${this.number}`)
    this.#gotEnd = true
    this.#service?.end()
    this.#forget()
  }

  /** Reset, or the connection is gone. */
  lost(): void {
    this.#peer.streams.delete(this.number)
    this.#service?.destroy()
  }

  granted(bytes: number): void {
    this.#maySend += bytes
    this.#flush()
  }

  /** So many bytes are used: they are granted again at half a window. */
  consumed(bytes: number): void {
    this.#unconsumed += bytes
    if (this.#unconsumed < this.#window / 2) return
    this.#peer.frame(windowFrame, 0, this.number, this.#unconsumed)
    this.#mayReceive += this.#unconsumed
    this.#unconsumed = 0
  }

  /** What "abort" means here: our end, and the rest is dropped. */
  abort(): void {
    this.#prefix = null
    this.#endQueued = true
    this.#flush()
  }

  #dial(name: string): void {
    const port = this.#peer.services.get(name)
    if (port === undefined) {
      this.abort()
      return
    }
    const service = connectTcp({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
    this.#service = service
    service.on('data', (chunk: Buffer) => {
      this.#queue.push(chunk)
      this.#flush()
    })
    service.once('end', () => {
      this.#endQueued = true
      this.#flush()
    })
    service.once('error', () => this.abort())
  }

  #toService(payload: Buffer): void {
    const service = this.#service
    if (!service || service.destroyed) this.consumed(payload.length)
    else service.write(payload, () => this.consumed(payload.length))
  }

  #flush(): void {
    while (this.#queue.length > 0 && this.#maySend > 0) {
      const [first = Buffer.alloc(0)] = this.#queue
      const piece = first.subarray(0, Math.min(this.#maySend, 32 * 1024))
      if (piece.length === first.length) this.#queue.shift()
      else this.#queue[0] = first.subarray(piece.length)
      this.#maySend -= piece.length
      this.#peer.data(this.number, piece)
    }
    if (this.#queue.length > 0) this.#service?.pause()
    else this.#service?.resume()
    if (this.#queue.length === 0 && this.#endQueued && !this.#sentEnd) {
      this.#sentEnd = true
      this.#peer.frame(windowFrame, fin, this.number, 0)
      this.#forget()
    }
  }

  #forget(): void {
    if (this.#gotEnd && this.#sentEnd) this.#peer.streams.delete(this.number)
  }
}

export interface PeerFrame {
  version: number
  type: number
  flags: number
  stream: number
  length: number
}

export type Message = Record<string, unknown>

export const [dataFrame, windowFrame, pingFrame, goAwayFrame] = [0, 1, 2, 3] as const
export const [syn, ack, fin, rst] = [1, 2, 4, 8] as const
/** The agent's first stream. */
export const controlStream = 1
const firstWindow = 256 * 1024
/** What deployed agents use. */
const peerWindow = 4 * 1024 * 1024

function header(type: number, flags: number, stream: number, length: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(type, 1)
  bytes.writeUInt16BE(flags, 2)
  bytes.writeUInt32BE(stream, 4)
  bytes.writeUInt32BE(length, 8)
  return bytes
}
