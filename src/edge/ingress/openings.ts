import type { Socket } from 'node:net'
import { plainAddress, sourceOf } from '../../lib/address.ts'
import type { EdgeLimits } from '../limits.ts'

export interface Opening {
  /** How long it may take, from the connection on, ms. */
  timeoutMs: number
  /**
   * Looks at everything that has come so far. Undefined: more is needed. Otherwise what to do with the connection, from whose stream
   * nothing is missing then; its errors are the taker's to hear.
   */
  look(input: Buffer): (() => void) | undefined
  /** The time is over. The connection is closed unless this says what to do with it. */
  late?(input: Buffer): (() => void) | undefined
}

/**
 * Connections that nobody knows yet: their first message, which says where they want to go, has not arrived whole. They have slots of
 * their own, so that whoever holds many open takes nothing from those who are known. When all are taken the oldest makes room:
 * it is the one that takes its time, while an honest message arrives within a round trip.
 */
export class Openings implements Disposable {
  readonly #limits: Pick<EdgeLimits, 'openingsMax' | 'openingsPerSourceMax'>
  /** In the order of their arrival. */
  readonly #open = new Set<Waiting>()
  readonly #bySource = new Map<string, number>()

  constructor(limits: Pick<EdgeLimits, 'openingsMax' | 'openingsPerSourceMax'>) {
    this.#limits = limits
  }

  get count(): number {
    return this.#open.size
  }

  /** Takes over a fresh connection until `look` has decided. It is dropped at once when its source has too many. */
  read(socket: Socket, opening: Opening): void {
    const source = sourceOf(plainAddress(socket.remoteAddress))
    const here = this.#bySource.get(source) ?? 0
    if (here >= this.#limits.openingsPerSourceMax) {
      socket.on('error', ignore)
      socket.destroy()
      return
    }
    this.#bySource.set(source, here + 1)
    const waiting = new Waiting(socket, opening, () => {
      this.#open.delete(waiting)
      this.#forget(source)
    })
    this.#open.add(waiting)
    if (this.#open.size > this.#limits.openingsMax)
      for (const oldest of this.#open) {
        oldest.drop()
        break
      }
  }

  [Symbol.dispose](): void {
    for (const waiting of [...this.#open]) waiting.drop()
  }

  #forget(source: string): void {
    const left = (this.#bySource.get(source) ?? 1) - 1
    if (left === 0) this.#bySource.delete(source)
    else this.#bySource.set(source, left)
  }
}

class Waiting {
  readonly #socket: Socket
  readonly #opening: Opening
  readonly #onOver: () => void
  readonly #timer: NodeJS.Timeout
  #input: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, opening: Opening, onOver: () => void) {
    this.#socket = socket
    this.#opening = opening
    this.#onOver = onOver
    this.#timer = setTimeout(() => this.#late(), opening.timeoutMs)
    socket.on('error', ignore)
    socket.on('readable', this.#onReadable)
    socket.once('end', this.drop)
    socket.once('close', this.#over)
  }

  /** Ends the connection at once. */
  readonly drop = (): void => {
    this.#over()
    this.#socket.destroy()
  }

  readonly #onReadable = (): void => {
    const chunk: Buffer | null = this.#socket.read()
    if (chunk === null) return
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
    const take = this.#opening.look(this.#input)
    if (take) this.#handOver(take)
  }

  #late(): void {
    const take = this.#opening.late?.(this.#input)
    if (take) this.#handOver(take)
    else this.drop()
  }

  #handOver(take: () => void): void {
    this.#over()
    if (this.#input.length > 0) this.#socket.unshift(this.#input)
    take()
    this.#socket.off('error', ignore)
  }

  readonly #over = (): void => {
    clearTimeout(this.#timer)
    this.#socket.off('readable', this.#onReadable)
    this.#socket.off('end', this.drop)
    this.#socket.off('close', this.#over)
    this.#onOver()
  }
}

const ignore = (): void => undefined
