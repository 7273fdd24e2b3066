import type { Clock } from '../../lib/clock.ts'
import { edgeBytesMax, freedPart, sweepEveryMs, workspaceBytesMax } from './limits.ts'
import { TunnelTraffic } from './tunnel-traffic.ts'

/**
 * What is known of visitors, of all tunnels of an edge, in memory alone. It is bounded in bytes: by tunnel, by workspace, and in all, where
 * the workspace that has most makes room, so that nobody's flood takes what others keep.
 */
export class Traffic implements Disposable {
  readonly #clock: Clock
  readonly #tunnels = new Map<string, TunnelTraffic>()
  /** Bytes by workspace. */
  readonly #spent = new Map<string, number>()
  readonly #sweep: NodeJS.Timeout
  readonly #bounds: TrafficBounds
  #bytes = 0

  constructor(clock: Clock, bounds: Partial<TrafficBounds> = {}) {
    this.#clock = clock
    this.#bounds = { workspaceBytesMax, edgeBytesMax, ...bounds }
    this.#sweep = setInterval(() => this.sweep(), sweepEveryMs)
    this.#sweep.unref()
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Made where there is none. */
  of(tunnelId: string, workspaceId: string): TunnelTraffic {
    const known = this.#tunnels.get(tunnelId)
    // A tunnel belongs to one workspace for ever; should that not be so, nobody sees what was another one's.
    if (known?.workspaceId === workspaceId) return known
    known?.close()
    const made = new TunnelTraffic(workspaceId, { now: () => this.#clock.now(), spend: this.#spend })
    this.#tunnels.set(tunnelId, made)
    return made
  }

  find(tunnelId: string): TunnelTraffic | undefined {
    return this.#tunnels.get(tunnelId)
  }

  /** Forgets what those tunnels have left that are not open: what their owners want now cannot be known. */
  forgetAllBut(open: ReadonlySet<string>): void {
    for (const [tunnelId, traffic] of this.#tunnels) if (!open.has(tunnelId)) traffic.erase('all')
  }

  /** Lets go of what is too old. */
  sweep(): void {
    const now = this.#clock.now()
    for (const [tunnelId, traffic] of this.#tunnels) {
      traffic.trim(now)
      if (traffic.idle) this.#tunnels.delete(tunnelId)
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep)
    for (const traffic of this.#tunnels.values()) traffic.close()
  }

  readonly #spend = (workspaceId: string, bytes: number): void => {
    this.#bytes += bytes
    const spent = (this.#spent.get(workspaceId) ?? 0) + bytes
    if (spent > 0) this.#spent.set(workspaceId, spent)
    else this.#spent.delete(workspaceId)
    if (bytes <= 0) return
    const { workspaceBytesMax: most } = this.#bounds
    if (spent > most) this.#free(workspaceId, spent - most + most * freedPart)
    if (this.#bytes > this.#bounds.edgeBytesMax) this.#makeRoom()
  }

  #makeRoom(): void {
    let most: string | undefined
    let bytes = 0
    for (const [workspaceId, spent] of this.#spent) {
      if (spent <= bytes) continue
      most = workspaceId
      bytes = spent
    }
    if (most !== undefined) this.#free(most, this.#bounds.edgeBytesMax * freedPart)
  }

  /** Takes from the workspace's tunnel that has most, again and again. */
  #free(workspaceId: string, bytes: number): void {
    for (let freed = 0; freed < bytes; ) {
      let most: TunnelTraffic | undefined
      for (const traffic of this.#tunnels.values())
        if (traffic.workspaceId === workspaceId && traffic.bytes > (most?.bytes ?? 0)) most = traffic
      if (!most) return
      const target = Math.min(bytes - freed, Math.max(1, most.bytes * freedPart))
      for (let own = 0; own < target; ) {
        const dropped = most.dropOldest()
        if (dropped === 0) break
        own += dropped
        freed += dropped
      }
    }
  }
}

/** In bytes. */
export interface TrafficBounds {
  workspaceBytesMax: number
  edgeBytesMax: number
}
