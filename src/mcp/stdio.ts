import type { Readable, Writable } from 'node:stream'
import type { McpServer } from '@modelcontextprotocol/server'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { messageBytesMax } from './limits.ts'

export interface StdioOptions {
  input: Readable
  output: Writable
  /** Ends it. */
  signal: AbortSignal
  /** The server for this client. */
  serve(): McpServer
  /** Hears of broken messages, of which the client is told where it can be. */
  failed(error: Error): void
}

/** Serves one client over two streams until it closes its end, says something too large, or the signal is aborted. */
export async function serveOverStdio({ input, output, signal, serve, failed }: StdioOptions): Promise<void> {
  const transport = new EndingTransport(input, output)
  const handle = serveStdio(serve, { transport, onerror: failed })
  const stop = (): void => void handle.close()
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  await transport.ended
  signal.removeEventListener('abort', stop)
  await handle.close()
}

/** The official transport, which says when it has ended: it belongs to the one who serves over it. */
class EndingTransport extends StdioServerTransport {
  readonly ended: Promise<void>
  readonly #end: () => void

  constructor(input: Readable, output: Writable) {
    super(input, output, { maxBufferSize: messageBytesMax })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
  }

  override async close(): Promise<void> {
    await super.close()
    this.#end()
  }
}
