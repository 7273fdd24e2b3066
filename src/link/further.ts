import { randomBytes } from 'node:crypto'
import type { Channel, Dialler } from './channel.ts'
import type { Connection, Connections, Further } from './connections.ts'
import { Lane, type LaneSink } from './lane.ts'
import type { LinkLimits } from './limits.ts'
import { connectionNumberMax, encodeFrame, encodeInvite, frameType, joinSecretBytes, Violation } from './wire.ts'

/** Where an acceptor of links learns which link a connection belongs to that brings this secret. */
export interface Joins {
  /** `join` is called at most once, with the lane of the connection that brought the secret. */
  add(secret: Buffer, join: (lane: Lane) => void): void
  remove(secret: Buffer): void
}

/** The accepting end: it numbers the connections and gives out a secret for each, good for one join within `joinMs`. */
export class Invitations implements Further {
  readonly #connections: Connections
  readonly #joins: Joins
  readonly #limits: LinkLimits
  readonly #open = new Map<Connection, { secret: Buffer; timer: NodeJS.Timeout }>()
  #pauseTimer: NodeJS.Timeout | null = null

  constructor(connections: Connections, joins: Joins, limits: LinkLimits) {
    this.#connections = connections
    this.#joins = joins
    this.#limits = limits
  }

  get pending(): number {
    return this.#open.size
  }

  want(): void {
    if (this.#pauseTimer !== null) return
    if (this.#connections.count >= this.#limits.bulkConnectionsMax) return
    if (this.#connections.lastNumber >= connectionNumberMax) return
    const number = this.#connections.lastNumber + 1
    this.#connections.number(number)
    const connection = this.#connections.expect(number)
    const secret = randomBytes(joinSecretBytes)
    const timer = setTimeout(() => this.#expire(connection), this.#limits.joinMs)
    this.#open.set(connection, { secret, timer })
    this.#joins.add(secret, (lane) => {
      this.#forget(connection)
      this.#connections.join(connection, lane)
    })
    this.#connections.interactive.lane?.control(encodeInvite(connection.number, secret))
  }

  wished(): void {
    this.want()
  }

  invited(): void {
    throw new Violation('an invitation by the dialling end')
  }

  close(): void {
    if (this.#pauseTimer) clearTimeout(this.#pauseTimer)
    for (const connection of [...this.#open.keys()]) this.#forget(connection)
  }

  #expire(connection: Connection): void {
    this.#forget(connection)
    this.#connections.drop(connection)
    this.#pauseTimer ??= setTimeout(() => {
      this.#pauseTimer = null
    }, this.#limits.joinRetryMs).unref()
  }

  #forget(connection: Connection): void {
    const invitation = this.#open.get(connection)
    if (!invitation) return
    this.#open.delete(connection)
    clearTimeout(invitation.timer)
    this.#joins.remove(invitation.secret)
  }
}

/** The dialling end: it dials once for each invitation, and wishes for one when it needs it. */
export class DialledFurther implements Further {
  readonly #connections: Connections
  readonly #dialler: Dialler
  readonly #limits: LinkLimits
  readonly #most: number
  readonly #closed = new AbortController()
  #dialling = 0
  #wishes = 0
  /** While it runs, nothing is wished for: no answer came, or a connection could not be made. */
  #pauseTimer: NodeJS.Timeout | null = null
  #wishTimer: NodeJS.Timeout | null = null

  constructor(connections: Connections, dialler: Dialler, limits: LinkLimits) {
    this.#connections = connections
    this.#dialler = dialler
    this.#limits = limits
    this.#most = Math.min(limits.bulkConnectionsMax, (dialler.lanes ?? Number.POSITIVE_INFINITY) - 1)
  }

  get pending(): number {
    return this.#wishes + this.#dialling
  }

  want(): void {
    if (this.#pauseTimer !== null || this.#connections.count + this.pending >= this.#most) return
    this.#wishes += 1
    this.#wishTimer ??= setTimeout(() => this.#pause(), this.#limits.joinMs)
    this.#connections.interactive.lane?.control(encodeFrame(frameType.wish, 0))
  }

  wished(): void {
    throw new Violation('a wish by the accepting end')
  }

  invited(number: number, secret: Buffer): void {
    if (number <= this.#connections.lastNumber) throw new Violation('a connection number twice')
    this.#connections.number(number)
    if (this.#wishes > 0) this.#wishes -= 1
    if (this.#wishes === 0) this.#clearWishTimer()
    // More than this end has a use for is not refused: the other end may not know of a connection that was lost here.
    if (this.#connections.count + this.#dialling >= this.#most) return
    this.#dialling += 1
    void this.#join(number, secret)
  }

  close(): void {
    this.#closed.abort()
    this.#clearWishTimer()
    if (this.#pauseTimer) clearTimeout(this.#pauseTimer)
  }

  async #join(number: number, secret: Buffer): Promise<void> {
    const { signal } = this.#closed
    try {
      const channel = await this.#dialler(AbortSignal.any([signal, AbortSignal.timeout(this.#limits.joinMs)]))
      if (signal.aborted) {
        channel.duplex.on('error', () => undefined)
        channel.duplex.destroy()
      } else {
        this.#connections.join(this.#connections.expect(number), joined(channel, secret, this.#limits))
      }
    } catch {
      this.#pause() // the link lives on with the connections it has
    } finally {
      this.#dialling -= 1
    }
  }

  #pause(): void {
    this.#wishes = 0
    this.#clearWishTimer()
    if (this.#closed.signal.aborted) return
    this.#pauseTimer ??= setTimeout(() => {
      this.#pauseTimer = null
    }, this.#limits.joinRetryMs).unref()
  }

  #clearWishTimer(): void {
    if (this.#wishTimer) clearTimeout(this.#wishTimer)
    this.#wishTimer = null
  }
}

function joined(channel: Channel, secret: Buffer, limits: LinkLimits): Lane {
  const lane = new Lane(channel, 'dials', limits, unstarted)
  lane.control(encodeFrame(frameType.join, 0, secret))
  return lane
}

/** Until the connection has joined, in the same turn. */
const unstarted: LaneSink = {
  header: () => undefined,
  data: () => undefined,
  frame: () => undefined,
  broken: () => undefined,
}
