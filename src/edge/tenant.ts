import type { Writable } from 'node:stream'
import type { WorkspaceLimits } from '../contract/edge.ts'
import { LinkError } from '../link/index.ts'
import { Pacer } from './pacer.ts'

/** The workspace has used up what its plan allows. */
export class OverQuota extends Error {
  constructor() {
    super('the workspace has used up what its plan allows')
    this.name = 'OverQuota'
  }
}

export const noLimits: WorkspaceLimits = { connections: null, bytesPerSecond: null, overQuota: false }

/** What a workspace may do on this edge, and what it does: all its tunnels share it. */
export class Tenant implements Disposable {
  /** What is written to a stream is this tenant's doing from now on. */
  readonly charge: (stream: Writable) => void
  readonly #now: () => number
  #limits = noLimits
  #pacer: Pacer | null = null
  #connections = 0

  constructor(now: () => number, charge: (stream: Writable) => void) {
    this.#now = now
    this.charge = charge
  }

  /** What its bytes have to pass; null without a limit. */
  get pacer(): Pacer | null {
    return this.#pacer
  }

  /** Visitors of its pages are warned first, by this key, base64url; null: they are not. */
  get warningKey(): string | null {
    return this.#limits.warningKey ?? null
  }

  get overQuota(): boolean {
    return this.#limits.overQuota
  }

  /**
   * Counts one visitor more; each that came in must `leave` once.
   * @throws OverQuota, and LinkError `limit` when there are as many as there may be.
   */
  enter(): void {
    const { overQuota, connections } = this.#limits
    if (overQuota) throw new OverQuota()
    if (connections !== null && this.#connections >= connections)
      throw new LinkError('limit', 'the workspace has as many connections as it may have')
    this.#connections++
  }

  leave(): void {
    this.#connections--
  }

  set limits(limits: WorkspaceLimits) {
    this.#limits = limits
    const { bytesPerSecond } = limits
    if (bytesPerSecond === null) {
      this.#pacer?.[Symbol.dispose]()
      this.#pacer = null
    } else if (this.#pacer) this.#pacer.bytesPerSecond = bytesPerSecond
    else this.#pacer = new Pacer(bytesPerSecond, this.#now)
  }

  [Symbol.dispose](): void {
    this.#pacer?.[Symbol.dispose]()
  }
}
