import { LinkError } from '../link/index.ts'
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
  | { code: 'request_timeout' }
  | { code: 'request_invalid'; status: number; reason: string }

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

/** @param accept the visitor's Accept field: a browser gets a page, everything else JSON. */
export function problemMessage(problem: VisitorProblem, accept: string): ProblemMessage {
  const { status, title, message, retryAfterSeconds } = problemWords(problem)
  const page = accept.includes('text/html')
  const body = Buffer.from(
    page ? problemPage(status, title, message) : `${JSON.stringify({ error: problem.code, message })}\n`,
  )
  return {
    status,
    fields: [
      ['Content-Type', `${page ? 'text/html' : 'application/json'}; charset=utf-8`],
      ['Content-Length', String(body.length)],
      ['Pharos-Error', problem.code],
      ...(retryAfterSeconds === undefined ? [] : [['Retry-After', String(retryAfterSeconds)] as [string, string]]),
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
      ['Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'"],
    ],
    body,
  }
}

/** The whole response in HTTP/1, ready to be sent; the connection ends with it. */
export function problemResponse(problem: VisitorProblem, accept: string, method: string): Buffer {
  const { status, fields, body } = problemMessage(problem, accept)
  const lines = [
    `HTTP/1.1 ${status} ${reasons[status] ?? 'Error'}`,
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

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  408: 'Request Timeout',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
}

function problemPage(status: number, title: string, message: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(title)}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}h1{font-size:1.4rem}small{opacity:.6}</style></head>
<body><h1>${escapeHtml(title)}</h1><p>${escapeHtml(message)}</p><p><small>${status} · Pharos</small></p></body></html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
