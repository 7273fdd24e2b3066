import { createSecureContext, type SecureContext } from 'node:tls'
import type { ChallengeAnswer } from '../contract/edge.ts'
import type { Clock } from '../lib/clock.ts'
import { normalHost } from './routing.ts'

/** Where authorities ask by HTTP-01 (RFC 8555 §8.3). */
const httpPath = '/.well-known/acme-challenge/'

/** What authorities speak by TLS-ALPN-01 (RFC 8737 §6.2). */
export const acmeProtocol = 'acme-tls/1'

/** An order takes seconds, at most a quarter of an hour; an answer that nobody took back is forgotten then, ms. */
export const answerKeptMs = 20 * 60_000

/** Answers at a time: each panel works on a few domains at once. */
export const answersMax = 1_000

/**
 * What this edge answers to certificate authorities: for the hosts of orders that are under way, and for nobody else. Visitors make it remember
 * nothing.
 */
export class Challenges {
  readonly #clock: Pick<Clock, 'now'>
  readonly #answers = new Map<string, { answer: ChallengeAnswer; until: number; context: SecureContext | null }>()

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  /** How many there are. */
  get size(): number {
    return this.#answers.size
  }

  /** Throws where the certificate of an answer cannot be used. */
  offer(answer: ChallengeAnswer): void {
    this.#forgetOld()
    const context =
      answer.type === 'tls-alpn-01' ? createSecureContext({ cert: answer.certificate, key: answer.key }) : null
    this.#answers.delete(answer.token)
    this.#answers.set(answer.token, { answer, until: this.#clock.now() + answerKeptMs, context })
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= answersMax) break
      this.#answers.delete(oldest)
    }
  }

  /** Idempotent. */
  withdraw(token: string): void {
    this.#answers.delete(token)
  }

  /** The whole response in HTTP/1; null where this request is no affair of an order for this very host. The connection ends with it. */
  httpResponse({ method, host, target }: { method: string; host: string; target: string }): Buffer | null {
    if (this.#answers.size === 0 || !target.startsWith(httpPath)) return null
    const known = this.#answers.get(target.slice(httpPath.length))
    if (known?.answer.type !== 'http-01' || known.answer.host !== normalHost(host) || this.#isOld(known)) return null
    if (method !== 'GET' && method !== 'HEAD') return null
    const { keyAuthorization } = known.answer
    return Buffer.from(
      [
        'HTTP/1.1 200 OK',
        'Content-Type: application/octet-stream',
        `Content-Length: ${keyAuthorization.length}`,
        'Cache-Control: no-store',
        'Connection: close',
        '',
        method === 'HEAD' ? '' : keyAuthorization,
      ].join('\r\n'),
      'latin1',
    )
  }

  /** What is shown to an authority that validates this host by TLS; null where no order is under way for it. */
  tlsContext(host: string, protocols: readonly string[]): SecureContext | null {
    if (this.#answers.size === 0 || protocols.length !== 1 || protocols[0] !== acmeProtocol) return null
    for (const known of this.#answers.values())
      if (known.answer.type === 'tls-alpn-01' && known.answer.host === host && !this.#isOld(known)) return known.context
    return null
  }

  #isOld({ until }: { until: number }): boolean {
    return until <= this.#clock.now()
  }

  #forgetOld(): void {
    for (const [token, known] of this.#answers) if (this.#isOld(known)) this.#answers.delete(token)
  }
}
