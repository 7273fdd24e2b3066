import type { Agent, AgentEvent, EdgeTransport, WantedTunnel } from '../../agent/index.ts'
import { backoffMs } from '../../lib/backoff.ts'
import type { Secret } from '../../lib/secret.ts'
import { inWords, linkToEdges, seldom } from '../commands/tunnels/forwarding.ts'
import { connectTo } from '../connection.ts'

export interface SessionOptions {
  panel: string
  key: Secret
  transport: EdgeTransport
  now(): number
  /** Hears everything but repetitions. */
  note(tunnel: string | null, text: string): void
  onEvent(event: AgentEvent): void
}

/** A panel that is away is asked again after these waits: it may be this very machine that is starting. */
const panelRetry = { firstMs: 500, mostMs: 15_000 }

/** One panel with one key: the links to its edges, and the tunnels over them. */
export class Session implements AsyncDisposable {
  readonly panel: string
  /** Each edge, `host:port`, and whether the link to it is up. */
  readonly links = new Map<string, boolean>()
  workspace: string | null = null
  readonly #options: SessionOptions
  readonly #wanted = new Map<string, WantedTunnel>()
  readonly #stop = new AbortController()
  #agent: Agent | null = null
  #starting: Promise<void> | null = null

  constructor(options: SessionOptions) {
    this.#options = options
    this.panel = options.panel
  }

  /** Asks the panel for its edges, once, and begins to link to them. Rejects where it does not answer. */
  async start(): Promise<void> {
    this.#starting ??= this.#link().finally(() => {
      this.#starting = null
    })
    await this.#starting
  }

  /** The same until it works, or this is disposed of. */
  async startUntilItWorks(): Promise<void> {
    const { note } = this.#options
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      try {
        await this.start()
        return
      } catch (error) {
        note(null, `${this.panel}: ${error instanceof Error ? error.message : String(error)}`)
      }
      await wait(backoffMs(attempt, panelRetry), this.#stop.signal)
    }
  }

  /** Opens a tunnel as soon as there is a link; the same name again replaces it. */
  add(tunnel: WantedTunnel): void {
    this.#wanted.set(tunnel.id, tunnel)
    this.#agent?.add(tunnel)
  }

  remove(id: string): void {
    this.#wanted.delete(id)
    this.#agent?.remove(id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#starting?.catch(() => undefined)
    await this.#agent?.[Symbol.asyncDispose]()
    this.#agent = null
  }

  async #link(): Promise<void> {
    if (this.#agent) return
    const { panel, key, transport, now, note, onEvent } = this.#options
    const { client } = connectTo(panel, key)
    const notes = new Map<string | null, (line: string) => void>()
    const noteSeldom = (tunnel: string | null, line: string): void => {
      const known = notes.get(tunnel) ?? seldom((text) => note(tunnel, text), now)
      notes.set(tunnel, known)
      known(line)
    }
    const agent = await linkToEdges(
      { client, key },
      {
        // Those that are wanted by then are added below, not as they were when the panel was asked.
        tunnels: [],
        transport,
        onEvent: (event) => {
          const edge = `${event.edge.host}:${event.edge.port}`
          if (event.type === 'up') {
            this.links.set(edge, true)
            this.workspace = event.slug ?? this.workspace
          } else if (event.type === 'down') this.links.set(edge, false)
          noteSeldom('id' in event ? event.id : null, inWords(event))
          onEvent(event)
        },
      },
    )
    if (this.#stop.signal.aborted) {
      await agent[Symbol.asyncDispose]()
      return
    }
    this.#agent = agent
    for (const tunnel of this.#wanted.values()) agent.add(tunnel)
  }
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
