import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { createClient } from '../../client/index.ts'
import { apiPrefix, publicOperations } from '../../contract/api/index.ts'
import { AppError, statusOfCode } from '../../contract/errors.ts'
import type { Send } from '../../contract/exchange.ts'
import { operation } from '../../contract/operation.ts'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, readJson } from '../../http/index.ts'
import { plainAddress } from '../../lib/address.ts'
import type { Log } from '../../lib/log.ts'
import type { Api, McpEndpoint, Visitor } from '../../mcp/index.ts'
import { elsewhere, instructions } from '../../mcp/instructions.ts'
import { problem } from '../../mcp/problem.ts'
import type { Access, Caller } from '../access/index.ts'
import type { Change, Changes } from '../db/index.ts'
import { toRequest, writeResponse } from './exchange.ts'
import { isForeignOrigin } from './origin.ts'

export interface McpOptions {
  access: Access
  changes: Changes
  log: Log
  /** The origin of the panel's own pages, where it is configured. */
  publicOrigin: string | null
}

/** Where agents find the panel's tools. */
export const mcpPath = '/mcp'

/** Somebody who asks, and the API as their key opens it. */
interface Agent extends Visitor {
  readonly caller: Caller
  readonly api: Api
}

type Protocol = typeof import('../../mcp/index.ts')

/**
 * The panel's tools for agents, over HTTP. They are a client of the API like any other: what a tool does is a request with the key of
 * whoever uses it, so that limits, permissions and the log of activity are those of the API.
 */
export class Mcp implements AsyncDisposable {
  readonly #options: McpOptions
  readonly #stops: (() => void)[]
  #app: FastifyInstance | undefined
  /** Made when the first agent comes: most panels have none, and it is a large part of the program. */
  #opening: Promise<McpEndpoint<Agent>> | undefined
  #endpoint: McpEndpoint<Agent> | undefined
  #protocol: Protocol | undefined
  /** Whose keys are in use, by key. */
  readonly #callers = new Map<string, Caller>()
  #closed = false

  constructor(options: McpOptions) {
    this.#options = options
    // Access has subscribed before: what it remembered is forgotten by the time it is asked again.
    this.#stops = [
      options.access.revoked.on(({ kind, id }) => {
        if (kind === 'token') this.#watch(this.#endpoint?.endKey(id))
      }),
      options.changes.on((change) => this.#onChange(change)),
    ]
  }

  /** Adds the routes. They answer once the server runs. */
  routes(app: FastifyInstance): void {
    this.#app = app
    app.register(async (scope) => {
      // Bodies are read by the route itself, after the caller has been admitted.
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
      scope.route({
        method: ['GET', 'POST', 'DELETE'],
        url: mcpPath,
        exposeHeadRoute: false,
        handler: (request, reply) => this.#serve(request, reply),
      })
    })
    // Clients look here for a way to sign in when they are refused: there is none but a key, and a page would confuse them.
    for (const name of ['oauth-protected-resource', 'oauth-authorization-server', 'openid-configuration'])
      for (const url of [`/.well-known/${name}`, `/.well-known/${name}${mcpPath}`])
        app.get(url, (_request, reply) => reply.code(404).send({ error: 'not_found' }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const stop of this.#stops) stop()
    await (await this.#opening)?.[Symbol.asyncDispose]()
  }

  async #serve(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { raw } = request
    const response = reply.raw
    const gone = new AbortController()
    response.once('close', () => gone.abort(new Error('The client went away')))
    const headers: Record<string, string> = {}
    const write = (answer: Response): Promise<void> => {
      for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...headers }))
        if (value !== undefined) response.setHeader(name, value)
      return writeResponse(answer, response, gone.signal)
    }
    reply.hijack()
    try {
      if (isForeignOrigin(raw.headers, this.#options.publicOrigin))
        throw new AppError('forbidden', 'Pages of other sites cannot use this. Programs send no Origin header.')
      const caller = await this.#admit(request, (name, value) => {
        headers[name] = value
      })
      const { messageBytesMax } = await this.#load()
      const message = raw.method === 'POST' ? await readJson(raw, response, messageBytesMax) : undefined
      const endpoint = await this.#open()
      await endpoint.handle(toRequest(raw, gone.signal), message, this.#agent(caller, request), write)
    } catch (error) {
      if (gone.signal.aborted || response.destroyed) return
      if (!(error instanceof AppError))
        this.#options.log.error({ err: error, requestId: request.id }, 'a request of an agent failed')
      if (response.headersSent) response.destroy()
      else await write(refusal(error))
    }
  }

  /** Who it is: a key alone tells, never a browser's session. */
  async #admit(request: FastifyRequest, setHeader: (name: string, value: string) => void): Promise<Caller> {
    const { cookie: _, ...headers }: IncomingHttpHeaders = request.raw.headers
    const { caller } = await this.#options.access.gate.admit(door, {
      headers,
      params: {},
      query: {},
      body: undefined,
      address: plainAddress(request.ip),
      method: request.method,
      setHeader,
    })
    if (caller?.via.kind !== 'token') throw new Error('The gate has admitted somebody without a key')
    return caller
  }

  #agent(caller: Caller, request: FastifyRequest): Agent {
    const { via } = caller
    if (via.kind !== 'token') throw new Error('An agent comes by a key')
    this.#callers.set(via.tokenId, caller)
    const [, key = ''] = /^bearer +([^\s]+) *$/i.exec(request.raw.headers.authorization ?? '') ?? []
    const send = this.#sendAs(plainAddress(request.ip), request.raw.headers['user-agent'])
    const api = createClient(publicOperations, { baseUrl: apiPrefix, token: key, send })
    return { keyId: via.tokenId, userId: caller.userId, caller, api }
  }

  /** Requests to the API of this very process, as from the address that the agent has. */
  #sendAs(address: string, userAgent: string | undefined): Send {
    return async ({ method, path, headers, body, signal }) => {
      signal?.throwIfAborted()
      const app = this.#app
      if (!app) throw new Error('There is no API yet')
      const reply = await app.inject({
        method: method as 'GET',
        url: path,
        headers: { ...headers, ...(userAgent === undefined ? {} : { 'user-agent': userAgent }) },
        remoteAddress: address,
        ...(body === undefined ? {} : { payload: body }),
        ...(signal ? { signal } : {}),
      })
      return {
        status: reply.statusCode,
        headers: {
          get: (name) =>
            reply.headers[name.toLowerCase()] === undefined ? null : String(reply.headers[name.toLowerCase()]),
        },
        text: reply.body,
      }
    }
  }

  async #load(): Promise<Protocol> {
    this.#protocol ??= await import('../../mcp/index.ts')
    return this.#protocol
  }

  #open(): Promise<McpEndpoint<Agent>> {
    if (this.#closed) throw new AppError('internal', 'The panel is stopping: try again in a moment')
    this.#opening ??= this.#load().then(({ McpEndpoint, createToolServer, contractTools, sweepEveryMs }) => {
      const { log } = this.#options
      const tools = contractTools()
      const endpoint = new McpEndpoint<Agent>({
        serve: (visitorOf) =>
          createToolServer({
            version: '1',
            tools,
            apiOf: (context) => visitorOf(context).api,
            elsewhere,
            instructions,
            failed: (error, tool) => log.error({ err: error, tool }, 'a tool failed'),
          }),
        // Most are broken messages of clients, who are told.
        failed: (error) => log.debug({ err: error }, 'a message of an agent was refused'),
      })
      const timer = setInterval(() => this.#recheck(), sweepEveryMs)
      timer.unref()
      this.#stops.push(() => clearInterval(timer))
      this.#endpoint = endpoint
      return endpoint
    })
    return this.#opening
  }

  #onChange(change: Change): void {
    if (change.of === 'member') this.#endpoint?.toolsChanged(change.userId)
    if (change.of === 'member' || change.of === 'workspace' || change.of === 'user') this.#recheck()
  }

  /** Ends what is open by keys that have run out, or whose workspace has been suspended. */
  #recheck(): void {
    const endpoint = this.#endpoint
    if (!endpoint) return
    const open = endpoint.keys()
    for (const [keyId, caller] of this.#callers) {
      if (!open.has(keyId)) this.#callers.delete(keyId)
      else
        this.#watch(
          this.#options.access.stillValid(caller).then((valid) => (valid ? undefined : endpoint.endKey(keyId))),
        )
    }
    this.#watch(endpoint.sweep())
  }

  /** It is tried again by itself: the log alone hears that it failed. */
  #watch(work: Promise<void> | undefined): void {
    work?.catch((error: unknown) =>
      this.#options.log.warn({ err: error }, 'what agents have open could not be looked at'),
    )
  }
}

/** What the gate is asked about: anybody with a key. It is in no document: the protocol describes it. */
const door = operation({
  method: 'POST',
  path: mcpPath,
  family: 'internal',
  tag: 'MCP',
  summary: 'Tools for agents',
  access: 'account',
  reply: z.unknown(),
  errors: [],
})

/** A refusal as clients of the protocol read it. Faults of ours are told to the log alone. */
function refusal(error: unknown): Response {
  if (!(error instanceof AppError)) return problem(500, -32_603, 'Internal error')
  const { code, message, retryAfterSeconds } = error
  return problem(statusOfCode[code], code === 'invalid_request' ? -32_700 : -32_000, message, {
    ...(code === 'unauthorized' ? { 'www-authenticate': 'Bearer' } : {}),
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
  })
}
