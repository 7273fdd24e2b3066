import { STATUS_CODES } from 'node:http'
import { LinkError } from '../link/index.ts'
import { page } from './access/pages.ts'
import { HttpRefusal } from './ingress/http-head.ts'
import { OverQuota } from './tenant.ts'

/**
 * What a visitor sees when the edge itself has to answer. Each problem has a code of its own, so that "the agent is away" is not
 * mistaken for "the service is down"; nothing else about the installation is told.
 */
export type VisitorProblem =
  | { code: 'tunnel_not_found'; host: string }
  | { code: 'agent_offline'; host: string }
  | { code: 'service_unreachable'; host: string }
  | { code: 'service_broke_off'; host: string }
  | { code: 'service_answer_invalid'; host: string }
  | { code: 'over_limit'; host: string }
  | { code: 'over_quota'; host: string }
  | { code: 'access_denied'; host: string }
  | { code: 'maintenance'; host: string; message: string; retryAfterSeconds: number | null }
  | { code: 'too_many_requests'; host: string; retryAfterSeconds: number }
  /** `challenge`: how a password is asked for; null where only a browser can sign in. */
  | { code: 'sign_in_needed'; host: string; challenge: string | null }
  | { code: 'sign_in_failed'; host: string }
  | { code: 'sign_in_unavailable'; host: string }
  | { code: 'not_invited'; host: string }
  | { code: 'signature_missing'; host: string }
  | { code: 'request_timeout' }
  | { code: 'request_invalid'; status: number; reason: string }

/** The rules of the tunnel keep this visitor out. */
export class AccessRefused extends Error {
  readonly problem: Extract<VisitorProblem, { host: string }>
  constructor(problem: Extract<VisitorProblem, { host: string }>) {
    super(`the rules of the tunnel keep this visitor out: ${problem.code}`)
    this.name = 'AccessRefused'
    this.problem = problem
  }
}

/** A problem in words for people; `status` is HTTP's. Nothing in it is escaped yet: it may hold what a visitor has sent. */
export interface ProblemWords {
  status: number
  title: string
  message: string
  retryAfterSeconds?: number
}

/** What a refused request, or a failed way to a service, means to its visitor. */
export function problemOf(error: unknown, host: string): VisitorProblem {
  if (error instanceof HttpRefusal) return { code: 'request_invalid', status: error.status, reason: error.message }
  if (error instanceof AccessRefused) return { ...error.problem, host }
  if (error instanceof OverQuota) return { code: 'over_quota', host }
  // Node's own: the service speaks something else than HTTP/2, or breaks its rules.
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_HTTP2'))
    return { code: 'service_answer_invalid', host }
  switch (error instanceof LinkError ? error.code : 'lost') {
    case 'limit':
      return { code: 'over_limit', host }
    case 'unreachable':
    case 'refused':
      return { code: 'service_unreachable', host }
    case 'closed':
      return { code: 'service_broke_off', host }
    default:
      return { code: 'agent_offline', host }
  }
}

/** The same as an HTTP response, whatever its version: `fields` are all but those of the connection. */
export interface ProblemMessage {
  status: number
  fields: [name: string, value: string][]
  body: Buffer
}

/** @param accept the visitor's Accept field: a browser gets a page, everything else JSON. @param report where abuse of the host can be told of. */
export function problemMessage(problem: VisitorProblem, accept: string, report: string | null = null): ProblemMessage {
  const { status, title, message, retryAfterSeconds } = problemWords(problem)
  const isPage = accept.includes('text/html')
  const body = Buffer.from(
    isPage
      ? page({ title, message, note: String(status), ...(report === null ? {} : { report }) })
      : `${JSON.stringify({ error: problem.code, message })}\n`,
  )
  return {
    status,
    fields: [
      ['Content-Type', `${isPage ? 'text/html' : 'application/json'}; charset=utf-8`],
      ['Content-Length', String(body.length)],
      ['Pharos-Error', problem.code],
      ...(retryAfterSeconds === undefined ? [] : [['Retry-After', String(retryAfterSeconds)] as [string, string]]),
      ...(problem.code === 'sign_in_needed' && problem.challenge !== null
        ? [['WWW-Authenticate', problem.challenge] as [string, string]]
        : []),
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
      ['Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'"],
    ],
    body,
  }
}

/** The whole response in HTTP/1, ready to be sent; the connection ends with it. */
export function problemResponse(
  problem: VisitorProblem,
  accept: string,
  method: string,
  report: string | null = null,
): Buffer {
  return lastResponse(problemMessage(problem, accept, report), method)
}

/** A response of the edge's own in HTTP/1; the connection ends with it. */
export function lastResponse({ status, fields, body }: ProblemMessage, method: string): Buffer {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    ...fields.map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
    '\r\n',
  ]
  const head = Buffer.from(lines.join('\r\n'))
  return method === 'HEAD' ? head : Buffer.concat([head, body])
}

export function problemWords(problem: VisitorProblem): ProblemWords {
  switch (problem.code) {
    case 'tunnel_not_found':
      return {
        status: 404,
        title: 'No tunnel here',
        message: `Nothing is open at ${problem.host}. Check the address, or open the tunnel again.`,
      }
    case 'agent_offline':
      return {
        status: 503,
        title: 'The machine behind this address is away',
        message: `The agent that serves ${problem.host} is not connected at the moment. It comes back by itself when its machine does.`,
        retryAfterSeconds: 5,
      }
    case 'service_unreachable':
      return {
        status: 502,
        title: 'The service does not answer',
        message: `The agent of ${problem.host} is connected, but the local service behind it refuses connections. Start it, or check its port.`,
      }
    case 'service_broke_off':
      return {
        status: 502,
        title: 'The service hung up',
        message: `The service behind ${problem.host} closed the connection before it answered.`,
      }
    case 'service_answer_invalid':
      return {
        status: 502,
        title: 'The service answered something else',
        message: `What the service behind ${problem.host} sent is not a well-formed HTTP response.`,
      }
    case 'over_limit':
      return {
        status: 503,
        title: 'Too many connections',
        message: `${problem.host} has as many connections as it may have. Try again in a moment.`,
        retryAfterSeconds: 1,
      }
    case 'over_quota':
      return {
        status: 503,
        title: 'Over its quota',
        message: `${problem.host} has used up what its plan allows. Its owner can see when it serves again, or raise it.`,
      }
    case 'access_denied':
      return {
        status: 403,
        title: 'Not for you',
        message: `${problem.host || 'This address'} does not take visitors from your network.`,
      }
    case 'maintenance':
      return {
        status: 503,
        title: 'Be right back',
        message: problem.message,
        ...(problem.retryAfterSeconds === null ? {} : { retryAfterSeconds: problem.retryAfterSeconds }),
      }
    case 'too_many_requests':
      return {
        status: 429,
        title: 'Too many requests',
        message: `${problem.host || 'This address'} takes only so many requests. Try again in ${problem.retryAfterSeconds} seconds.`,
        retryAfterSeconds: problem.retryAfterSeconds,
      }
    case 'sign_in_needed':
      return {
        status: 401,
        title: 'Sign in first',
        message:
          problem.challenge === null
            ? `${problem.host} is for people who have signed in: open it in a browser.`
            : `${problem.host} needs a user name and a password.`,
      }
    case 'sign_in_failed':
      return {
        status: 400,
        title: 'The sign-in did not work',
        message: `It was begun too long ago, in another browser, or was refused. Open ${problem.host} again to try once more.`,
      }
    case 'sign_in_unavailable':
      return {
        status: 502,
        title: 'Nobody can sign in at the moment',
        message: `The provider that signs people in to ${problem.host} does not answer. Try again in a moment.`,
        retryAfterSeconds: 10,
      }
    case 'not_invited':
      return {
        status: 403,
        title: 'You are not invited',
        message: `You have signed in, but ${problem.host} is not for this account. Sign in with another one, or ask its owner.`,
      }
    case 'signature_missing':
      return {
        status: 403,
        title: 'Not signed',
        message: `${problem.host} takes only requests that are signed by whom it expects. Check the secret and the clock of the sender.`,
      }
    case 'request_timeout':
      return { status: 408, title: 'Too slow', message: 'The request did not arrive in time.' }
    case 'request_invalid':
      return {
        status: problem.status,
        title: 'The request is not valid',
        message: `The request was refused: ${problem.reason}.`,
      }
  }
}
