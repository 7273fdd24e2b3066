import { type RawData, WebSocket } from 'ws'
import type { z } from 'zod'
import type { CloseCause, SocketChannel } from '../contract/operation.ts'
import { socketBufferBytesMax, socketEarlyMessagesMax, socketPingMs } from './limits.ts'
import { nulProblems } from './nul.ts'
import { fieldProblems, invalidFields } from './problems.ts'

/** Close codes that we send: those of RFC 6455, and two that were registered later (1012 and 1013). */
export const closeCodes = {
  done: 1000,
  unsupportedData: 1003,
  brokenRules: 1008,
  refused: 1008,
  failed: 1011,
  restarting: 1012,
  overloaded: 1013,
} as const satisfies Record<CloseCause | 'unsupportedData' | 'brokenRules', number>

/**
 * The server's side of one WebSocket. Messages that `accepts` does not take close it with the reason; so does a peer that
 * stops answering pings or reading.
 */
export class Channel implements SocketChannel<unknown, unknown> {
  readonly #socket: WebSocket
  readonly #accepts: z.ZodType
  readonly #write: (message: unknown) => Buffer
  readonly #onFault: (error: unknown) => void
  readonly #gone = new AbortController()
  #listener: ((message: unknown) => void) | undefined
  #early: unknown[] = []
  #answered = true

  /**
   * @param write serialises what is sent; it throws for a message that is not what the contract says
   * @param onFault is told of that; whoever sends is not, since it may be far from the fault and serve others too
   */
  constructor(
    socket: WebSocket,
    accepts: z.ZodType,
    write: (message: unknown) => Buffer,
    onFault: (error: unknown) => void,
  ) {
    this.#socket = socket
    this.#accepts = accepts
    this.#write = write
    this.#onFault = onFault
    const pings = setInterval(() => this.#ping(), socketPingMs)
    socket.on('pong', () => {
      this.#answered = true
    })
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary))
    // Broken frames and oversized messages: ws closes with the right code by itself.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(pings)
      this.#gone.abort(new Error('The live connection is closed'))
    })
  }

  send(message: unknown): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    let bytes: Buffer
    try {
      bytes = this.#write(message)
    } catch (error) {
      this.#onFault(error)
      return
    }
    this.#socket.send(bytes, { binary: false })
    if (this.#socket.bufferedAmount > socketBufferBytesMax) this.#socket.terminate()
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#listener = listener
    const early = this.#early
    this.#early = []
    for (const message of early) listener(message)
  }

  get signal(): AbortSignal {
    return this.#gone.signal
  }

  close(reason: string, cause: CloseCause = 'done'): void {
    this.end(closeCodes[cause], reason)
  }

  /** Closes with one of `closeCodes`. Idempotent. */
  end(code: number, reason: string): void {
    this.#socket.close(code, fit(reason))
  }

  #ping(): void {
    if (this.#answered) this.#socket.ping()
    else this.#socket.terminate()
    this.#answered = false
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    const refusal = isBinary
      ? { code: closeCodes.unsupportedData, reason: 'Messages are JSON text' }
      : this.#deliver(String(data))
    if (refusal) this.end(refusal.code, refusal.reason)
  }

  #deliver(text: string): { code: number; reason: string } | null {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return { code: closeCodes.brokenRules, reason: 'The message is not valid JSON' }
    }
    // The same rule as for bodies: see `nulProblems`.
    const nul = nulProblems('message', value)
    if (nul.length > 0) return { code: closeCodes.brokenRules, reason: invalidFields(nul).message }
    const message = this.#accepts.safeParse(value)
    if (!message.success)
      return {
        code: closeCodes.brokenRules,
        reason: invalidFields(fieldProblems('message', message.error, value)).message,
      }
    if (this.#listener) this.#listener(message.data)
    else if (this.#early.length < socketEarlyMessagesMax) this.#early.push(message.data)
    else return { code: closeCodes.brokenRules, reason: 'Too many messages before the first answer' }
    return null
  }
}

/** A close frame carries at most 123 bytes of reason. */
const reasonBytesMax = 123

function fit(reason: string): string {
  let text = reason
  while (Buffer.byteLength(text) > reasonBytesMax) text = text.slice(0, -1)
  return text
}
