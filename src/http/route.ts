import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { AppError, type FieldProblem } from '../contract/errors.ts'
import { replyBody } from '../contract/exchange.ts'
import { replySchema } from '../contract/exchange-schemas.ts'
import { lenient } from '../contract/lenient.ts'
import type { Contexts, Declared, Operation, Socket } from '../contract/operation.ts'
import type { Log } from '../lib/log.ts'
import { readJson } from './body.ts'
import { Channel, closeCodes } from './channel.ts'
import { Facts } from './facts.ts'
import { nulProblems } from './nul.ts'
import type { Gate } from './part.ts'
import { fieldProblems, invalidFields } from './problems.ts'
import { serialiser } from './serialise.ts'
import { isUpgrade, type Upgrader } from './upgrade.ts'
import { WrittenMessages } from './written-messages.ts'

export interface Binding<C extends Contexts> {
  scope: FastifyInstance
  gate: Gate<C>
  log: Log
  upgrader: Upgrader
  bodyBytesMax: number
}

/** Makes the route of one operation. */
export function bindOperation<C extends Contexts>(
  binding: Binding<C>,
  operation: Operation,
  handle: (input: never) => unknown,
): void {
  const { family } = operation
  const receive = receiver(binding, operation)
  const serialise = serialiser(replySchema(family, operation.reply))
  binding.scope.route({
    method: operation.method,
    url: pathPattern(operation.path),
    config: { family },
    handler: (request, reply) =>
      next(receive(request, reply), (input) =>
        // `part` has checked that the handler takes exactly this operation's input.
        next(handle(input as never), (data) => {
          reply.header('content-type', 'application/json; charset=utf-8')
          return serialise(reply)(replyBody(family, data))
        }),
      ),
  })
}

/** Makes the route of one WebSocket: everything up to the handshake is an ordinary request. */
export function bindSocket<C extends Contexts>(
  binding: Binding<C>,
  socket: Socket,
  handle: (input: never) => unknown,
): void {
  const receive = receiver(binding, socket)
  const serialise = serialiser(socket.sends)
  const written = new WrittenMessages()
  binding.scope.route({
    method: 'GET',
    url: pathPattern(socket.path),
    config: { family: socket.family },
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const input = await receive(request, reply)
      if (!isUpgrade(request.raw))
        throw new AppError('invalid_request', 'This is a live connection: open it with a WebSocket', {
          details: [{ where: 'headers.upgrade', problem: 'is missing', expected: 'websocket' }],
        })
      const toJson = serialise(reply)
      const write = (message: unknown): Buffer => written.of(message, toJson)
      const headers = reply.getHeaders() as Record<string, string>
      reply.hijack()
      binding.upgrader.accept(request.raw, headers, (connection) => {
        const channel: Channel = new Channel(connection, socket.accepts, write, (error) => fail(error))
        const fail = (error: unknown): void => {
          if (channel.signal.aborted) return
          binding.log.error(
            { err: error, requestId: request.id, route: request.routeOptions.url },
            'live connection failed',
          )
          channel.end(closeCodes.failed, 'Internal error')
        }
        void (async () => handle({ ...input, channel } as never))().catch(fail)
      })
    },
  })
}

/** What a handler gets, its types checked where it was paired with its declaration. */
export type Received = object & { params: unknown; query: unknown; body: unknown; request: Facts }

/** Returns the function that turns a request into its handler's input, or throws what shall be answered instead. */
export function receiver<C extends Contexts>(
  { gate, bodyBytesMax }: Binding<C>,
  operation: Declared,
): (request: FastifyRequest, reply: FastifyReply) => Received | Promise<Received> {
  const { params: paramsSchema, query: querySchema } = operation
  const takesBody = operation.method !== 'GET' && !('takes' in operation)
  const strictBody = operation.body ?? noBody
  const bytesMax = ('bodyBytesMax' in operation ? operation.bodyBytesMax : undefined) ?? bodyBytesMax
  refuseLooseBody(operation)
  // What our own processes tell each other repeats files and games, which may hold anything.
  const isPublic = operation.family !== 'internal'
  const bodySchema = isPublic ? strictBody : lenient(strictBody)
  // An invalid body cannot say which permission it needs, yet the caller must be known before learning what is wrong with it.
  const withoutBody = needsBody(operation) ? { ...operation, access: { server: 'visible' } as const } : operation
  return (request, reply) => {
    const problems: FieldProblem[] = []
    const parse = (
      root: string,
      schema: z.ZodType | undefined,
      value: unknown,
      rawText?: readonly string[],
    ): unknown => {
      const found = isPublic ? nulProblems(root, value, rawText) : []
      problems.push(...found)
      return schema && found.length === 0 ? check(root, schema, value, problems) : undefined
    }
    const params = parse('params', paramsSchema, request.params)
    const query = parse('query', querySchema, request.query)
    const facts = new Facts(request, reply)
    const admit = (asked: Declared, body: unknown): object | Promise<object> =>
      gate.admit(asked, {
        headers: request.headers,
        params: texts(params ?? request.params),
        query: request.query,
        body,
        address: facts.address,
        method: request.method,
        setHeader: (name, value) => facts.setHeader(name, value),
      })
    const received = (context: object, body: unknown): Received => {
      if (problems.length > 0) throw invalidFields(problems)
      return { ...context, params, query, body, request: facts }
    }
    const readBody = async (): Promise<Received> => {
      const read = () =>
        readChecked(request, reply, bytesMax, (value) => parse('body', bodySchema, value, operation.rawText))
      if (withoutBody === operation) {
        const context = await admit(operation, undefined)
        const { body, refusal } = await read()
        if (refusal) throw refusal
        return received(context, body)
      }
      const { body, refusal } = await read()
      const context = await admit(refusal || problems.length > 0 ? withoutBody : operation, body)
      if (refusal) throw refusal
      return received(context, body)
    }
    if (takesBody) return readBody()
    // A body where none belongs: it is not read, so the connection cannot be used again.
    if (carriesBody(request) && !('takes' in operation)) reply.header('connection', 'close')
    return next(admit(operation, undefined), (context) => received(context, undefined))
  }
}

const carriesBody = ({ headers }: FastifyRequest): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

/** What follows at once where nothing has to be waited for: most reads answer from memory, and each wait costs a turn. */
function next<T, U>(value: T | Promise<T>, then: (value: T) => U | Promise<U>): U | Promise<U> {
  return value instanceof Promise ? value.then(then) : then(value)
}

const noBody = z
  .strictObject({})
  .optional()
  .transform(() => undefined)

/** Unknown fields are refused, not ignored: a misspelt option must not look as if it had worked. */
function refuseLooseBody(operation: Declared): void {
  if (operation.body instanceof z.ZodObject && operation.body.def.catchall === undefined) {
    throw new Error(`${operation.method} ${operation.path}: its body must be a z.strictObject`)
  }
}

const needsBody = ({ access }: Declared): boolean =>
  typeof access === 'object' && 'server' in access && typeof access.server === 'object'

async function readChecked(
  request: FastifyRequest,
  reply: FastifyReply,
  bytesMax: number,
  parse: (value: unknown) => unknown,
): Promise<{ body?: unknown; refusal?: AppError }> {
  try {
    return { body: parse(await readJson(request.raw, reply.raw, bytesMax)) }
  } catch (error) {
    if (error instanceof AppError) return { refusal: error }
    throw error
  }
}

function check(root: string, schema: z.ZodType, value: unknown, problems: FieldProblem[]): unknown {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  problems.push(...fieldProblems(root, parsed.error, value))
  return undefined
}

function texts(params: unknown): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(params as object)) found[name] = String(value)
  return found
}

/** `/servers/{serverId}` as the router writes it. */
export const pathPattern = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1')
