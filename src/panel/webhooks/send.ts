import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { checkedLookup, type LookupAll } from '../../http/index.ts'
import { attemptMs } from './limits.ts'

/** How one attempt ended. `status` null: there was no answer. */
export interface Attempt {
  ok: boolean
  status: number | null
  /** What went wrong, in words that name no more of the URL than its host. */
  message: string | null
  /** What the receiver asked for, in ms. */
  retryAfterMs: number | null
  /** It will never want anything again. */
  gone: boolean
}

export interface SendOptions {
  /** Which addresses may be called. */
  isReachable(address: string): boolean
  signal: AbortSignal
  /** For tests: how names are looked up, and how long an attempt may take. */
  lookupAll?: LookupAll
  waitMs?: number
}

/**
 * Posts a body. Never rejects. The address is looked at by the dialler itself, so that a name cannot turn into an address of this
 * network in between; redirects are not followed, and of the answer nothing but its head is read.
 */
export function send(
  url: URL,
  body: string,
  headers: Readonly<Record<string, string>>,
  { isReachable, signal, lookupAll, waitMs = attemptMs }: SendOptions,
): Promise<Attempt> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) && !isReachable(host)) return Promise.resolve(failure(notPublic(url.host).message))
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(waitMs)])
  return new Promise((resolve) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      method: 'POST',
      agent: false,
      lookup: checkedLookup(isReachable, () => notPublic(url.host), lookupAll),
      signal: deadline,
      maxHeaderSize: headerBytesMax,
      headers: {
        ...headers,
        'content-type': 'application/json; charset=utf-8',
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': 'Pharos-Webhooks',
      },
    })
    request.on('response', (response) => {
      const status = response.statusCode ?? 0
      resolve(read(status, response.headers['retry-after'], url.host))
      response.on('error', () => undefined)
      request.destroy()
    })
    request.on('error', (error: NodeJS.ErrnoException) =>
      resolve(failure(deadline.aborted ? lateWords(signal, waitMs) : reasonOf(error, url.host))),
    )
    request.end(body)
  })
}

/** The head of an answer is a few hundred bytes. */
const headerBytesMax = 16 * 1024

class NotPublic extends Error {}
const notPublic = (host: string): Error =>
  new NotPublic(`${host} is not on the public internet: only public addresses are called`)

function read(status: number, retryAfter: string | undefined, host: string): Attempt {
  const ok = status >= 200 && status <= 299
  const seconds = retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : null
  return {
    ok,
    status,
    message: ok
      ? null
      : status >= 300 && status <= 399
        ? `${host} redirects, which is not followed`
        : `${host} answered ${status}`,
    retryAfterMs: seconds === null ? null : seconds * 1000,
    gone: status === 410,
  }
}

const failure = (message: string): Attempt => ({ ok: false, status: null, message, retryAfterMs: null, gone: false })

const lateWords = (stopping: AbortSignal, waitMs: number): string =>
  stopping.aborted
    ? 'The panel was stopped while it waited for the answer'
    : `No answer within ${waitMs / 1000} seconds`

function reasonOf(error: NodeJS.ErrnoException, host: string): string {
  if (error instanceof NotPublic) return error.message
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return `The name ${host} is not known`
  if (error.code === 'ECONNREFUSED') return `Nothing listens at ${host}`
  if (error.code?.startsWith('ERR_TLS') || error.code?.includes('CERT') || error.code?.includes('SIGNATURE'))
    return `The certificate of ${host} is not good: ${error.code}`
  return `The connection to ${host} broke off${error.code ? ` (${error.code})` : ''}`
}
