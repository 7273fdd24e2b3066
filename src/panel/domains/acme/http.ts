import { Agent, request } from 'node:https'
import { rootCertificates } from 'node:tls'
import { z } from 'zod'
import { acmeAnswerBytesMax, acmeRequestMs } from '../limits.ts'

export interface AcmeAnswer {
  status: number
  headers: { location?: string | undefined; 'replay-nonce'?: string | undefined }
  text: string
  /** How long the authority asks to wait, ms. */
  retryAfterMs: number | null
}

/** What went wrong with the authority, in words for the domain's owner. */
export class AcmeError extends Error {
  /** The last part of its `urn:ietf:params:acme:error:…`; `unreachable`, `unreadable`, `unsupported`, `slow` and `invalid` (the order) are ours. */
  readonly kind: string
  readonly retryAfterMs: number | null
  /** What the authority itself has said. */
  readonly detail: string | null

  constructor(
    kind: string,
    message: string,
    retryAfterMs: number | null,
    { detail, ...options }: ErrorOptions & { detail?: string } = {},
  ) {
    super(message, options)
    this.name = 'AcmeError'
    this.kind = kind
    this.detail = detail?.slice(0, detailCharsMax) ?? null
    this.retryAfterMs = retryAfterMs
  }

  static of({ status, text, retryAfterMs }: AcmeAnswer, url: string): AcmeError {
    const problem = Problem.safeParse(jsonIn(text)).data
    const kind = problem?.type?.split(':').at(-1) ?? 'refused'
    const detail = problem?.detail ?? `status ${status} from ${new URL(url).host}`
    const message = `The certificate authority refused: ${detail}`.slice(0, detailCharsMax)
    return new AcmeError(kind, message, retryAfterMs, { detail })
  }
}

/** HTTPS to the authority: no answer is larger and none takes longer than it may. */
export class AcmeHttp implements Disposable {
  readonly #agent: Agent

  /** @param root PEM of a root that is trusted besides the usual ones */
  constructor(root: string | null) {
    this.#agent = new Agent(root === null ? { maxSockets } : { maxSockets, ca: [...rootCertificates, root] })
  }

  /** @throws AcmeError `unreachable` */
  async request(
    method: 'GET' | 'HEAD' | 'POST',
    url: string,
    body: string | null,
    signal: AbortSignal,
  ): Promise<AcmeAnswer> {
    try {
      return await this.#send(method, url, body, AbortSignal.any([signal, AbortSignal.timeout(acmeRequestMs)]))
    } catch (cause) {
      signal.throwIfAborted()
      const why = cause instanceof Error ? cause.message : 'unknown reason'
      throw new AcmeError('unreachable', `The certificate authority cannot be reached: ${why}`, null, { cause })
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  #send(method: string, url: string, body: string | null, signal: AbortSignal): Promise<AcmeAnswer> {
    return new Promise((resolve, reject) => {
      const sent = request(
        url,
        {
          method,
          agent: this.#agent,
          signal,
          headers: {
            'user-agent': 'pharos',
            ...(body !== null && {
              'content-type': 'application/jose+json',
              'content-length': Buffer.byteLength(body),
            }),
          },
        },
        (response) => {
          const parts: Buffer[] = []
          let bytes = 0
          response.on('error', reject)
          response.on('data', (part: Buffer) => {
            bytes += part.length
            if (bytes <= acmeAnswerBytesMax) parts.push(part)
            else response.destroy(new Error('its answer is too large'))
          })
          response.on('end', () => {
            const { location, 'replay-nonce': nonce, 'retry-after': retryAfter } = response.headers
            resolve({
              status: response.statusCode ?? 0,
              headers: { location, 'replay-nonce': typeof nonce === 'string' ? nonce : undefined },
              text: Buffer.concat(parts).toString('utf8'),
              retryAfterMs: retryAfterIn(retryAfter),
            })
          })
        },
      )
      sent.on('error', reject)
      sent.end(body ?? undefined)
    })
  }
}

/** Connections to the authority at a time. */
const maxSockets = 4

/** Of an authority's words that are kept. */
const detailCharsMax = 500

/** The longest pause that an authority may ask for, ms. */
const retryAfterMaxMs = 24 * 3_600_000

const Problem = z.object({ type: z.string().optional(), detail: z.string().optional() })

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // not ACME's own words, such as the page of a proxy: the status tells
  }
}

/** Seconds, or a date. */
function retryAfterIn(header: string | undefined): number | null {
  if (header === undefined) return null
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), retryAfterMaxMs)
}
