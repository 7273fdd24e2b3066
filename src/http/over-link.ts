import { Agent, type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { z } from 'zod'
import { ApiError, parseJson, readError, type Send } from '../contract/exchange.ts'
import { lenient } from '../contract/lenient.ts'
import type { Arguments, Socket } from '../contract/operation.ts'
import { pathOf } from '../contract/path.ts'
import { closeCodes } from './channel.ts'
import { linkMessageBytesMax, linkPendingMessagesMax, linkReplyBytesMax, linkReplyTimeoutMs } from './limits.ts'

/** What is needed of a link: a way to open streams. */
export interface StreamOpener {
  open(head: unknown): Duplex
}

/** The head of a stream that carries one HTTP connection. */
export const httpStreamHead = { protocol: 'http' } as const

/**
 * Carries HTTP requests of `node:http` over streams of a link, one stream per request: opening one costs no round trip, and
 * none can turn out to be stale. `link` is asked for each request and throws when there is none.
 */
export function linkAgent(link: () => StreamOpener): Agent {
  return new LinkAgent(link)
}

class LinkAgent extends Agent {
  readonly #link: () => StreamOpener

  constructor(link: () => StreamOpener) {
    super({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY })
    this.#link = link
  }

  override createConnection(): Duplex {
    return this.#link().open(httpStreamHead)
  }
}

/**
 * Carries a client's requests over a link. Rejects with the link's own error when it is lost or refuses the stream, and with
 * an error of that name when no complete reply came within `timeoutMs`.
 */
export function linkSend(link: () => StreamOpener, timeoutMs = linkReplyTimeoutMs): Send {
  const agent = linkAgent(link)
  return ({ method, path, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const timeout = AbortSignal.timeout(timeoutMs)
      const either = signal ? AbortSignal.any([signal, timeout]) : timeout
      const fail = (error: unknown): void => reject(either.aborted ? either.reason : error)
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const sent = request(
        { agent, method, path, headers: { host: 'link', ...headers, ...length }, signal: either },
        (response) => {
          readText(response).then(
            (text) =>
              resolve({
                status: response.statusCode ?? 0,
                headers: headersOf(response),
                text,
              }),
            fail,
          )
        },
      )
      sent.on('error', fail)
      sent.end(body)
    })
}

/**
 * Opens a WebSocket over a stream of a link and resolves, once it is open, to its messages in order. A reader that falls behind
 * holds the sender back. A refusal rejects with its `ApiError`. Iterating ends when the other end closes in order, `signal`
 * aborts or the reader leaves; it throws the link's error when that is lost, and an `ApiError` when the other end failed.
 */
export async function openLinkSocket<S extends Socket>(
  link: StreamOpener,
  declaration: S,
  args: Arguments<S>,
  signal: AbortSignal,
): Promise<AsyncIterable<z.output<S['sends']>>> {
  signal.throwIfAborted()
  // `Arguments` has these where the declaration does.
  const { params = {}, query = {} } = args as { params?: Record<string, unknown>; query?: Record<string, unknown> }
  const path = pathOf(declaration.path, params, query)
  const stream = link.open(httpStreamHead)
  const inbox = new LinkInbox<z.output<S['sends']>>(
    stream,
    new WebSocket(`ws://link${path}`, {
      createConnection: () => stream as Socketlike,
      perMessageDeflate: false,
      maxPayload: linkMessageBytesMax,
    }),
    lenient(declaration.sends),
    signal,
  )
  await inbox.opened
  return inbox
}

/** What the WebSocket client asks of a connection; it uses the parts that every Duplex has. */
type Socketlike = import('node:net').Socket

class LinkInbox<T> implements AsyncIterable<T> {
  readonly opened: Promise<void>
  readonly #socket: WebSocket
  readonly #waiting: T[] = []
  #end: { error: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(stream: Duplex, socket: WebSocket, sends: z.ZodType, signal: AbortSignal) {
    this.#socket = socket
    const stop = (): void => socket.terminate()
    signal.addEventListener('abort', stop, { once: true })
    const timer = setTimeout(
      () => this.#finish(new ApiError('unreachable', `No answer within ${linkReplyTimeoutMs / 1000} seconds`)),
      linkReplyTimeoutMs,
    )
    // After this the socket reports only that it closed; the stream knows why.
    stream.on('error', (error) => this.#finish(signal.aborted ? null : error))
    this.opened = new Promise((resolve, reject) => {
      socket.on('open', () => {
        clearTimeout(timer)
        resolve()
      })
      socket.on('unexpected-response', (_request, response) => {
        readText(response)
          .then((text) => readError({ status: response.statusCode ?? 0, headers: headersOf(response), text }))
          .then(
            (refusal) => this.#finish(refusal),
            (error) => this.#finish(error),
          )
      })
      socket.on('error', (error) => this.#finish(signal.aborted ? null : error))
      socket.on('close', (code, reason) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', stop)
        const orderly = signal.aborted || code === closeCodes.done
        this.#finish(orderly ? null : new ApiError('unreachable', String(reason) || 'The live connection broke'))
        reject(
          signal.aborted
            ? signal.reason
            : (this.#end?.error ?? new ApiError('unreachable', 'The live connection was closed at once')),
        )
      })
    })
    socket.on('message', (data) => {
      const message = sends.safeParse(parseJson(String(data)))
      // What an older panel does not know is not for it.
      if (!message.success) return
      this.#waiting.push(message.data as T)
      if (this.#waiting.length >= linkPendingMessagesMax) socket.pause()
      this.#wake?.()
    })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    try {
      for (;;) {
        while (this.#waiting.length > 0) yield this.#waiting.shift() as T
        if (this.#socket.isPaused) this.#socket.resume()
        if (this.#end) {
          if (this.#end.error !== null) throw this.#end.error
          return
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      this.#socket.terminate()
    }
  }

  #finish(error: unknown): void {
    this.#end ??= { error }
    this.#wake?.()
    this.#socket.terminate()
  }
}

export const headersOf = (response: IncomingMessage) => ({
  get: (name: string) => [response.headers[name.toLowerCase()]].flat().join(', ') || null,
})

export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > linkReplyBytesMax) {
      response.destroy()
      throw new Error(`The reply is larger than ${linkReplyBytesMax} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
