import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { AppError, ErrorCode } from '../contract/errors.ts'
import type { Contexts } from '../contract/operation.ts'
import type { Log } from '../lib/log.ts'
import { Connections } from './connections.ts'
import { answerFailure, failureBody, unknownRoute } from './failure.ts'
import { preflightHeaders, setApiHeaders, setCorsHeaders, setEveryHeaders, setPageHeaders } from './headers.ts'
import {
  bodyBytesMaxDefault,
  drainMs,
  headerBytesMax,
  headersTimeoutMs,
  keepAliveTimeoutMs,
  paramLengthMax,
  timeoutCheckMs,
} from './limits.ts'
import type { ApiPart, Gate } from './part.ts'
import { type Binding, bindOperation, bindSocket } from './route.ts'
import { bindTransfer } from './transfer.ts'
import { Upgrader } from './upgrade.ts'

/** Another spelling of paths: where the path below the prefix, as sent, matches `from`, the match means `to`. */
export interface PathAlias {
  from: RegExp
  to: string
}

export interface ApiOptions<C extends Contexts> {
  /** What every path of the parts is below: `/api/v1`, or empty. */
  prefix: string
  parts: readonly ApiPart[]
  gate: Gate<C>
  log: Log
  /** Whether pages of any origin may call it (never with cookies). */
  cors: boolean
  bodyBytesMax?: number
  aliases?: readonly PathAlias[]
  /** Addresses or CIDR ranges of proxies whose `X-Forwarded-For` is believed. */
  trustedProxies?: readonly string[]
  /** Told of each reply to a request for an operation: its method and path as declared, for counting. */
  served?: (reply: { method: string; path: string; status: number; seconds: number }) => void
  /** Routes whose paths are whole, below no prefix, each group with a gate of its own; their families shape their errors, too. */
  further?: readonly FurtherRoutes[]
  /** Adds routes that are no operations: pages. It may set the not-found handler for paths outside the prefix. */
  pages?: (app: FastifyInstance) => void
}

/** Operations that somebody else has given their paths: a published protocol. */
export interface FurtherRoutes {
  parts: readonly ApiPart[]
  /** Of whatever contexts: the parts have been checked against theirs. */
  gate: { admit(...asked: Parameters<Gate<Contexts>['admit']>): object }
}

/** An HTTP server that never listens: its connections are handed to it. */
export interface Api extends AsyncDisposable {
  /** Serves one HTTP connection, a socket or a stream of a link, until either side closes it. */
  serve(connection: Duplex): void
  readonly app: FastifyInstance
}

/**
 * Binds operations to an HTTP server. Each request is parsed, admitted by the gate, handled, and answered in the shape of its
 * family. Disposing it lets running requests finish, for a while.
 */
export async function createApi<C extends Contexts>(options: ApiOptions<C>): Promise<Api> {
  const { prefix, log, cors, bodyBytesMax = bodyBytesMaxDefault } = options
  const apiPath = `${prefix}/`
  const setHeaders = (request: FastifyRequest, reply: FastifyReply): void => {
    setEveryHeaders(reply, request.id)
    if (request.originalUrl.startsWith(apiPath)) {
      setApiHeaders(reply)
      if (cors) setCorsHeaders(reply, request.headers.origin)
    } else if (isOperation(request)) setApiHeaders(reply)
    else setPageHeaders(reply)
  }
  const connections = new Connections()
  const upgrader = new Upgrader()
  const server = createServer({
    maxHeaderSize: headerBytesMax,
    headersTimeout: headersTimeoutMs,
    // Uploads take as long as they take: bodies of the API have their own timeout in `body.ts`.
    requestTimeout: 0,
    connectionsCheckingInterval: timeoutCheckMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === 'websocket',
  })
  const app: FastifyInstance = Fastify({
    serverFactory: (handler) => {
      server.on('request', handler)
      return server
    },
    logger: false,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    bodyLimit: bodyBytesMax,
    trustProxy: options.trustedProxies ? [...options.trustedProxies] : false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: paramLengthMax },
    rewriteUrl: rewriter(prefix, options.aliases ?? []),
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket, connections),
    frameworkErrors: (error, request, reply) => {
      setHeaders(request, reply)
      answerFailure(error, request, reply, log)
    },
  })
  app.addHook('onRequest', (request, reply, done) => {
    connections.answering(request.raw.socket, reply.raw)
    setHeaders(request, reply)
    // Operations ask for a body once they know that they want it; other routes always do.
    if (request.raw.headers.expect !== undefined && !isOperation(request)) reply.raw.writeContinue()
    done()
  })
  const { served } = options
  if (served)
    app.addHook('onResponse', (request, reply, done) => {
      const { config, url = '' } = request.routeOptions
      // What is no operation has a path that whoever asks has chosen.
      if (config.family !== undefined)
        served({
          method: request.method,
          path: url.startsWith(apiPath) ? url.slice(prefix.length) : url,
          status: reply.statusCode,
          seconds: reply.elapsedTime / 1000,
        })
      done()
    })
  app.setErrorHandler((error, request, reply) => answerFailure(error, request, reply, log))
  app.register(
    async (scope) => {
      scope.setNotFoundHandler(answerUnknownRoute)
      scope.options('/*', (_request, reply) =>
        reply
          .code(204)
          .headers(cors ? preflightHeaders : {})
          .send(),
      )
      bindParts({ scope, gate: options.gate, log, upgrader, bodyBytesMax }, options.parts)
    },
    { prefix },
  )
  for (const { parts, gate } of options.further ?? [])
    app.register(async (scope) => bindParts({ scope, gate, log, upgrader, bodyBytesMax }, parts))
  if (options.pages) options.pages(app)
  else if (prefix) app.setNotFoundHandler(answerUnknownRoute)
  // Without a listener every client that waits to be asked for its body would be asked before anybody has looked at its request.
  server.on('checkContinue', (request, response) => server.emit('request', request, response))
  upgrader.attach(server, (request, response) => app.routing(request, response))
  await app.ready()
  prepareUnlistened(server)
  return new ServedApi(app, server, connections, upgrader)
}

function bindParts<C extends Contexts>(binding: Binding<C>, parts: readonly ApiPart[]): void {
  // Bodies are read by the route itself, after the caller has been admitted.
  binding.scope.removeAllContentTypeParsers()
  binding.scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
  for (const { operations, sockets, transfers } of parts) {
    for (const { operation, handle } of operations) bindOperation(binding, operation, handle)
    for (const { socket, handle } of sockets) bindSocket(binding, socket, handle)
    for (const { transfer, handle } of transfers) bindTransfer(binding, transfer, handle)
  }
}

/** A path that nothing is found under has no route. */
const isOperation = ({ routeOptions }: FastifyRequest): boolean => routeOptions?.config?.family !== undefined

class ServedApi implements Api {
  readonly app: FastifyInstance
  readonly #server: Server
  readonly #connections: Connections
  readonly #upgrader: Upgrader
  #closing: Promise<void> | undefined

  constructor(app: FastifyInstance, server: Server, connections: Connections, upgrader: Upgrader) {
    this.app = app
    this.#server = server
    this.#connections = connections
    this.#upgrader = upgrader
  }

  serve(connection: Duplex): void {
    if (this.#closing) {
      connection.destroy()
      return
    }
    // Replies are written whole: waiting for more to send would only delay them.
    if (connection instanceof Socket) connection.setNoDelay(true)
    this.#connections.add(connection)
    this.#server.emit('connection', connection)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#upgrader.close()
    await this.#connections.drain(drainMs)
    await this.app.close()
    this.#server.close()
  }
}

/** A server that listens starts watching its connections for timeouts at that moment; one that is handed them needs to be told. */
function prepareUnlistened(server: Server): void {
  server.emit('listening')
}

const answerUnknownRoute = (_request: FastifyRequest, reply: FastifyReply): unknown =>
  reply.code(404).header('content-type', 'application/json; charset=utf-8').send(unknownRoute)

function rewriter(prefix: string, aliases: readonly PathAlias[]): (request: IncomingMessage) => string {
  return ({ url = '/' }) => {
    if (!url.startsWith(prefix)) return url
    for (const { from, to } of aliases) {
      const below = url.slice(prefix.length)
      const meant = below.replace(from, to)
      if (meant !== below) return prefix + meant
    }
    return url
  }
}

/** Bytes that are no HTTP request, or not in time: there is no route, no family and no request id. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Duplex, connections: Connections): void {
  if (error.code === 'ECONNRESET' || !socket.writable || connections.midReply(socket)) {
    socket.destroy()
    return
  }
  const [status, code, message] = brokenRequests[error.code ?? ''] ?? [
    '400 Bad Request',
    'invalid_request',
    'The request is not valid HTTP',
  ]
  const body = JSON.stringify(
    failureBody(
      undefined,
      { code, message, details: undefined } satisfies Pick<AppError, 'code' | 'message' | 'details'>,
      '',
    ),
  )
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

const brokenRequests: Record<string, [status: string, code: ErrorCode, message: string]> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'too_large',
    `The URL and headers are larger than ${headerBytesMax} bytes`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    '408 Request Timeout',
    'invalid_request',
    `The request headers did not arrive within ${headersTimeoutMs / 1000} seconds`,
  ],
}
