import type { Lane } from '../lane.ts'
import type { LinkLimits } from '../limits.ts'
import type { DataSource } from '../turns.ts'
import { datagramBytesMax, frameType, headerBytes, writeHeader } from '../wire.ts'

/**
 * Datagrams on their way into a link's connection, as frames. What does not leave soon is worth nothing: beyond the limits
 * newcomers are dropped and counted.
 */
export class DatagramQueue implements DataSource {
  nextReady: DataSource | null = null
  isReady = false
  /** Since the link began. */
  dropped = 0
  readonly #lane: Lane
  readonly #limits: LinkLimits
  /** A null payload belonged to a stream that is over. */
  #waiting: { stream: number; payload: Buffer | null }[] = []
  #first = 0
  #bytes = 0
  readonly #bytesOf = new Map<number, number>()

  constructor(lane: Lane, limits: LinkLimits) {
    this.#lane = lane
    this.#limits = limits
  }

  /** Copies the payload and sends it when the connection has room, or drops it. */
  add(stream: number, payload: Uint8Array): void {
    const cost = payload.length + datagramCostBytes
    const ofStream = (this.#bytesOf.get(stream) ?? 0) + cost
    if (
      payload.length > datagramBytesMax ||
      ofStream > this.#limits.datagramQueueBytesPerStreamMax ||
      this.#bytes + cost > this.#limits.datagramQueueBytesMax
    ) {
      this.dropped += 1
      return
    }
    this.#bytes += cost
    this.#bytesOf.set(stream, ofStream)
    this.#waiting.push({ stream, payload: Buffer.from(payload) })
    this.#lane.ready(this)
  }

  /** Drops what waits for a stream that is over: nothing of it may follow its last frame. */
  forget(stream: number): void {
    if (!this.#bytesOf.has(stream)) return
    for (let at = this.#first; at < this.#waiting.length; at += 1) {
      const datagram = this.#waiting[at]
      if (datagram?.stream !== stream || !datagram.payload) continue
      this.#bytes -= datagram.payload.length + datagramCostBytes
      datagram.payload = null
    }
    this.#bytesOf.delete(stream)
  }

  get sendable(): boolean {
    return this.#first < this.#waiting.length
  }

  fill(target: Buffer, at: number, end: number): number {
    const turn = Math.min(end, at + turnBytes)
    let to = at
    while (this.#first < this.#waiting.length) {
      const datagram = this.#waiting[this.#first]
      if (datagram?.payload) {
        const { stream, payload } = datagram
        const frameEnd = to + headerBytes + payload.length
        if (frameEnd > (to === at ? target.length : turn)) break
        writeHeader(target, to, frameType.datagram, payload.length, stream)
        payload.copy(target, to + headerBytes)
        to = frameEnd
        this.#settle(stream, payload.length + datagramCostBytes)
      }
      this.#first += 1
    }
    if (this.#first === this.#waiting.length) {
      this.#waiting = []
      this.#first = 0
    }
    return to
  }

  #settle(stream: number, cost: number): void {
    this.#bytes -= cost
    const left = (this.#bytesOf.get(stream) ?? 0) - cost
    if (left > 0) this.#bytesOf.set(stream, left)
    else this.#bytesOf.delete(stream)
  }
}

/** What a waiting datagram costs beside its bytes, roughly: a flood of empty ones must reach the limit, too. */
const datagramCostBytes = 128
/** As much as a stream has for its turn. */
const turnBytes = 16 * 1024
