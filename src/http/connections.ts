import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** The open connections of a server, each with its newest reply, so that closing can wait for what is running and for nothing else. */
export class Connections {
  readonly #newest = new Map<Duplex, ServerResponse | null>()

  add(connection: Duplex): void {
    this.#newest.set(connection, null)
    connection.once('close', () => this.#newest.delete(connection))
  }

  /** Notes that `connection` has begun to answer with `response`. */
  answering(connection: Duplex, response: ServerResponse): void {
    if (this.#newest.has(connection)) this.#newest.set(connection, response)
  }

  /** Whether a reply has begun on the connection and is not complete: nothing else may be written in between. */
  midReply(connection: Duplex): boolean {
    const response = this.#newest.get(connection)
    return response?.headersSent === true && !response.writableFinished
  }

  /** Closes idle connections at once and busy ones when their reply is out; after `ms` milliseconds those that remain. */
  async drain(ms: number): Promise<void> {
    const closings = [...this.#newest].map(([connection, response]) => {
      const closed = new Promise<void>((resolve) => {
        if (connection.closed) resolve()
        else connection.once('close', () => resolve())
      })
      if (!response || response.writableFinished || response.destroyed) connection.destroy()
      else {
        if (!response.headersSent) response.shouldKeepAlive = false
        response.once('finish', () => connection.end())
        response.once('close', () => connection.end())
      }
      return closed
    })
    const timer = setTimeout(() => {
      for (const connection of this.#newest.keys()) connection.destroy()
    }, ms)
    await Promise.all(closings)
    clearTimeout(timer)
  }
}
