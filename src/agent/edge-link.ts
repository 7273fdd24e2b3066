import {
  AgentWelcome,
  type EdgeEndpoint,
  EdgeMessage,
  isRaw,
  protocolsOf,
  type TunnelRequest,
  VisitorHead,
} from '../contract/tunnel.ts'
import { type BackoffLimits, backoffMs } from '../lib/backoff.ts'
import type { Log } from '../lib/log.ts'
import type { Secret } from '../lib/secret.ts'
import { type Dialler, type KeptLink, keepLink, type Link, type LinkEnd, LinkError } from '../link/index.ts'
import type { AgentEvent, WantedTunnel } from './agent.ts'
import { forward } from './forward.ts'

/** A refusal that may pass (a name still held elsewhere, a panel away) is tried again after these waits. */
const retryLimits: BackoffLimits = { firstMs: 500, mostMs: 30_000 }

/** What is refused for now is asked for again this often: whoever is let back is back within 5 s. */
const laterLimits: BackoffLimits = { firstMs: 4_000, mostMs: 4_000 }

export interface EdgeLinkOptions {
  edge: EdgeEndpoint
  dialler: Dialler
  credential: () => Secret
  /** What is wanted now; the same map that the agent changes. */
  wanted: ReadonlyMap<string, WantedTunnel>
  emit(event: AgentEvent): void
  /** What the agent's own check says of a wanted tunnel. */
  healthy(id: string): boolean
  /** The edge says which edges there are. */
  onEdges(edges: EdgeEndpoint[]): void
  log: Log
  retry?: BackoffLimits
}

/** One edge of an agent: keeps the link, and on every new one opens everything that is wanted. */
export class EdgeLink implements AsyncDisposable {
  readonly #options: EdgeLinkOptions
  readonly #kept: KeptLink
  readonly #retries = new Map<string, NodeJS.Timeout>()
  readonly #attempts = new Map<string, number>()
  /** Of the current link: the requests on their way, by `ref`, and which wanted tunnel each open one is. */
  #asked = new Map<string, WantedTunnel>()
  #opened = new Map<string, WantedTunnel>()
  #refs = 0
  #link: Link | null = null
  #disposed = false
  #draining = false
  #down = Promise.withResolvers<void>()

  constructor(options: EdgeLinkOptions) {
    this.#options = options
    this.#kept = keepLink({
      dialler: options.dialler,
      hello: () => ({ role: 'agent', version: 1, credential: options.credential().reveal(), software: 'pharos' }),
      log: options.log,
      onUp: (link) => this.#onUp(link),
      onDown: (end, retryMs) => this.#onDown(end, retryMs),
      events: {
        onStream: (stream, head) => {
          const visit = VisitorHead.safeParse(head)
          const tunnel = visit.success ? this.#opened.get(visit.data.tunnelId) : undefined
          // The edge names a tunnel, a way in and a port; only those that this agent has asked for lead anywhere.
          if (visit.success && tunnel && asked(tunnel.request, visit.data))
            forward(stream, tunnel.target, visit.data, (message) =>
              options.emit({ type: 'unreachable', edge: options.edge, id: tunnel.id, message }),
            )
          else stream.destroy(new LinkError('refused', 'this agent has no such tunnel'))
        },
        onMessage: (message, link) => this.#onMessage(message, link),
      },
    })
  }

  /** Opens a tunnel that was added to what is wanted; without a link, that happens when it is up. */
  open(id: string): void {
    const tunnel = this.#options.wanted.get(id)
    if (!tunnel || !this.#link) return
    const ref = String(++this.#refs)
    this.#asked.set(ref, tunnel)
    this.#link.send({ type: 'open', ref, tunnel: tunnel.request })
  }

  /** The edge has said that it ends soon; over a new link it has not. */
  get draining(): boolean {
    return this.#draining
  }

  get up(): boolean {
    return this.#link !== null
  }

  /** Resolves when the present link has ended. */
  get down(): Promise<void> {
    return this.#down.promise
  }

  /** Tells the edge how the service of this tunnel is. */
  tellHealth(id: string): void {
    for (const [tunnelId, owner] of this.#opened)
      if (owner.id === id) this.#link?.send({ type: 'health', tunnelId, healthy: this.#options.healthy(id) })
  }

  /** Closes what was opened for it. */
  close(id: string): void {
    this.#stopRetrying(id)
    for (const [tunnelId, owner] of this.#opened) {
      if (owner.id !== id) continue
      this.#opened.delete(tunnelId)
      this.#link?.send({ type: 'close', tunnelId })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    for (const id of [...this.#retries.keys()]) this.#stopRetrying(id)
    await this.#kept[Symbol.asyncDispose]()
  }

  #onUp(link: Link): void {
    const { edge, wanted, emit } = this.#options
    this.#link = link
    this.#draining = false
    this.#down = Promise.withResolvers()
    this.#asked = new Map()
    this.#opened = new Map()
    const welcome = AgentWelcome.safeParse(link.greeting)
    emit({ type: 'up', edge, slug: welcome.success ? welcome.data.slug : null })
    for (const id of wanted.keys()) this.open(id)
  }

  #onDown(end: LinkEnd, retryMs: number): void {
    const { edge, emit } = this.#options
    this.#link = null
    this.#down.resolve()
    this.#asked = new Map()
    this.#opened = new Map()
    for (const id of [...this.#retries.keys()]) this.#stopRetrying(id)
    if (!this.#disposed) emit({ type: 'down', edge, code: end.code, reason: end.reason, retryMs })
  }

  #onMessage(message: unknown, link: Link): void {
    const { edge, emit, log } = this.#options
    const parsed = EdgeMessage.safeParse(message)
    if (!parsed.success) {
      log.warn({ edge: edge.host }, 'the edge sent a message that this agent does not know')
      return
    }
    if (link !== this.#link) return
    const news = parsed.data
    switch (news.type) {
      case 'opened': {
        const tunnel = this.#answered(news.ref)
        if (!tunnel) {
          // It was given up, or replaced, while the edge was thinking.
          link.send({ type: 'close', tunnelId: news.tunnelId })
          return
        }
        this.#stopRetrying(tunnel.id)
        this.#opened.set(news.tunnelId, tunnel)
        // Well is what the edge takes it for.
        if (!this.#options.healthy(tunnel.id)) this.tellHealth(tunnel.id)
        emit({ type: 'opened', edge, id: tunnel.id, tunnelId: news.tunnelId, url: news.url })
        break
      }
      case 'refused': {
        const tunnel = this.#answered(news.ref)
        if (!tunnel) return
        const { id } = tunnel
        const final = news.code === 'invalid' || news.code === 'forbidden'
        const retryMs = final ? null : this.#retryLater(id, news.code === 'later')
        emit({ type: 'refused', edge, id, code: news.code, message: news.message, retryMs })
        break
      }
      case 'edges':
        this.#options.onEdges(news.edges)
        break
      case 'draining':
        this.#draining = true
        break
      case 'closed': {
        const tunnel = this.#opened.get(news.tunnelId)
        this.#opened.delete(news.tunnelId)
        if (!tunnel) return
        const { id } = tunnel
        // Otherwise not opened again over this link: two agents that want one tunnel would take it from each other for ever.
        if (news.again)
          emit({ type: 'refused', edge, id, code: 'later', message: news.reason, retryMs: this.#retryLater(id, true) })
        else emit({ type: 'closed', edge, id, reason: news.reason })
        break
      }
    }
  }

  /** The tunnel that an answer is about, if it is still wanted just so. */
  #answered(ref: string): WantedTunnel | undefined {
    const tunnel = this.#asked.get(ref)
    this.#asked.delete(ref)
    return tunnel && this.#options.wanted.get(tunnel.id) === tunnel ? tunnel : undefined
  }

  /** @param steadily every few seconds, however often that was in vain; else after growing waits. */
  #retryLater(id: string, steadily: boolean): number {
    const attempt = this.#attempts.get(id) ?? 0
    this.#attempts.set(id, attempt + 1)
    const wait = backoffMs(attempt, this.#options.retry ?? (steadily ? laterLimits : retryLimits))
    clearTimeout(this.#retries.get(id))
    this.#retries.set(
      id,
      setTimeout(() => {
        this.#retries.delete(id)
        this.open(id)
      }, wait),
    )
    return wait
  }

  #stopRetrying(id: string): void {
    clearTimeout(this.#retries.get(id))
    this.#retries.delete(id)
    this.#attempts.delete(id)
  }
}

function asked(request: TunnelRequest, { protocol, offset }: VisitorHead): boolean {
  if (request.kind === 'allocation') return offset === 0 && protocol !== 'http' && protocol !== 'tls'
  if (!isRaw(request)) return request.kind === protocol && offset === 0
  return protocolsOf(request.kind).some((each) => each === protocol) && offset < (request.ports ?? 1)
}
