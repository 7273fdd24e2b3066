import { lstat } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { z } from 'zod'
import { CommandError } from '../command.ts'
import type { BackgroundFolder } from './folder.ts'
import {
  AgentStatus,
  type CloseBody,
  Closed,
  JournalEntry,
  LocalTunnel,
  type OpenBody,
  Refusal,
  Stopping,
} from './messages.ts'

/** Nobody serves the socket: there is no agent, or it was killed, or it has just ended. */
export class NoAgent extends Error {
  constructor() {
    super('no background agent is running')
    this.name = 'NoAgent'
  }
}

/** The background agent of this user, as commands talk to it. Every call rejects with `NoAgent` where there is none. */
export class LocalAgent {
  readonly #socket: string

  constructor(folder: BackgroundFolder) {
    this.#socket = folder.socket
  }

  status = (): Promise<AgentStatus> => this.#ask('GET', '/v1/status', AgentStatus)
  open = (body: z.input<typeof OpenBody>): Promise<LocalTunnel> => this.#ask('POST', '/v1/tunnels', LocalTunnel, body)
  close = async (body: z.input<typeof CloseBody>): Promise<string[]> =>
    (await this.#ask('POST', '/v1/close', Closed, body)).closed
  stop = async (): Promise<void> => {
    await this.#ask('POST', '/v1/stop', Stopping)
  }

  /** The newest entries of the journal, and with `follow` all later ones until the signal or the agent's end. */
  async *logs(
    { lines, follow, tunnel }: { lines: number; follow: boolean; tunnel: string | null },
    signal: AbortSignal,
  ): AsyncGenerator<JournalEntry> {
    const query = new URLSearchParams({
      lines: String(lines),
      follow: String(follow),
      ...(tunnel !== null && { tunnel }),
    })
    const response = await this.#send('GET', `/v1/logs?${query}`)
    const entries = createInterface({ input: response })
    // However it ends, by us or by the agent: the lines alone would be waited for.
    response.on('error', () => undefined)
    response.once('close', () => entries.close())
    const end = (): void => {
      response.destroy()
    }
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    try {
      for await (const line of entries) yield JournalEntry.parse(JSON.parse(line))
    } catch (error) {
      if (!response.destroyed) throw error
    } finally {
      signal.removeEventListener('abort', end)
      end()
    }
  }

  async #ask<T extends z.ZodType>(method: string, path: string, reply: T, body?: unknown): Promise<z.output<T>> {
    const response = await this.#send(method, path, body)
    const answer: unknown = JSON.parse(
      await text(response).catch(() => {
        // It was killed in the middle of its answer.
        throw new NoAgent()
      }),
    )
    if (response.statusCode === 200) return reply.parse(answer)
    const refusal = Refusal.safeParse(answer)
    throw new CommandError(refusal.success ? refusal.data.error : 'The background agent gave no sense as an answer.')
  }

  /** Says nothing, least of all a key, unless the socket is this user's own. */
  async #send(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    const found = await lstat(this.#socket).catch(() => null)
    if (!found) throw new NoAgent()
    if (!found.isSocket() || (process.getuid !== undefined && found.uid !== process.getuid()))
      throw new CommandError(`${this.#socket} is not the socket of an agent of yours. Look at it, and remove it.`)
    return await new Promise((resolve, reject) => {
      const asking = request({ socketPath: this.#socket, method, path, agent: false }, resolve)
      asking.on('error', (error: NodeJS.ErrnoException) =>
        reject(goneCodes.has(error.code ?? '') ? new NoAgent() : error),
      )
      asking.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
}

const goneCodes = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'])
