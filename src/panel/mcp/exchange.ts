import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** The request as the standard of the web has it, without its body, which has been read. */
export function toRequest({ method = 'GET', url = '/', headers }: IncomingMessage, signal: AbortSignal): Request {
  const sent = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined || hopByHop.has(name) ? [] : [[name, [value].flat().join(', ')]],
  )
  // Nothing of the address is used but that it is one.
  return new Request(`http://panel${url}`, { method, headers: sent, signal })
}

/** About the connection, or about a body that is not there any more. */
const hopByHop = new Set(['connection', 'content-length', 'expect', 'keep-alive', 'transfer-encoding', 'upgrade'])

/** Sends an answer as fast as the client takes it; resolves when all of it is out, or the client has gone. */
export async function writeResponse(answer: Response, response: ServerResponse, signal: AbortSignal): Promise<void> {
  const { body } = answer
  if (signal.aborted) {
    await body?.cancel()
    response.destroy()
    return
  }
  answer.headers.forEach((value, name) => {
    // Said by Node itself, as the connection needs it.
    if (name !== 'connection') response.setHeader(name, value)
  })
  response.writeHead(answer.status)
  if (body === null) {
    response.end()
    return
  }
  // Whoever opens a stream wants to know that it is open before anything comes over it.
  response.flushHeaders()
  const reader = body.getReader()
  const stop = (): void => {
    reader.cancel().catch(() => undefined)
    response.destroy()
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      if (!response.write(value)) await once(response, 'drain', { signal })
    }
    response.end()
  } catch {
    // The client has gone, or the stream broke: what it got is marked incomplete by the closed connection.
    stop()
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
