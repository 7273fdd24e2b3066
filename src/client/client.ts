import { ApiError, type ReceivedReply, readReply, type Send } from '../contract/exchange.ts'
import { lenient } from '../contract/lenient.ts'
import type { Arguments, Operation, Operations, ReplyData } from '../contract/operation.ts'
import { pathOf } from '../contract/path.ts'

export interface ClientOptions {
  /** Where the operations' paths begin: `https://panel.example.org/api/v1`, or with a `send` of its own just `/api/v1`. */
  baseUrl: string
  /** An API key, or a function that gives the newest one. */
  token?: string | (() => string | undefined)
  /** What carries requests: `fetch` unless given. */
  send?: Send
  /** Checks every reply against its schema. For tests: a client in use must bear fields that it does not know yet. */
  checkReplies?: boolean
}

export interface CallOptions {
  signal?: AbortSignal
}

/** One method per operation: takes what the operation declares, resolves to the reply's data, rejects with an `ApiError`. */
export type Client<Ops extends Operations> = {
  readonly [K in keyof Ops]: (...args: CallArguments<Ops[K]>) => Promise<ReplyData<Ops[K]>>
}

/** The first argument may be left out where the operation needs nothing, and must be empty where it takes nothing. */
export type CallArguments<O extends Operation> =
  unknown extends Arguments<O>
    ? [args?: Record<string, never>, options?: CallOptions]
    : Record<never, never> extends Arguments<O>
      ? [args?: Arguments<O>, options?: CallOptions]
      : [args: Arguments<O>, options?: CallOptions]

/**
 * A client of these operations. It follows from the contract alone, so it knows every path, argument and reply type. Runs in
 * browsers. What `send` rejects with passes through.
 */
export function createClient<Ops extends Operations>(operations: Ops, options: ClientOptions): Client<Ops> {
  const send = options.send ?? sendByFetch
  const methods = Object.entries(operations).map(([name, operation]) => [
    name,
    (args?: Given, call?: CallOptions) => request(operation, args ?? {}, call ?? {}, options, send),
  ])
  // The loop above makes exactly the methods that the type lists.
  return Object.fromEntries(methods) as Client<Ops>
}

/** Sends with `fetch`. Rejects with an `unreachable` ApiError that names the server when there is no reply. */
export const sendByFetch: Send = async ({ method, path, headers, body, signal }) => {
  try {
    const reply = await fetch(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(signal ? { signal } : {}),
    })
    return { status: reply.status, headers: reply.headers, text: await reply.text() }
  } catch (cause) {
    signal?.throwIfAborted()
    throw new ApiError('unreachable', `Cannot reach ${path.split('/', 3).join('/')}: ${reasonOf(cause)}`, { cause })
  }
}

interface Given {
  params?: Record<string, unknown>
  query?: Record<string, unknown>
  body?: unknown
}

async function request(
  operation: Operation,
  given: Given,
  { signal }: CallOptions,
  options: ClientOptions,
  send: Send,
): Promise<unknown> {
  const token = typeof options.token === 'function' ? options.token() : options.token
  const headers: Record<string, string> = { accept: 'application/json' }
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`
  if (given.body !== undefined) headers['content-type'] = 'application/json'
  const reply: ReceivedReply = await send({
    method: operation.method,
    path: options.baseUrl.replace(/\/$/, '') + pathOf(operation.path, given.params ?? {}, given.query ?? {}),
    headers,
    ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) }),
    ...(signal ? { signal } : {}),
  })
  const data = readReply(operation.family, reply)
  if (!options.checkReplies) return data
  // Our own processes may be of neighbouring versions.
  return (operation.family === 'internal' ? lenient(operation.reply) : operation.reply).parse(data)
}

/** `fetch` says only "fetch failed"; the reason is in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return String(cause)
  if ('code' in cause && cause.code === 'ECONNREFUSED') return 'nothing listens there'
  return cause.message || ('code' in cause ? String(cause.code) : cause.name)
}
