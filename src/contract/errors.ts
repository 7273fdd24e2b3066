/**
 * The closed list of error codes and the HTTP status each one has. Only this table and `src/http` know status numbers.
 * `invalid_request`, `unauthorized`, `not_found` and `internal` are the control-plane document's; the others fill the
 * statuses that both documents name.
 */
export const statusOfCode = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  rate_limited: 429,
  internal: 500,
} as const

export type ErrorCode = keyof typeof statusOfCode

/** One offending field of a request: where it is (`body.resources.memory`), what is wrong, what was expected. */
export interface FieldProblem {
  where: string
  problem: string
  expected?: string
}

export interface AppErrorOptions {
  details?: FieldProblem[]
  /** With `rate_limited`: whole seconds until another try makes sense. */
  retryAfterSeconds?: number
  /** What really happened, for the log alone. */
  cause?: unknown
}

/**
 * An error meant for the person who asked: the message names the thing and the next move. Anything else that is thrown is
 * `internal`: the caller learns only that, the log learns everything.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly details: FieldProblem[] | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.details = options.details
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

export const invalidRequest = (where: string, problem: string, expected?: string): AppError =>
  new AppError('invalid_request', `${where}: ${problem}`, {
    details: [{ where, problem, ...(expected ? { expected } : {}) }],
  })
export const notFound = (what: string): AppError => new AppError('not_found', `${what} not found`)
export const conflict = (message: string): AppError => new AppError('conflict', message)
export const forbidden = (message: string): AppError => new AppError('forbidden', message)
export const unauthorized = (message: string): AppError => new AppError('unauthorized', message)
