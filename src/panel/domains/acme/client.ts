import { createHash, type KeyObject, X509Certificate } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, FlattenedSign, type JWK } from 'jose'
import { z } from 'zod'
import { acmeNonceTriesMax } from '../limits.ts'
import { type AcmeAnswer, AcmeError, AcmeHttp } from './http.ts'

/**
 * The client's part of ACME (RFC 8555), with renewal information (RFC 9773). Signatures are by `jose`; every answer is parsed by a schema,
 * since whoever answers is not us. It keeps nothing that could not be lost: accounts and orders are known by their URLs.
 */
export class AcmeClient implements Disposable {
  readonly #http: AcmeHttp
  readonly #directoryUrl: string
  readonly #key: KeyObject
  #directory: Directory | null = null
  #account: string | null
  /** From the answer before; each is good once. */
  #nonce: string | null = null

  /** @param account its URL, where the key has one already */
  constructor(options: { directory: string; root: string | null; key: KeyObject; account: string | null }) {
    this.#http = new AcmeHttp(options.root)
    this.#directoryUrl = options.directory
    this.#key = options.key
    this.#account = options.account
  }

  /** The account of this key: made where there is none. */
  async signUp(contact: string | null, signal: AbortSignal): Promise<string> {
    const { newAccount } = await this.#know(signal)
    const payload = { termsOfServiceAgreed: true, ...(contact !== null && { contact: [`mailto:${contact}`] }) }
    const { headers } = await this.#post(newAccount, payload, signal, 'key')
    this.#account = urlIn(headers.location)
    return this.#account
  }

  async newOrder(name: string, signal: AbortSignal): Promise<{ url: string; order: Order }> {
    const { newOrder } = await this.#know(signal)
    const answer = await this.#post(newOrder, { identifiers: [{ type: 'dns', value: name }] }, signal)
    return { url: urlIn(answer.headers.location), order: parse(Order, answer) }
  }

  async order(url: string, signal: AbortSignal): Promise<{ order: Order; retryAfterMs: number | null }> {
    const answer = await this.#post(url, null, signal)
    return { order: parse(Order, answer), retryAfterMs: answer.retryAfterMs }
  }

  async authorization(url: string, signal: AbortSignal): Promise<Authorization> {
    return parse(Authorization, await this.#post(url, null, signal))
  }

  /** The answer of the challenge stands: the authority may look. */
  async accept(challengeUrl: string, signal: AbortSignal): Promise<void> {
    await this.#post(challengeUrl, {}, signal)
  }

  /** @param csr a certificate request, DER */
  async finalize(url: string, csr: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#post(url, { csr: Buffer.from(csr).toString('base64url') }, signal)
  }

  /** The chain in PEM, the certificate first. */
  async certificate(url: string, signal: AbortSignal): Promise<string> {
    const { text } = await this.#post(url, null, signal)
    return text
  }

  /** What the answer of a challenge says. */
  async keyAuthorization(token: string): Promise<string> {
    return `${token}.${await calculateJwkThumbprint(await this.#jwk())}`
  }

  /** When the authority would like this certificate renewed; null where it does not say. ms since 1970. */
  async renewalWindow(certificate: string, signal: AbortSignal): Promise<{ start: number; end: number } | null> {
    const { renewalInfo } = await this.#know(signal)
    const id = renewalInfo === undefined ? null : certificateId(certificate)
    if (renewalInfo === undefined || id === null) return null
    const answer = await this.#http.request('GET', `${renewalInfo.replace(/\/$/, '')}/${id}`, null, signal)
    if (answer.status !== 200) return null
    const { suggestedWindow } = parse(RenewalInfo, answer)
    const [start, end] = [Date.parse(suggestedWindow.start), Date.parse(suggestedWindow.end)]
    return start <= end ? { start, end } : null
  }

  /** Ends requests that are on their way. */
  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]()
  }

  async #know(signal: AbortSignal): Promise<Directory> {
    if (this.#directory) return this.#directory
    const answer = await this.#http.request('GET', this.#directoryUrl, null, signal)
    if (answer.status !== 200) throw AcmeError.of(answer, this.#directoryUrl)
    this.#directory = parse(Directory, answer)
    return this.#directory
  }

  /** @param payload null: only asks (POST-as-GET) */
  async #post(
    url: string,
    payload: object | null,
    signal: AbortSignal,
    by: 'account' | 'key' = 'account',
  ): Promise<AcmeAnswer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#http.request('POST', url, await this.#signed(url, payload, by, signal), signal)
      this.#nonce = answer.headers['replay-nonce'] ?? null
      if (answer.status < 300) return answer
      const error = AcmeError.of(answer, url)
      if (error.kind !== 'badNonce' || attempt >= acmeNonceTriesMax) throw error
    }
  }

  async #signed(url: string, payload: object | null, by: 'account' | 'key', signal: AbortSignal): Promise<string> {
    if (by === 'account' && this.#account === null) throw new Error('there is no account yet: sign up first')
    const nonce = this.#nonce ?? (await this.#newNonce(signal))
    this.#nonce = null
    const who = by === 'key' || this.#account === null ? { jwk: await this.#jwk() } : { kid: this.#account }
    const signed = await new FlattenedSign(new TextEncoder().encode(payload === null ? '' : JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'ES256', nonce, url, ...who })
      .sign(this.#key)
    return JSON.stringify(signed)
  }

  async #newNonce(signal: AbortSignal): Promise<string> {
    const { newNonce } = await this.#know(signal)
    const answer = await this.#http.request('HEAD', newNonce, null, signal)
    const nonce = answer.headers['replay-nonce']
    if (nonce === undefined) throw AcmeError.of(answer, newNonce)
    return nonce
  }

  async #jwk(): Promise<JWK> {
    const { kty, crv, x, y } = await exportJWK(this.#key)
    if (kty === undefined || crv === undefined || x === undefined || y === undefined)
      throw new Error('the key of the account is not one of P-256')
    return { kty, crv, x, y }
  }
}

/** What the authority calls a certificate when asked about its renewal (RFC 9773 §4.1); null where it does not name its issuer's key. */
export function certificateId(pem: string): string | null {
  const { raw, serialNumber } = new X509Certificate(pem)
  // The extension's value is an OCTET STRING around SEQUENCE { [0] key identifier, … }.
  const at = raw.indexOf(authorityKeyOid)
  if (at === -1) return null
  const value = raw.subarray(at + authorityKeyOid.length)
  const [outer, outerLength, sequence, , tag, length = 0] = value
  if (outer !== 0x04 || outerLength === undefined || sequence !== 0x30 || tag !== 0x80) return null
  const keyId = value.subarray(6, 6 + length)
  const digits = serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`
  const serial = Buffer.from(digits, 'hex')
  // DER integers are signed: a first bit that is set has a zero byte before it.
  const padded = ((serial[0] ?? 0) & 0x80) === 0 ? serial : Buffer.concat([Buffer.from([0]), serial])
  return `${keyId.toString('base64url')}.${padded.toString('base64url')}`
}

/** What the TXT record of DNS-01 says, and what the certificate of TLS-ALPN-01 carries: both are made of the same hash. */
export const authorizationHash = (keyAuthorization: string): Buffer =>
  createHash('sha256').update(keyAuthorization).digest()

/** The OBJECT IDENTIFIER 2.5.29.35 in DER. */
const authorityKeyOid = Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x23])

const HttpsUrl = z.url({ protocol: /^https$/ }).max(2000)

const Directory = z.object({
  newNonce: HttpsUrl,
  newAccount: HttpsUrl,
  newOrder: HttpsUrl,
  renewalInfo: HttpsUrl.optional(),
})
type Directory = z.output<typeof Directory>

const Problem = z.object({ type: z.string().max(500).optional(), detail: z.string().max(5000).optional() })

const Order = z.object({
  status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
  authorizations: z.array(HttpsUrl).min(1).max(10),
  finalize: HttpsUrl,
  certificate: HttpsUrl.optional(),
  error: Problem.nullish(),
})
export type Order = z.output<typeof Order>

const Challenge = z.object({
  type: z.string().max(100),
  url: HttpsUrl,
  token: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,200}$/)
    .optional(),
  status: z.enum(['pending', 'processing', 'valid', 'invalid']),
  error: Problem.nullish(),
})
export type AcmeChallenge = z.output<typeof Challenge>

const Authorization = z.object({
  status: z.enum(['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked']),
  challenges: z.array(Challenge).max(20),
})
export type Authorization = z.output<typeof Authorization>

const RenewalInfo = z.object({ suggestedWindow: z.object({ start: z.string(), end: z.string() }) })

function parse<S extends z.ZodType>(schema: S, { text }: AcmeAnswer): z.output<S> {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new AcmeError('unreadable', 'The certificate authority gave an answer that is not ACME', null, { cause })
  }
}

function urlIn(location: string | undefined): string {
  const url = HttpsUrl.safeParse(location)
  if (!url.success)
    throw new AcmeError('unreadable', 'The certificate authority named no address of what it made', null)
  return url.data
}
