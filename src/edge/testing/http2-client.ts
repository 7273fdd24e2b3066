import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'

export interface Answer {
  status: number | undefined
  headers: IncomingHttpHeaders
  trailers: IncomingHttpHeaders
  text: string
  /** How the stream has ended: 0 for well. */
  code: number
}

/** A visitor who knows beforehand that HTTP/2 is spoken. */
export function http2Visitor(closer: AsyncDisposableStack, port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`)
  session.on('error', () => undefined)
  closer.defer(() => session.destroy())
  return session
}

/** Asks, and reads the answer to its end. Never rejects. */
export function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Promise<Answer> {
  const stream = session.request({ ':authority': 'web.acme.localhost', ...headers }, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  return answerOf(stream)
}

export function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders & { ':status'?: number | undefined } = {}
  let trailers: IncomingHttpHeaders = {}
  let text = ''
  stream.once('response', (found) => {
    headers = found
  })
  stream.once('trailers', (found: IncomingHttpHeaders) => {
    trailers = found
  })
  stream.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  stream.on('error', () => undefined)
  return new Promise((resolve) =>
    stream.once('close', () =>
      resolve({ status: headers[':status'], headers, trailers, text, code: stream.rstCode ?? 0 }),
    ),
  )
}

export interface Http2Service {
  port: number
  /** Every connection it had. */
  sessions: ServerHttp2Session[]
}

/** A local service that speaks HTTP/2 without TLS, and nothing else. */
export async function http2Service(
  closer: AsyncDisposableStack,
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<Http2Service> {
  const sessions: ServerHttp2Session[] = []
  const server = createServer()
  server.on('session', (session) => {
    sessions.push(session)
    session.on('error', () => undefined)
  })
  server.on('sessionError', () => undefined)
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    // The session may be gone by the time Node tells of its stream.
    if (!stream.destroyed) onStream(stream, headers)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, sessions }
}
