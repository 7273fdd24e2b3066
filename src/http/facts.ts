import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RequestFacts } from '../contract/operation.ts'

/** The address of a caller whose connection has none: a stream of a link. */
const addressOfStream = 'link'

/** The facts of one request. The signal is made when somebody asks for it: most handlers are done before a caller can leave. */
export class Facts implements RequestFacts {
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  #gone: AbortController | undefined
  #address: string | undefined

  constructor(request: FastifyRequest, reply: FastifyReply) {
    this.#request = request
    this.#reply = reply
  }

  get id(): string {
    return this.#request.id
  }

  get address(): string {
    // Kept: a connection that has closed no longer knows it.
    this.#address ??= addressOf(this.#request)
    return this.#address
  }

  get userAgent(): string | undefined {
    return this.#request.headers['user-agent']
  }

  get signal(): AbortSignal {
    if (!this.#gone) {
      const gone = new AbortController()
      const response = this.#reply.raw
      const leave = (): void => {
        if (!response.writableFinished) gone.abort(new Error('The caller went away'))
      }
      if (response.destroyed) leave()
      else response.once('close', leave)
      this.#gone = gone
    }
    return this.#gone.signal
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  setHeader(name: string, value: string): void {
    this.#reply.header(name, value)
  }
}

/** IPv4 callers on a dual-stack socket appear as `::ffff:192.0.2.1`: one caller, one spelling. */
function addressOf(request: FastifyRequest): string {
  const address: string | undefined = request.ip
  if (!address) return addressOfStream
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
