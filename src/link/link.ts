import type { Duplex } from 'node:stream'

/**
 * A link is an outbound, authenticated connection that lets both ends open byte streams to each other. Everything behind a
 * router dials; everything with an address accepts. See docs/protocols/link.md for the bytes.
 *
 * What a link promises, whatever the transport: half-close works, back-pressure reaches the source, a dead peer is noticed
 * within `deadPeerMs`, every quantity has a limit, and what is refused says why.
 */
export interface Link {
  /** Random, for logs. */
  readonly id: string
  /** What the other end said of itself in the handshake: the hello at the accepting side, the welcome at the dialling side. */
  readonly greeting: unknown
  readonly remoteAddress: string
  /**
   * Opens a byte stream to the other end. It is usable at once; a refusal destroys it with a `LinkError`.
   * @param head what the other end must know to serve it: JSON, at most `headBytesMax`.
   */
  open(head: unknown): LinkStream
  /** Sends one JSON message, at most `messageBytesMax`. Messages keep their order and are never lost while the link lives. */
  send(message: unknown): void
  /** Tells the other end to open no more streams here; those that are open finish. */
  drain(): void
  /** Ends the link and every stream on it; the other end learns the reason. Idempotent. */
  close(reason: string, code?: LinkErrorCode): void
  /** Resolves once the link has ended, with why. Never rejects. */
  readonly closed: Promise<LinkEnd>
  readonly streamCount: number
  readonly datagrams: DatagramState
  /** The other end has asked to open no more streams here: `open` is refused. */
  readonly draining: boolean
}

/** How a link's datagrams travel. */
export interface DatagramState {
  /** As frames in the link's connection, or over the sealed path beside it. */
  via: 'frames' | 'udp'
  /** How many this end has dropped because too many waited, since the link began. */
  dropped: number
}

/**
 * A byte stream over a link: a Node Duplex with `allowHalfOpen`. `destroy(error)` resets it; the other end then fails with a
 * `LinkError` that carries the code. Beside its bytes it carries datagrams, which ask nothing of the byte stream but that it is open.
 */
export type LinkStream = Duplex & Datagrams

/**
 * Messages of a stream that may be lost, reordered or, rarely, doubled, as over UDP: nothing waits for them, and nothing queues up for
 * long behind them. They are carried while the stream is open in the link; what comes after that goes nowhere.
 */
export interface Datagrams {
  /** Sends or drops it, never throws: 0 to `datagramBytesMax` bytes, longer ones are dropped. The memory may be reused at once. */
  sendDatagram(payload: Uint8Array): void
  /** Hears each datagram that arrives; what arrives while it is null is dropped. The buffer is the hearer's to keep. */
  onDatagram: ((payload: Buffer) => void) | null
}

export interface LinkEnd {
  code: LinkErrorCode
  reason: string
}

/** The closed list of reasons for which a stream or a link ends or is refused; the numbers on the wire are in `wire.ts`. */
export type LinkErrorCode =
  | 'closed' // an ordinary end, asked for by either side
  | 'lost' // the connection broke or the peer fell silent
  | 'protocol' // the peer broke the rules
  | 'refused' // the peer does not accept this hello or this stream
  | 'unauthorized' // the credential is unknown, expired or revoked
  | 'limit' // a named limit is reached
  | 'unreachable' // the service behind the peer does not answer
  | 'superseded' // the same dialler has come back over a newer link
  | 'later' // the credential is good, and may do nothing at this moment: ask again in a few seconds

export class LinkError extends Error {
  readonly code: LinkErrorCode
  constructor(code: LinkErrorCode, message: string) {
    super(message)
    this.name = 'LinkError'
    this.code = code
  }
}

/** A connection of a link, as far as reading goes. What was under way may still arrive after `pause`. */
export interface ReadSource {
  pause(): void
  resume(): void
}

/** What an end does with what arrives. */
export interface LinkEvents {
  onStream(stream: LinkStream, head: unknown, link: Link): void
  onMessage?(message: unknown, link: Link): void
  /** So many bytes were read off one of the link's connections, and `source` is that connection: it may be paused for a moment. */
  onRead?(bytes: number, source: ReadSource): void
  /** The sealed path for datagrams has come up, or gone down: all of it goes on by itself. */
  onDatagramPath?(via: DatagramState['via'], link: Link): void
}
