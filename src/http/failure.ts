import type { FastifyReply, FastifyRequest } from 'fastify'
import { AppError, type ErrorCode, statusOfCode } from '../contract/errors.ts'
import { errorBody } from '../contract/exchange.ts'
import type { Family } from '../contract/operation.ts'
import type { Log } from '../lib/log.ts'
import { CallerGone } from './body.ts'
import { discard } from './linger.ts'
import { isUpgrade } from './upgrade.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Decides the shape of the route's errors. */
    family?: Family
  }
}

/** Answers a request that failed with `thrown`, in the shape of its route's family. Only what is ours to mend is logged. */
export function answerFailure(thrown: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  if (thrown instanceof CallerGone || reply.raw.destroyed) {
    reply.hijack()
    reply.raw.destroy()
    return
  }
  const error = asAppError(thrown)
  if (error.code === 'internal') {
    log.error(
      { err: thrown, requestId: request.id, method: request.method, route: request.routeOptions.url },
      'request failed',
    )
  }
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', String(error.retryAfterSeconds))
  if (error.code === 'unauthorized') reply.header('www-authenticate', 'Bearer')
  const body = JSON.stringify(failureBody(request.routeOptions.config.family, error, request.id))
  reply.code(statusOfCode[error.code]).header('content-type', 'application/json; charset=utf-8')
  if (request.raw.complete || isUpgrade(request.raw)) reply.send(body)
  else void answerEarly(request, reply, body)
}

/** Families are known for routes only; anything else gets a body that satisfies all of them. */
export function failureBody(
  family: Family | undefined,
  error: Pick<AppError, 'code' | 'message' | 'details'>,
  requestId: string,
): object {
  return family ? errorBody(family, error, requestId) : { success: false, ...errorBody('internal', error, requestId) }
}

export const unknownRoute = JSON.stringify({ success: false, error: 'not_found' satisfies ErrorCode })

/**
 * Answers while the client is still sending. The whole reply goes out at once, but the connection is closed only after what
 * still arrives has been thrown away for a while: closing with unread bytes would reset it and destroy the reply on its way.
 */
async function answerEarly(request: FastifyRequest, reply: FastifyReply, body: string): Promise<void> {
  reply.hijack()
  const { raw } = reply
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(reply.statusCode, { 'content-length': Buffer.byteLength(body), connection: 'close' })
  raw.write(body)
  await discard(request.raw)
  raw.end()
}

function asAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  if (isFrameworkError(thrown) && thrown.statusCode < 500) {
    // The framework's own refusals happen before a handler: a bad URL, a content type that is none.
    if (thrown.statusCode === 404) return new AppError('not_found', 'No such route')
    if (thrown.statusCode === 413) return new AppError('too_large', 'The request is too large')
    if (thrown.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
      return refused('headers.content-type', 'is not a media type', 'application/json')
    if (thrown.code === 'FST_ERR_BAD_URL') return refused('path', 'is not a well-formed URL path')
    return new AppError('invalid_request', 'The request is malformed')
  }
  return new AppError('internal', 'internal', { cause: thrown })
}

const refused = (where: string, problem: string, expected?: string): AppError =>
  new AppError('invalid_request', `Invalid request: ${where} ${problem}`, {
    details: [{ where, problem, ...(expected ? { expected } : {}) }],
  })

function isFrameworkError(thrown: unknown): thrown is { code: string; statusCode: number } {
  return (
    thrown instanceof Error &&
    'code' in thrown &&
    String(thrown.code).startsWith('FST_') &&
    'statusCode' in thrown &&
    typeof thrown.statusCode === 'number'
  )
}
