import {
  type AuthInfo,
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  type McpHttpHandler,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { batchMessagesMax, exchangesPerKeyMax, keepAliveMs } from './limits.ts'
import { problem } from './problem.ts'
import { Sessions } from './sessions.ts'

/** Whoever makes a request, with the key that they have proved. */
export interface Visitor {
  readonly keyId: string
  readonly userId: string
}

export interface EndpointOptions<V extends Visitor> {
  /** A server for one session or one request; `visitorOf` says who makes a call. */
  serve(visitorOf: (context: ServerContext) => V): McpServer
  /** Hears of what went wrong beside the calls: broken messages of clients, and faults. */
  failed(error: Error): void
}

/**
 * The protocol over HTTP, in the form called streamable: the revision of 2026-07-28, in which each request stands for itself, and those of
 * 2025 with their sessions. Who is asking has been found out before; where a request came from has been looked at, too.
 */
export class McpEndpoint<V extends Visitor> implements AsyncDisposable {
  readonly #sessions: Sessions
  readonly #handler: McpHttpHandler
  readonly #visitors = new WeakMap<AuthInfo, V>()
  /** Requests under way, by key. */
  readonly #exchanges = new Map<string, Set<AbortController>>()

  constructor(options: EndpointOptions<V>) {
    const serve = (): McpServer => options.serve((context) => this.#visitorOf(context))
    this.#sessions = new Sessions({ serve, failed: options.failed })
    this.#handler = createMcpHandler(serve, { legacy: 'reject', keepAliveMs, onerror: options.failed })
  }

  /** Keys by which something is open here. */
  keys(): Set<string> {
    return new Set([...this.#exchanges.keys(), ...this.#sessions.keys()])
  }

  /** Sessions at this moment. */
  get sessions(): number {
    return this.#sessions.size
  }

  /**
   * Answers one request: `message` is its body as JSON, `write` sends the answer and resolves when all of it is out. What a client has
   * under way ends with its request's signal, save in a session, where it can come back for it.
   */
  async handle(
    request: Request,
    message: unknown,
    visitor: V,
    write: (response: Response) => Promise<void>,
  ): Promise<void> {
    const { keyId, userId } = visitor
    const own = this.#exchanges.get(keyId) ?? new Set()
    if (own.size >= exchangesPerKeyMax && !isNotice(message))
      return write(
        problem(
          429,
          -32_000,
          `This key has ${exchangesPerKeyMax} requests under way: wait until one of them has ended.`,
          {
            'retry-after': '1',
          },
        ),
      )
    if (Array.isArray(message) && message.length > batchMessagesMax)
      return write(problem(400, -32_600, `A request has ${batchMessagesMax} messages at most: send them one by one.`))
    const ended = new AbortController()
    own.add(ended)
    this.#exchanges.set(keyId, own)
    const authInfo: AuthInfo = { token: '', clientId: keyId, scopes: [] }
    this.#visitors.set(authInfo, visitor)
    try {
      const answered = new Request(request, { signal: AbortSignal.any([request.signal, ended.signal]) })
      if (!(await isLegacyRequest(answered, message)))
        await write(await this.#handler.fetch(answered, { authInfo, parsedBody: message }))
      else if (isInitializeRequest(message))
        await this.#sessions.begin(answered, message, { keyId, userId, authInfo }, write)
      else await this.#sessions.continue(answered, message, { keyId, authInfo }, write)
    } catch (error) {
      // Where an answer has begun, it has ended with its stream.
      if (!ended.signal.aborted) throw error
      await write(ended.signal.reason === stopping ? problem(503, -32_000, stopping) : problem(401, -32_000, keyEnded))
    } finally {
      own.delete(ended)
      if (own.size === 0) this.#exchanges.delete(keyId)
    }
  }

  /** Ends everything that is open by a key: its sessions, its streams, its calls. Idempotent. */
  endKey(keyId: string): Promise<void> {
    return this.#end(keyId, keyEnded)
  }

  sweep(): Promise<void> {
    return this.#sessions.sweep()
  }

  /** Tells clients that a person may see other tools now. Those without sessions ask, whoever they are. */
  toolsChanged(userId: string): void {
    this.#sessions.toolsChanged(userId)
    this.#handler.notify.toolsChanged()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const keyId of this.keys()) await this.#end(keyId, stopping)
    await this.#sessions[Symbol.asyncDispose]()
    await this.#handler.close()
  }

  async #end(keyId: string, why: string): Promise<void> {
    for (const exchange of this.#exchanges.get(keyId) ?? []) exchange.abort(why)
    await this.#sessions.endKey(keyId)
  }

  #visitorOf({ http }: ServerContext): V {
    const visitor = http?.authInfo && this.#visitors.get(http.authInfo)
    if (!visitor) throw new Error('A request came in by another way than the endpoint')
    return visitor
  }
}

/** Nothing is answered to it, and it may be what ends a call: it always comes in. */
const isNotice = (message: unknown): boolean =>
  typeof message === 'object' && message !== null && !Array.isArray(message) && !('id' in message)

const keyEnded = 'The key has ended: ask for another one.'
const stopping = 'The panel is stopping: connect again in a moment.'
