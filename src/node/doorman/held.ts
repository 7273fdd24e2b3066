import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { splice } from '../../link/index.ts'
import { connectAgainMs } from './limits.ts'

export interface HeldOptions {
  /** What the visitor has sent. */
  bytes: Buffer
  /** How long it is kept, in ms. */
  ms: number
  /** Tells the visitor that it takes too long, and ends the connection. */
  late(): void
}

/**
 * A connection that waits for the server: kept with what it has sent, given to the game once that listens, told so where it
 * takes too long.
 */
export class Held {
  readonly socket: Socket
  readonly #bytes: Buffer
  readonly #over = new AbortController()
  readonly #timer: NodeJS.Timeout
  #leading = false
  /** Aborts when it waits no longer, whatever became of it. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  constructor(socket: Socket, { bytes, ms, late }: HeldOptions) {
    this.socket = socket
    this.#bytes = bytes
    this.#timer = setTimeout(() => this.release(late), ms)
    socket.once('close', () => this.#end())
  }

  /**
   * Leads it to the game behind the very address that the visitor came to, so that nobody counts as somebody from this machine
   * who is not. Tries until the game listens; true once it is led.
   */
  async lead(): Promise<boolean> {
    const { socket } = this
    const { localAddress, localPort } = socket
    if (this.#leading || localAddress === undefined || localPort === undefined) return false
    this.#leading = true
    while (!this.#over.signal.aborted) {
      const service = await reached(localAddress, localPort)
      if (this.#over.signal.aborted) {
        service?.destroy()
        return false
      }
      if (service) {
        clearTimeout(this.#timer)
        socket.once('close', () => service.destroy())
        if (this.#bytes.length > 0) service.write(this.#bytes)
        // Whoever has already said their last word will not say so again.
        if (socket.readableEnded) service.end()
        void splice(socket, service)
        socket.resume()
        return true
      }
      await pause(connectAgainMs, undefined, { signal: this.#over.signal }).catch(() => undefined)
    }
    return false
  }

  /** It waits no longer; what becomes of the connection is for `then` to say. Only the first time, and not once it is led and over. */
  release(then: () => void): void {
    if (this.#over.signal.aborted) return
    this.#end()
    if (!this.socket.destroyed) then()
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#over.abort()
  }
}

function reached(host: string, port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const service = connect({ host, port, noDelay: true, allowHalfOpen: true })
    // Later ones are the business of whoever has it.
    service.once('error', () => {
      service.destroy()
      resolve(null)
    })
    service.once('connect', () => resolve(service))
  })
}
