import { randomUUID } from 'node:crypto'
import { type AuthInfo, type McpServer, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { EventLog } from './event-log.ts'
import { keepAliveMs, sessionIdleMs, sessionsMax, sessionsPerKeyMax } from './limits.ts'
import { problem } from './problem.ts'

interface Session {
  id: string
  keyId: string
  userId: string
  transport: WebStandardStreamableHTTPServerTransport
  server: McpServer
  /** Requests under way. */
  open: number
  usedAt: number
}

/**
 * Sessions of clients that speak a revision of the protocol that has them (2025-11-25 and earlier). A session belongs to the key that began
 * it: to any other one it does not exist. It lives on the panel that it began on, and clients begin another where theirs is gone.
 */
export class Sessions implements AsyncDisposable {
  readonly #sessions = new Map<string, Session>()
  readonly #serve: () => McpServer
  readonly #failed: (error: Error) => void

  constructor(options: { serve: () => McpServer; failed: (error: Error) => void }) {
    this.#serve = options.serve
    this.#failed = options.failed
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Those who hold the keys of the sessions, each key once. */
  keys(): Set<string> {
    return new Set([...this.#sessions.values()].map(({ keyId }) => keyId))
  }

  /** Begins a session by its first request, hands the answer to `write`, and forgets it where it came to nothing. */
  async begin(
    request: Request,
    message: unknown,
    who: { keyId: string; userId: string; authInfo: AuthInfo },
    write: (response: Response) => Promise<void>,
  ): Promise<void> {
    await this.#makeRoom(who.keyId)
    const server = this.#serve()
    const transport: WebStandardStreamableHTTPServerTransport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new EventLog(),
      keepAliveMs,
      onsessioninitialized: (id) => {
        this.#sessions.set(id, { id, ...who, transport, server, open: 0, usedAt: performance.now() })
      },
    })
    await server.connect(transport)
    const { onclose } = transport
    transport.onclose = () => {
      onclose?.()
      if (transport.sessionId !== undefined) this.#sessions.delete(transport.sessionId)
    }
    transport.onerror = this.#failed
    try {
      await write(await transport.handleRequest(request, { parsedBody: message, authInfo: who.authInfo }))
    } finally {
      if (transport.sessionId === undefined) await server.close()
    }
  }

  /** Answers a further request of a session. */
  async continue(
    request: Request,
    message: unknown,
    who: { keyId: string; authInfo: AuthInfo },
    write: (response: Response) => Promise<void>,
  ): Promise<void> {
    const id = request.headers.get('mcp-session-id')
    if (id === null)
      return write(problem(400, -32_000, 'Begin with initialize, and send the Mcp-Session-Id that it answers with.'))
    const session = this.#sessions.get(id)
    if (session?.keyId !== who.keyId)
      return write(problem(404, -32_001, 'There is no such session any more. Begin another one with initialize.'))
    session.open += 1
    try {
      await write(
        await session.transport.handleRequest(request, {
          authInfo: who.authInfo,
          ...(message === undefined ? {} : { parsedBody: message }),
        }),
      )
      for (const id of cancelledBy(message)) await endStream(session.transport, id)
    } finally {
      session.open -= 1
      session.usedAt = performance.now()
    }
  }

  /** Ends the sessions of a key. Idempotent. */
  async endKey(keyId: string): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((one) => (one.keyId === keyId ? this.#end(one) : undefined)))
  }

  /** Ends sessions that nobody has used for long. */
  async sweep(): Promise<void> {
    const before = performance.now() - sessionIdleMs
    for (const session of [...this.#sessions.values()])
      if (session.open === 0 && session.usedAt < before) await this.#end(session)
  }

  /** Tells the clients of a person that they may see other tools now. */
  toolsChanged(userId: string): void {
    // A client that does not listen learns of it when it asks.
    for (const { server, userId: of } of this.#sessions.values())
      if (of === userId) server.server.sendToolListChanged().catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of [...this.#sessions.values()]) await this.#end(session)
  }

  async #makeRoom(keyId: string): Promise<void> {
    const all = [...this.#sessions.values()]
    const own = all.filter((one) => one.keyId === keyId)
    if (own.length >= sessionsPerKeyMax) await this.#end(longestUnused(own))
    else if (all.length >= sessionsMax) await this.#end(longestUnused(all))
  }

  async #end(session: Session | undefined): Promise<void> {
    if (!session) return
    this.#sessions.delete(session.id)
    await session.server.close()
  }
}

/**
 * A call that its client has cancelled is answered by nobody, and its stream would stay open for as long as the session. An answer ends it;
 * the client expects none any more and passes over it.
 */
async function endStream(transport: WebStandardStreamableHTTPServerTransport, id: string | number): Promise<void> {
  const answer = { jsonrpc: '2.0' as const, id, error: { code: requestCancelled, message: 'Cancelled' } }
  // It has been answered in the meantime, or never was asked.
  await transport.send(answer).catch(() => undefined)
}

/** The code that other protocols over JSON-RPC use for it; this one has none. */
const requestCancelled = -32_800

/** The calls that a message, or some of several, takes back. */
function cancelledBy(message: unknown): (string | number)[] {
  return [message].flat().flatMap((one) => {
    const { success, data } = Cancelled.safeParse(one)
    return success ? [data.params.requestId] : []
  })
}

const Cancelled = z.object({
  method: z.literal('notifications/cancelled'),
  params: z.object({ requestId: z.union([z.string(), z.number()]) }),
})

/** One that nobody has a request under way in, where there is one. */
function longestUnused(sessions: readonly Session[]): Session | undefined {
  const [first] = [...sessions].sort(
    (left, right) => Math.min(left.open, 1) - Math.min(right.open, 1) || left.usedAt - right.usedAt,
  )
  return first
}
