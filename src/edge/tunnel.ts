import type { TunnelGrant } from '../contract/edge.ts'
import type { TunnelRequest, VisitorHead } from '../contract/tunnel.ts'
import { LinkError, type LinkStream } from '../link/index.ts'
import type { TunnelMeter } from './counters.ts'
import type { Session } from './sessions.ts'

/** Who comes, and by which entrance. */
export type Visitor = Omit<VisitorHead, 'tunnelId'>

/** A visitor's way to the service. */
export interface Visit {
  readonly stream: LinkStream
  /** The visitor is gone. Idempotent. */
  leave(): void
}

/** A tunnel that is open: its name or port leads through one agent's link to a local service. */
export class Tunnel {
  readonly grant: TunnelGrant
  readonly request: TunnelRequest
  readonly session: Session
  readonly meter: TunnelMeter
  /** When it was opened, ms since 1970. */
  readonly since: number
  readonly #visitorsMax: number
  readonly #visitors = new Set<() => void>()
  #ended = false

  constructor(options: {
    grant: TunnelGrant
    request: TunnelRequest
    session: Session
    meter: TunnelMeter
    since: number
    visitorsMax: number
  }) {
    this.grant = options.grant
    this.request = options.request
    this.session = options.session
    this.meter = options.meter
    this.since = options.since
    this.#visitorsMax = options.visitorsMax
  }

  get id(): string {
    return this.grant.tunnelId
  }

  get ended(): boolean {
    return this.#ended
  }

  get connections(): number {
    return this.#visitors.size
  }

  /**
   * Lets one visitor connection in and opens its way to the service. The caller counts what it carries with `meter`, closes the
   * stream, and then calls `leave`.
   * @param cut ends the visitor's connection; called when the tunnel ends.
   * @throws LinkError `limit` when the tunnel is full, `closed` when it has ended.
   */
  visit(visitor: Visitor, cut: () => void): Visit {
    if (this.#ended) throw new LinkError('closed', 'the tunnel is closed')
    if (this.#visitors.size >= this.#visitorsMax)
      throw new LinkError('limit', 'the tunnel has as many visitors as it may have')
    const head: VisitorHead = { tunnelId: this.id, ...visitor }
    const stream = this.session.link.open(head)
    this.#visitors.add(cut)
    return {
      stream,
      leave: () => {
        this.#visitors.delete(cut)
      },
    }
  }

  /** Ends every visitor's connection and lets no more in. Idempotent. */
  end(): void {
    this.#ended = true
    const visitors = [...this.#visitors]
    this.#visitors.clear()
    for (const cut of visitors) cut()
  }
}
