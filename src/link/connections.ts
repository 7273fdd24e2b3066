import type { Budget } from './budget.ts'
import type { Lane, LaneSink } from './lane.ts'
import type { LinkLimits } from './limits.ts'
import type { LinkErrorCode } from './link.ts'
import { encodeFrame, type FrameType, frameType, Violation } from './wire.ts'

/** One connection of a link. */
export interface Connection {
  /** 0 is the interactive one, whose end is the link's. */
  readonly number: number
  /** Null while the dialling end is still expected to join with it. */
  lane: Lane | null
  /** Streams that send on it, and streams that expect what comes next on it. */
  senders: number
  receivers: number
  /** We, or they, have said to send nothing more on it. */
  retired: boolean
  retiredThere: boolean
  /** Unused since the last look. */
  idle: boolean
}

/** How further connections come about: the accepting end invites, the dialling end wishes for invitations and takes them. */
export interface Further {
  /** Asks for one more; it arrives with `ConnectionsHost.joined`, or never. */
  want(): void
  /** Those that were asked for and may still come. */
  readonly pending: number
  /** The other end wishes for one more. @throws Violation where that is not for it to say */
  wished(): void
  /** The other end invites. @throws Violation where that is not for it to say */
  invited(connection: number, secret: Buffer): void
  close(): void
}

export interface ConnectionsHost {
  header(on: Connection, type: FrameType, stream: number, length: number): void
  data(on: Connection, stream: number, piece: Buffer): void
  frame(on: Connection, type: FrameType, stream: number, payload: Buffer): void
  read(on: Lane, bytes: number): void
  broken(code: LinkErrorCode, reason: string): void
  /** A bulk connection is no more, not in order: what was on it is lost. */
  lost(connection: Connection): void
  /** The other end will send nothing more on `connection`, and nothing should go on there that can go elsewhere. */
  leave(connection: Connection): void
  /** Called now and then while there are bulk connections. */
  look(): void
}

/** The connections of a link: the interactive one, and those that bulk has moved to. */
export class Connections {
  readonly interactive: Connection
  readonly #host: ConnectionsHost
  readonly #budget: Budget
  readonly #limits: LinkLimits
  readonly #bulk = new Map<number, Connection>()
  #lastNumber = 0
  #ticker: NodeJS.Timeout | null = null

  constructor(lane: Lane, host: ConnectionsHost, budget: Budget, limits: LinkLimits) {
    this.#host = host
    this.#budget = budget
    this.#limits = limits
    this.interactive = fresh(0, lane)
    lane.start(this.#sink(this.interactive), budget)
  }

  /** Bulk connections, also those that are expected. */
  get count(): number {
    return this.#bulk.size
  }

  /** The highest number that was given to a connection; each is used once. */
  get lastNumber(): number {
    return this.#lastNumber
  }

  /** That number is used from here on. */
  number(number: number): void {
    this.#lastNumber = number
  }

  /** Expects a connection of that number: streams may be moved to it by the other end before it is here. */
  expect(number: number): Connection {
    const connection = fresh(number, null)
    this.#bulk.set(number, connection)
    return connection
  }

  join(connection: Connection, lane: Lane): void {
    connection.lane = lane
    lane.start(this.#sink(connection), this.#budget)
    this.#ticker ??= setInterval(this.#tick, this.#limits.bulkIdleMs / 2)
  }

  /** It will not come, or is no more. Idempotent. */
  drop(connection: Connection): void {
    if (!this.#bulk.delete(connection.number)) return
    connection.lane?.destroy()
    if (this.#bulk.size === 0 && this.#ticker) {
      clearInterval(this.#ticker)
      this.#ticker = null
    }
    this.#host.lost(connection)
  }

  /** The connection that the other end names; null when it is no more. @throws Violation when there never was one */
  named(number: number): Connection | null {
    if (number === 0) return this.interactive
    if (number > this.#lastNumber) throw new Violation(`connection ${number} was never there`)
    return this.#bulk.get(number) ?? null
  }

  /**
   * Where a stream that carries much goes: a connection of its own, else, when no more are to come, the one with the fewest
   * streams. Null: stay where it is.
   * @param asked one was wanted for this stream before
   */
  forBulk(further: Further, asked: boolean): Connection | null {
    let best: Connection | null = null
    for (const connection of this.#bulk.values()) {
      if (connection.lane === null || connection.retired || connection.retiredThere) continue
      if (best === null || loadOf(connection) < loadOf(best)) best = connection
    }
    if (best?.senders === 0) return best
    if (!asked || further.pending === 0) further.want()
    return further.pending > 0 ? null : best
  }

  /** The other end sends nothing more on it. @throws Violation when it has said so before, or a stream is still expected there */
  retiredThere(connection: Connection): void {
    if (connection.number === 0) throw new Violation('the first connection cannot retire')
    if (connection.retiredThere || connection.receivers > 0) throw new Violation('a connection retired too early')
    connection.retiredThere = true
    this.#host.leave(connection)
    this.released(connection)
  }

  /** A stream has left it: a connection on which the other end sends nothing any more goes with its last. */
  released(connection: Connection): void {
    if (connection.retiredThere && connection.senders === 0) this.#retire(connection)
  }

  /** Ends all, with what the peer is to be told. */
  close(code: LinkErrorCode, reason: string): void {
    this.#stop()
    for (const { lane } of this.#bulk.values()) lane?.abandon()
    this.#bulk.clear()
    this.interactive.lane?.close(frameType.close, code, reason)
  }

  destroy(): void {
    this.#stop()
    for (const { lane } of this.#bulk.values()) lane?.destroy()
    this.#bulk.clear()
    this.interactive.lane?.destroy()
  }

  #sink(connection: Connection): LaneSink {
    const host = this.#host
    return {
      header: (type, stream, length) => host.header(connection, type, stream, length),
      data: (stream, piece) => host.data(connection, stream, piece),
      frame: (type, stream, payload) => host.frame(connection, type, stream, payload),
      read: (bytes) => {
        if (connection.lane) host.read(connection.lane, bytes)
      },
      broken: (code, reason) => {
        if (connection.number === 0 || code === 'protocol') host.broken(code, reason)
        else if (connection.retired && connection.retiredThere) connection.lane?.destroy()
        else this.drop(connection)
      },
    }
  }

  #retire(connection: Connection): void {
    if (!connection.retired) {
      connection.retired = true
      connection.lane?.control(encodeFrame(frameType.retire, 0))
    }
    if (!connection.retiredThere) return
    this.#bulk.delete(connection.number)
    // Not at once: the last stream may be leaving while its frames are being gathered for a write.
    setImmediate(() => connection.lane?.finish())
  }

  /** Retires what no stream has used since the last look. */
  readonly #tick = (): void => {
    this.#host.look()
    for (const connection of [...this.#bulk.values()]) {
      if (connection.lane === null) continue
      const used = connection.senders > 0 || connection.receivers > 0
      if (connection.idle && !used && !connection.retired) this.#retire(connection)
      connection.idle = !used
    }
    if (this.#bulk.size === 0) this.#stop()
  }

  #stop(): void {
    if (this.#ticker) clearInterval(this.#ticker)
    this.#ticker = null
  }
}

const fresh = (number: number, lane: Lane | null): Connection => ({
  number,
  lane,
  senders: 0,
  receivers: 0,
  retired: false,
  retiredThere: false,
  idle: false,
})

/** Streams first; among as many, the bytes on their way. */
const loadOf = ({ senders, lane }: Connection): number => senders * 2 ** 32 + (lane?.inFlight ?? 0)
