import type { Log } from '../../lib/log.ts'
import type { Lane } from '../lane.ts'
import type { LinkLimits } from '../limits.ts'
import type { DatagramState } from '../link.ts'
import { encodeFrame, frameType, Violation } from '../wire.ts'
import { dialPath } from './dialled-socket.ts'
import type { DatagramEndpoint } from './endpoint.ts'
import { type SealedPathLimits, sealedPathLimits } from './limits.ts'
import type { DatagramPath, PathHost } from './path.ts'
import { DatagramQueue } from './queue.ts'
import { decodeOffer } from './sealed-wire.ts'
import { systemTicker, type Ticker } from './ticker.ts'

/** How an end takes part in sealed paths; without it, all datagrams go in the link's connection. */
export type PathRole =
  /** The accepting end: offers a path of this endpoint to the dialling one. */
  | { role: 'offers'; endpoint: DatagramEndpoint }
  /** The dialling end: takes what is offered. */
  | ({ role: 'takes' } & SealedPathOptions)

export interface SealedPathOptions {
  limits?: Partial<SealedPathLimits>
  ticker?: Ticker
}

/** The link, as the carrier of its datagrams sees it. */
export interface CarrierHost {
  readonly newestRemoteStream: number
  isRemote(stream: number): boolean
  /** A datagram has arrived. */
  arrivedDatagram(stream: number, payload: Buffer): void
  /** The sealed path has come up, or gone down. */
  pathChanged(up: boolean): void
  /** The other end has broken the rules. */
  violated(reason: string): void
}

export interface CarrierOptions {
  lane: Lane
  side: 'dials' | 'accepts'
  host: CarrierHost
  path: PathRole | null
  limits: LinkLimits
  log: Log
}

/** Where a link's datagrams go: over its sealed path while that is up, in its connection otherwise. */
export class DatagramCarrier implements PathHost {
  readonly #options: CarrierOptions
  readonly #queue: DatagramQueue
  #path: DatagramPath | null = null
  #up = false
  /** The other end knows our streams up to this one: what overtakes their open frame would be lost. */
  #heardOf = 0

  constructor(options: CarrierOptions) {
    this.#options = options
    this.#queue = new DatagramQueue(options.lane, options.limits)
    if (options.path?.role !== 'offers') return
    const { path, offer } = options.path.endpoint.open(this)
    this.#path = path
    options.lane.control(encodeFrame(frameType.path, 0, offer))
  }

  get state(): DatagramState {
    return { via: this.#up ? 'udp' : 'frames', dropped: this.#queue.dropped }
  }

  send(stream: number, payload: Uint8Array): void {
    const known = this.#options.host.isRemote(stream) || stream <= this.#heardOf
    if (known && this.#path?.carries(payload.length)) {
      this.#path.add(stream, payload)
      return
    }
    this.#path?.noteUse()
    this.#queue.add(stream, payload)
  }

  /** A datagram frame has come: so its stream is known at the other end. */
  receive(stream: number, payload: Buffer): void {
    this.#path?.noteUse()
    if (!this.#options.host.isRemote(stream)) this.heardOfStreams(stream)
    this.#options.host.arrivedDatagram(stream, payload)
  }

  /** A path frame has come. @throws Violation */
  take(payload: Buffer): void {
    const { path, lane, side } = this.#options
    if (side === 'accepts') throw new Violation('a path offered by the dialling end')
    if (this.#path) throw new Violation('a second path')
    const offer = decodeOffer(payload)
    if (!offer || path?.role !== 'takes') return
    this.#path = dialPath({
      offer,
      remoteAddress: lane.remoteAddress,
      host: this,
      limits: { ...sealedPathLimits, ...path.limits },
      ticker: path.ticker ?? systemTicker,
    })
  }

  /** The stream is over. */
  forget(stream: number): void {
    this.#queue.forget(stream)
  }

  close(): void {
    this.#path?.close()
    this.#path = null
    this.#up = false
  }

  // From the path.

  get newestRemoteStream(): number {
    return this.#options.host.newestRemoteStream
  }

  heardOfStreams(newest: number): void {
    if (newest > this.#heardOf) this.#heardOf = newest
  }

  arrived(stream: number, payload: Buffer): void {
    if (!this.#options.host.isRemote(stream)) this.heardOfStreams(stream)
    this.#options.host.arrivedDatagram(stream, payload)
  }

  pathChanged(up: boolean): void {
    this.#up = up
    this.#options.host.pathChanged(up)
  }

  violated(reason: string): void {
    this.#options.host.violated(reason)
  }
}
