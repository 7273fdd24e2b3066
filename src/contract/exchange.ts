import * as z from 'zod/mini'
import { type AppError, type ErrorCode, type FieldProblem, statusOfCode } from './errors.ts'
import type { Family } from './operation.ts'

/**
 * What one request and its reply look like on the wire. `src/http` writes these shapes, the clients read them: this file and the
 * schemas in `exchange-schemas.ts` are the only places that know them. It goes into every page, hence zod's small edition.
 */

/** One HTTP exchange, whatever carries it: `fetch`, or a stream of a link. `path` begins with a slash and includes the query. */
export type Send = (request: SentRequest) => Promise<ReceivedReply>

export interface SentRequest {
  method: string
  path: string
  headers: Record<string, string>
  body?: string
  signal?: AbortSignal
}

export interface ReceivedReply {
  status: number
  headers: { get(name: string): string | null }
  text: string
}

/** `unreachable` is the caller's own finding: no answer that this API could have given. */
export type ApiErrorCode = ErrorCode | 'unreachable'

/** An error reply as the caller sees it. `message` is fit to be shown to the person who asked. */
export class ApiError extends Error {
  readonly code: ApiErrorCode
  /** The HTTP status, or 0 when there was no reply. */
  readonly status: number
  readonly details: FieldProblem[]
  /** Names the request in the server's log. */
  readonly requestId: string | undefined
  /** With `rate_limited`: whole seconds until another try makes sense. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: ApiErrorCode,
    message: string,
    options: {
      status?: number
      details?: FieldProblem[]
      requestId?: string | undefined
      retryAfterSeconds?: number | undefined
      cause?: unknown
    } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'ApiError'
    this.code = code
    this.status = options.status ?? 0
    this.details = options.details ?? []
    this.requestId = options.requestId
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** The whole success reply. */
export const replyBody = (family: Family, data: unknown): unknown =>
  family === 'panel' ? { success: true, data } : data

/** What an error reply of any family looks like. `errorSchemas` says it for each. */
export type ErrorBody =
  | { success: false; error: string }
  | { error: ErrorCode; message?: string; details?: FieldProblem[] }

/** The whole error reply. An `internal` error tells nothing but where to look for it. */
export function errorBody(
  family: Family,
  error: Pick<AppError, 'code' | 'message' | 'details'>,
  requestId: string,
): ErrorBody {
  const hidden = error.code === 'internal'
  if (family === 'panel') {
    return {
      success: false,
      error: hidden
        ? `Something failed on our side. If it happens again, report it with the request id ${requestId}.`
        : error.message,
    }
  }
  if (hidden) return { error: 'internal' }
  const details = error.details ?? (error.code === 'invalid_request' ? [] : undefined)
  return { error: error.code, message: error.message, ...(details ? { details } : {}) }
}

/** The data of a success reply. Fields that the schema does not know stay: a newer server may send more. */
export function readReply(family: Family, reply: ReceivedReply): unknown {
  if (reply.status < 200 || reply.status > 299) throw readError(reply)
  const body = parseJson(reply.text)
  if (family !== 'panel') {
    if (body === undefined) throw notOurs(reply)
    return body
  }
  const wrapped = PanelReply.safeParse(body)
  if (!wrapped.success) throw notOurs(reply)
  return wrapped.data.data
}

/** The error that a reply of any family means, also when something between the two answered instead. */
export function readError(reply: ReceivedReply): ApiError {
  const body = AnyError.safeParse(parseJson(reply.text))
  if (!body.success) return notOurs(reply)
  const code = codes.safeParse(body.data.error).data ?? codeOfStatus.get(reply.status)
  if (!code) return notOurs(reply)
  const sentence = body.data.message ?? (body.data.error === code ? code.replace('_', ' ') : body.data.error)
  const retryAfter = Number(reply.headers.get('retry-after') ?? Number.NaN)
  return new ApiError(code, sentence, {
    status: reply.status,
    details: body.data.details ?? [],
    requestId: reply.headers.get('x-request-id') ?? undefined,
    retryAfterSeconds: Number.isInteger(retryAfter) ? retryAfter : undefined,
  })
}

const codeOfStatus = new Map<number, ErrorCode>(
  Object.entries(statusOfCode).map(([code, status]) => [status, code as ErrorCode]),
)

const PanelReply = z.object({ success: z.literal(true), data: z.unknown() })

const AnyError = z.object({
  error: z.string(),
  message: z.optional(z.string()),
  details: z.catch(
    z.optional(z.array(z.object({ where: z.string(), problem: z.string(), expected: z.exactOptional(z.string()) }))),
    undefined,
  ),
})
const codes = z.enum(Object.keys(statusOfCode) as [ErrorCode, ...ErrorCode[]])

function notOurs(reply: ReceivedReply): ApiError {
  return new ApiError(
    'unreachable',
    `The answer (status ${reply.status}) is not one of this API. Check the address, and any proxy in between.`,
    {
      status: reply.status,
      requestId: reply.headers.get('x-request-id') ?? undefined,
    },
  )
}

/** The JSON value, or undefined where there is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
