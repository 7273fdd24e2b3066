import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { type ProblemMessage, problemMessage, problemWords, type VisitorProblem } from '../errors.ts'

/** What decides how a problem is told. */
export interface Asker {
  accept: string
  method: string
  grpc: boolean
  /** Where abuse of the host can be told of. */
  report?: string | null
}

/** For whoever has not said anything that could be read. */
export const unknownAsker: Asker = { accept: '', method: 'GET', grpc: false }

/** Answers for the service, or breaks off what it has begun to answer. Idempotent. */
export function answerProblem(stream: ServerHttp2Stream, problem: VisitorProblem, asker: Asker): void {
  if (stream.destroyed || stream.closed) return
  // Part of the service's answer has been written, if perhaps not its head, which waits for the end of the turn.
  if (stream.headersSent || stream.writableLength > 0) {
    breakOff(stream, codeOf(problem))
    return
  }
  if (asker.grpc) {
    // Its clients make little of HTTP's statuses.
    respond(stream, { ':status': 200, 'content-type': 'application/grpc', ...grpcTrailers(problem) }, true)
    endOf(stream)
    return
  }
  answerMessage(stream, problemMessage(problem, asker.accept, asker.report), asker.method)
}

/** Answers with a message of the edge's own. */
export function answerMessage(
  stream: ServerHttp2Stream,
  { status, fields, body }: ProblemMessage,
  method: string,
): void {
  if (stream.destroyed || stream.closed) return
  const headers: Record<string, string | string[]> = { ':status': String(status) }
  for (const [name, value] of fields) {
    const known = headers[name.toLowerCase()]
    headers[name.toLowerCase()] = known === undefined ? value : [known, value].flat()
  }
  const empty = method === 'HEAD' || body.length === 0
  respond(stream, headers, empty)
  if (!empty) stream.end(body)
  endOf(stream)
}

/** Begins the answer. What Node or nghttp2 does not let pass breaks the stream off. */
export function respond(
  stream: ServerHttp2Stream,
  headers: OutgoingHttpHeaders,
  endStream: boolean,
  waitForTrailers = false,
): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return
  try {
    // Node's own Date would stand beside a service's lack of one.
    stream.respond({ ...headers }, { endStream, waitForTrailers, sendDate: false } as object)
  } catch {
    breakOff(stream, constants.NGHTTP2_INTERNAL_ERROR)
  }
}

/** Only this tells the visitor that the answer is not whole. Idempotent. */
export function breakOff(stream: ServerHttp2Stream, code: number): void {
  if (stream.destroyed || stream.closed) return
  // Closing writes what is held first, and throws where that has no head yet: the reset would never be sent.
  if (!stream.headersSent && stream.writableLength > 0) stream.destroy(new Error('the answer broke off'))
  else stream.close(code)
}

/** Passes on an interim (1xx) answer. One that comes late, or that Node does not let pass, is left out. */
export function interim(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return
  try {
    stream.additionalHeaders(headers)
  } catch {
    // Nobody depends on it: the final answer follows.
  }
}

/** After an answer that has no trailers: what of the request still comes is neither read nor waited for (RFC 9113 §8.1). */
export function endOf(stream: ServerHttp2Stream): void {
  stream.resume()
  if (stream.writableFinished) stream.close()
  else stream.once('finish', () => stream.close())
}

/** Ends an answer that was begun with `waitForTrailers`, when Node wants them: as `endOf`, which would come too early. */
export function endWithTrailers(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders): void {
  if (stream.destroyed || stream.closed) return
  try {
    stream.sendTrailers(trailers)
  } catch {
    breakOff(stream, constants.NGHTTP2_INTERNAL_ERROR)
    return
  }
  stream.resume()
  // Closed in the same turn, nghttp2 would leave them out.
  setImmediate(() => stream.close())
}

/** With what an answer is broken off: gRPC's clients, and others, take "calm down" for a limit that is reached. */
export const codeOf = ({ code }: VisitorProblem): number =>
  code === 'over_quota' || code === 'over_limit' || code === 'too_many_requests'
    ? constants.NGHTTP2_ENHANCE_YOUR_CALM
    : constants.NGHTTP2_INTERNAL_ERROR

/** What gRPC's clients read at the end of an answer. */
export function grpcTrailers(problem: VisitorProblem): OutgoingHttpHeaders {
  return {
    'grpc-status': String(grpcStatusOf(problem)),
    // Percent-encoded where gRPC wants it; host names and our words need nothing else.
    'grpc-message': problemWords(problem).message.replace(/[^\x20-\x24\x26-\x7e]/g, (sign) => encodeURIComponent(sign)),
    'pharos-error': problem.code,
  }
}

/** The numbers of gRPC's status codes. */
function grpcStatusOf(problem: VisitorProblem): number {
  switch (problem.code) {
    case 'tunnel_not_found':
      return 5 // NOT_FOUND
    case 'over_limit':
    case 'over_quota':
    case 'too_many_requests':
      return 8 // RESOURCE_EXHAUSTED
    case 'access_denied':
    case 'not_invited':
      return 7 // PERMISSION_DENIED
    case 'sign_in_needed':
    case 'sign_in_failed':
    case 'signature_missing':
      return 16 // UNAUTHENTICATED
    case 'request_invalid':
    case 'service_answer_invalid':
      return 13 // INTERNAL
    case 'request_timeout':
      return 4 // DEADLINE_EXCEEDED
    case 'agent_offline':
    case 'maintenance':
    case 'service_unreachable':
    case 'service_broke_off':
    case 'sign_in_unavailable':
      return 14 // UNAVAILABLE
  }
}
