import { randomUUID } from 'node:crypto'

/** One record of a report, as edges write it. */
export interface ReportedRequest {
  request_id: string
  [field: string]: unknown
}

/**
 * An edge of others, as its published contract describes it: it knows two URLs and a secret, and nothing of the panel behind them.
 * The other lookups are found by replacing the end of the first URL.
 */
export class ContractEdge {
  readonly #verifyUrl: string
  readonly #reportUrl: string
  readonly #secret: string
  /** Shipped until here: it moves with status 2xx alone. */
  #cursor = 0
  readonly log: unknown[] = []

  constructor(config: { verifyUrl: string; reportUrl: string; secret: string }) {
    this.#verifyUrl = config.verifyUrl
    this.#reportUrl = config.reportUrl
    this.#secret = config.secret
  }

  /** The workspace of a token; null where the agent is to be turned away. */
  async verify(token: string): Promise<string | null> {
    const { status, body } = await this.ask('POST', this.#verifyUrl, { token })
    if (status === 404) return null
    if (status !== 200) throw new Error(`verify-token answered ${status}`)
    const { slug } = body as { slug: string }
    return slug === '' ? null : slug
  }

  hostnames = (slug: string): Promise<Answer> => this.ask('GET', this.#beside('scope-hostnames', { slug }))

  resolve = (host: string): Promise<Answer> => this.ask('GET', this.#beside('resolve-host', { host }))

  /** Whether a certificate may be ordered for this name the moment somebody asks for it. */
  async mayOrder(host: string): Promise<boolean> {
    const { status, body } = await this.resolve(host)
    return status === 200 && (body as { cert_mode?: string }).cert_mode !== 'delegated'
  }

  /** Sends what was logged since the last time that it was taken, at most `batch` records. */
  async ship(batch = 500): Promise<Answer> {
    const events = this.log.slice(this.#cursor, this.#cursor + batch)
    const answer = await this.ask('POST', this.#reportUrl, { events })
    if (answer.status >= 200 && answer.status < 300) this.#cursor += events.length
    return answer
  }

  /** As if it had been killed before it wrote down how far it was. */
  forgetCursor(): void {
    this.#cursor = 0
  }

  get shipped(): number {
    return this.#cursor
  }

  usage = (events: unknown, requests_total_delta = 1): Promise<Answer> =>
    this.ask('POST', this.#verifyUrl.replace(/verify-token$/, 'usage'), { events, requests_total_delta })

  async ask(method: string, url: string, body?: unknown, secret = this.#secret): Promise<Answer> {
    const reply = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${secret}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: reply.status, body: await reply.json() }
  }

  #beside(name: string, query: Record<string, string>): string {
    return `${this.#verifyUrl.replace(/verify-token$/, name)}?${new URLSearchParams(query)}`
  }
}

export interface Answer {
  status: number
  body: unknown
}

/** A request as an edge logs it when it has ended; `at` in ms. */
export const aRequest = (host: string, slug: string, at: number, more: object = {}): ReportedRequest => ({
  request_id: randomUUID(),
  slug,
  transport: 'tcp',
  host,
  method: 'GET',
  path: '/',
  status: 200,
  outcome: 'ok',
  bytes_in: 100,
  bytes_out: 1000,
  ttfb_ms: 12,
  is_websocket: false,
  client_ip: '192.0.2.0',
  user_agent: 'curl/8',
  started_at: nanoseconds(at - 50),
  ended_at: nanoseconds(at),
  ...more,
})

/** RFC 3339 as that product writes it: to the nanosecond. */
export const nanoseconds = (at: number): string => new Date(at).toISOString().replace('Z', '123456Z')
