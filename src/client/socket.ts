import type { z } from 'zod'
import { ApiError, parseJson, readError, type Send } from '../contract/exchange.ts'
import type { Arguments, Socket } from '../contract/operation.ts'
import { pathOf } from '../contract/path.ts'
import { sendByFetch } from './client.ts'

export interface SocketOptions {
  /** As for `createClient`: an `http:` or `https:` URL. */
  baseUrl: string
  /** An API key. Browsers cannot send one with a WebSocket: there the session cookie counts. */
  token?: string
  /** Ends the connection and the iteration. */
  signal?: AbortSignal
}

/**
 * The live messages of a server, in order. Iterating ends when nothing more is to come, and when this side has closed. It throws
 * an `ApiError` with the server's reason otherwise: `forbidden` where the caller may not have them any more, `unreachable`
 * where connecting again makes sense (a restart, a reader that was too slow, a connection that broke).
 */
export interface LiveSocket<S extends Socket> extends AsyncIterable<z.output<S['sends']>> {
  send(message: z.input<S['accepts']>): void
  /** Idempotent. */
  close(): void
}

/** Messages waiting to be read beyond which the reader counts as too slow and the connection is given up. */
const waitingMessagesMax = 10_000

/** Opens a live connection. Resolves once it is open; a refusal rejects with the `ApiError` that says why. */
export async function openSocket<S extends Socket>(
  declaration: S,
  args: Arguments<S>,
  options: SocketOptions,
): Promise<LiveSocket<S>> {
  const { params = {}, query = {} } = args as { params?: Record<string, unknown>; query?: Record<string, unknown> }
  const url = options.baseUrl.replace(/\/$/, '') + pathOf(declaration.path, params, query)
  const headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
  options.signal?.throwIfAborted()
  const Constructor = WebSocket as unknown as new (url: string, options?: object) => WebSocket
  // Node's WebSocket takes headers; a browser's takes no second argument of this kind, and has no token.
  const socket =
    options.token === undefined
      ? new WebSocket(url.replace(/^http/, 'ws'))
      : new Constructor(url.replace(/^http/, 'ws'), { headers })
  const inbox = new Inbox<z.output<S['sends']>>()
  let left = false
  const close = (): void => {
    left = true
    socket.close(closeCodes.done)
  }
  options.signal?.addEventListener('abort', close, { once: true })
  const opened = new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true })
    socket.addEventListener('close', () => reject(new Error('closed before it was open')), { once: true })
  })
  socket.addEventListener('message', ({ data }) => {
    const message = declaration.sends.safeParse(parseJson(String(data)))
    // What an older client does not know is not for it.
    if (message.success && inbox.put(message.data as z.output<S['sends']>) > waitingMessagesMax) {
      inbox.end(new ApiError('unreachable', 'Live messages came faster than they were read'))
      socket.close(closeCodes.done)
    }
  })
  socket.addEventListener('close', ({ code, reason }) => {
    options.signal?.removeEventListener('abort', close)
    inbox.end(left || code === closeCodes.done ? null : endOf(code, reason))
  })
  try {
    await opened
  } catch (cause) {
    options.signal?.throwIfAborted()
    throw await whyRefused(url, headers, cause)
  }
  return {
    [Symbol.asyncIterator]: () => inbox.iterate(close),
    send: (message) => socket.send(JSON.stringify(message)),
    close,
  }
}

/** Those of RFC 6455 that a program can do something about. */
const closeCodes = { done: 1000, refused: 1008 } as const

const endOf = (code: number, reason: string): ApiError =>
  code === closeCodes.refused
    ? new ApiError('forbidden', reason || 'The live connection was refused')
    : new ApiError('unreachable', reason || 'The live connection broke')

/** A WebSocket tells its user nothing about a refusal. The same request without the upgrade gets the same answer, readable. */
async function whyRefused(
  url: string,
  headers: Record<string, string>,
  cause: unknown,
  send: Send = sendByFetch,
): Promise<ApiError> {
  try {
    const error = readError(await send({ method: 'GET', path: url, headers }))
    return error.code === 'invalid_request' && error.details.some(({ where }) => where === 'headers.upgrade')
      ? new ApiError(
          'unreachable',
          'The live connection was refused on the way: does a proxy in between allow WebSockets?',
          { cause },
        )
      : error
  } catch (error) {
    return error instanceof ApiError
      ? error
      : new ApiError('unreachable', 'The live connection could not be opened', { cause: error })
  }
}

/** A queue between events and a reader. */
class Inbox<T> {
  readonly #waiting: T[] = []
  #ended: { error: Error | null } | undefined
  #wake: (() => void) | undefined

  put(message: T): number {
    if (!this.#ended) this.#waiting.push(message)
    this.#wake?.()
    return this.#waiting.length
  }

  end(error: Error | null): void {
    this.#ended ??= { error }
    this.#wake?.()
  }

  async *iterate(left: () => void): AsyncGenerator<T, void, void> {
    try {
      for (;;) {
        const message = this.#waiting.shift()
        if (message !== undefined) yield message
        else if (this.#ended) {
          if (this.#ended.error) throw this.#ended.error
          return
        } else
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
      }
    } finally {
      left()
    }
  }
}
