import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { LinkError, type LinkStream } from '../../link/index.ts'
import type { EdgeLimits } from '../limits.ts'
import { HttpRefusal } from './http-head.ts'

/** A connection to a service that speaks HTTP/2 without TLS. */
export interface ServiceSession {
  readonly session: ClientHttp2Session
  /** Why it broke, if the way says so. */
  error: Error | undefined
  /** Whether the service takes WebSockets (RFC 8441); known once it has told its settings. */
  readonly webSockets: Promise<boolean>
}

/**
 * Speaks HTTP/2 over a stream of the link, which is closed with the session.
 * @param onOver no new request may be sent over it; those under way go on. Called at least once.
 */
export function serviceSession(stream: LinkStream, limits: EdgeLimits, onOver: () => void): ServiceSession {
  const { http2WindowBytes, http2HeadBytesMax } = limits
  const session = connect('http://service', {
    createConnection: () => stream,
    maxHeaderListPairs: headerPairsMax,
    maxSessionMemory: sessionMegabytesMax,
    settings: { enablePush: false, initialWindowSize: http2WindowBytes, maxHeaderListSize: http2HeadBytesMax },
  })
  session.once('connect', () => session.setLocalWindowSize(http2WindowBytes))
  const settings = Promise.withResolvers<boolean>()
  session.once('remoteSettings', ({ enableConnectProtocol }) => settings.resolve(enableConnectProtocol === true))
  const own: ServiceSession = { session, error: undefined, webSockets: settings.promise }
  stream.once('error', (error) => {
    own.error ??= error
  })
  session.on('error', (error: Error) => {
    own.error ??= error
  })
  session.once('goaway', onOver)
  let late: NodeJS.Timeout | undefined
  // What the service has said before it hung up is still read.
  stream.once('end', () => {
    onOver()
    own.error ??= new LinkError('closed', 'the service closed the connection')
    late = setTimeout(() => session.destroy(), limits.lingerMs)
    session.close()
  })
  session.once('close', () => {
    onOver()
    clearTimeout(late)
    settings.resolve(false)
    stream.destroy()
  })
  stream.once('close', () => session.destroy())
  return own
}

export const noWebSockets = (): HttpRefusal =>
  new HttpRefusal(501, 'the service speaks HTTP/2 alone and takes no WebSockets over it (RFC 8441)')

/**
 * Whether an answer has ended as it should: Node ends what is reset, or loses its session, like what is complete.
 * @param whole all that was announced has come, as far as anything was.
 */
export const endedWell = (answer: ClientHttp2Stream, way: ServiceSession, whole: boolean): boolean =>
  whole || (way.error === undefined && !way.session.destroyed && answer.rstCode === constants.NGHTTP2_NO_ERROR)

/**
 * Why a request has failed.
 * @param failure what Node says of it.
 */
export function failureOf(
  request: ClientHttp2Stream | undefined,
  way: ServiceSession,
  failure: Error | undefined,
): Error {
  // What the service says is not HTTP/2: that says more than that it has hung up then, which may be known before.
  if (failure && 'code' in failure && failure.code === 'ERR_HTTP2_ERROR') return failure
  const reset = request?.rstCode !== undefined && request.rstCode !== constants.NGHTTP2_NO_ERROR
  return way.error ?? (reset ? undefined : failure) ?? new LinkError('closed', 'the service ended the request')
}

/** Fields of one head: as many as in HTTP/1, and four that HTTP/1 has in its first line. */
export const headerPairsMax = 204

/** What nghttp2 may hold for one connection, in MB: windows of body beside heads and what waits to be sent. */
export const sessionMegabytesMax = 10
