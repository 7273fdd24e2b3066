import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { z } from 'zod'
import { ApiError, type ReceivedReply, readError, readReply } from '../contract/exchange.ts'
import { lenient } from '../contract/lenient.ts'
import type { Arguments, Download, Transfer, Upload } from '../contract/operation.ts'
import { pathOf } from '../contract/path.ts'
import { linkReplyTimeoutMs, linkUploadReplyMs } from './limits.ts'
import { headersOf, linkAgent, readText, type StreamOpener } from './over-link.ts'

/** The reply to a download over a link. The bytes come as fast as they are read; whoever got them reads or destroys them. */
export interface LinkDownload {
  /** 200, 206 or 416. */
  status: number
  header(name: string): string | undefined
  content: Readable
}

export interface LinkTransferOptions {
  signal: AbortSignal
  /** Sent along, but for those that are undefined: `range`, `if-range`, `content-type`. */
  headers?: Readonly<Record<string, string | undefined>>
}

/**
 * Begins a download over a stream of a link and resolves when its reply begins; `signal` cuts it off at any time. A refusal
 * rejects with its `ApiError`, a lost link with the link's error.
 */
export async function linkDownload<D extends Download>(
  link: StreamOpener,
  declaration: D,
  args: Arguments<D>,
  options: LinkTransferOptions,
): Promise<LinkDownload> {
  const exchange = begin(link, declaration, args, options)
  exchange.sent.end()
  const response = await exchange.reply(linkReplyTimeoutMs)
  const status = response.statusCode ?? 0
  if (status !== 416 && (status < 200 || status > 299)) throw readError(await received(response))
  return { status, header: (name) => headersOf(response).get(name) ?? undefined, content: response }
}

/**
 * Sends `content` over a stream of a link as fast as the other end takes it, and resolves to the reply. Rejects with the
 * other end's refusal as soon as that comes, and with what `content` throws.
 */
export async function linkUpload<U extends Upload>(
  link: StreamOpener,
  declaration: U,
  args: Arguments<U>,
  options: LinkTransferOptions & { content: AsyncIterable<Uint8Array> },
): Promise<z.output<U['reply']>> {
  const exchange = begin(link, declaration, args, options)
  const answered = exchange.reply(null)
  const stop = new AbortController()
  const sending = pipeline(options.content, exchange.sent, { signal: stop.signal })
  sending.catch(() => undefined)
  try {
    // A refusal can come while the bytes are still on their way, and then the rest has no reader.
    await Promise.race([sending, answered])
  } catch (error) {
    options.signal.throwIfAborted()
    // A receiver that stops reading has said why just before.
    const refusal = await Promise.race([answered, after(earlyRefusalMs)]).catch(() => null)
    if (!refusal) throw error
  }
  try {
    return parsed(declaration, await received(await exchange.reply(linkUploadReplyMs)))
  } finally {
    stop.abort()
  }
}

/** How long the words of a receiver that stopped reading are waited for, in ms. */
const earlyRefusalMs = 500

interface Exchange {
  sent: ClientRequest
  /** The reply's beginning; rejects when none has come for so long from now on. */
  reply(timeoutMs: number | null): Promise<IncomingMessage>
}

function begin(link: StreamOpener, declaration: Transfer, args: unknown, options: LinkTransferOptions): Exchange {
  options.signal.throwIfAborted()
  // `Arguments` has these where the declaration does.
  const { params = {}, query = {} } = args as { params?: Record<string, unknown>; query?: Record<string, unknown> }
  const given = Object.entries(options.headers ?? {}).filter(([, value]) => value !== undefined)
  const sent = request({
    agent: linkAgent(() => link),
    method: declaration.method,
    path: pathOf(declaration.path, params, query),
    headers: { host: 'link', ...Object.fromEntries(given) },
    signal: options.signal,
  })
  const replied = new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve)
    sent.on('error', (error) => reject(options.signal.aborted ? options.signal.reason : error))
  })
  replied.catch(() => undefined)
  return {
    sent,
    async reply(timeoutMs) {
      if (timeoutMs === null) return replied
      const tooLate = new ApiError('unreachable', `No answer within ${timeoutMs / 1000} seconds`)
      const timer = setTimeout(() => sent.destroy(tooLate), timeoutMs)
      return replied.finally(() => clearTimeout(timer))
    },
  }
}

/** What the peer says is as untrusted as the peer. */
const parsed = <U extends Upload>(declaration: U, reply: ReceivedReply): z.output<U['reply']> =>
  lenient(declaration.reply).parse(readReply(declaration.family, reply)) as z.output<U['reply']>

const received = async (response: IncomingMessage): Promise<ReceivedReply> => ({
  status: response.statusCode ?? 0,
  headers: headersOf(response),
  text: await readText(response),
})

const after = (ms: number): Promise<null> => new Promise((resolve) => setTimeout(resolve, ms, null))
