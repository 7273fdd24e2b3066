import type { Writable } from 'node:stream'
import type { Shares } from './shares.ts'

/**
 * Bytes leave only after they have been counted on disk. Writes of one turn of the event loop are held back (corked); at its
 * end the counters are written once for all of them, then everything is let go. So a process killed at any instruction has
 * delivered nothing that is not in the counters' file, at the price of one small file write a turn instead of one a packet.
 *
 * What goes to a service leaves as far as its tenant's share of the turn reaches; the rest waits for the next turns, and its sources with it.
 */
export class Release {
  readonly #count: () => void
  readonly #shares: Shares
  readonly #tenants = new WeakMap<Writable, string>()
  /** Held writables, and whether each ends with its turn. */
  readonly #held = new Map<Writable, boolean>()
  /** What waits for the end of the turn beside them. */
  #later: (() => void)[] = []
  #planned = false
  readonly #onTurnEnd = (): void => {
    this.#planned = false
    this.#letGo((target) => this.#mayLeave(target))
    if (this.#held.size > 0) this.#plan()
  }

  /**
   * @param count writes the counters; called before anything is let go.
   * @param shares of what leaves for services.
   */
  constructor(count: () => void, shares: Shares) {
    this.#count = count
    this.#shares = shares
  }

  /** What is written to `target` is the tenant's doing. */
  charge(target: Writable, tenant: string): void {
    this.#tenants.set(target, tenant)
  }

  /** Writes at the end of this turn. False: wait for `drain`. */
  write(target: Writable, chunk: Buffer): boolean {
    if (target.writableEnded || target.destroyed) return true
    this.#hold(target, false)
    target.write(chunk)
    return target.writableLength < heldBytesMax
  }

  /** As `target.end`, after what was written. */
  end(target: Writable): void {
    if (target.destroyed || target.writableEnded) return
    this.#hold(target, true)
  }

  /** Sends something that is no stream's at the end of this turn. */
  later(send: () => void): void {
    this.#plan()
    this.#later.push(send)
  }

  /** Lets everything go now, whoever's share it takes. */
  flush(): void {
    this.#letGo(() => true)
  }

  #letGo(mayLeave: (target: Writable) => boolean): void {
    this.#count()
    const leaving = [...this.#held].filter(([target]) => mayLeave(target))
    const later = this.#later
    for (const [target] of leaving) this.#held.delete(target)
    this.#later = []
    for (const send of later) send()
    for (const [target, ends] of leaving)
      try {
        target.uncork()
        if (ends) target.end()
      } catch (error) {
        // A stream of HTTP/2 that was reset meanwhile throws: that is no reason to hold back what is everybody else's.
        target.destroy(error instanceof Error ? error : new Error(String(error)))
      }
  }

  #hold(target: Writable, ends: boolean): void {
    const held = this.#held.get(target)
    if (held === undefined) {
      this.#plan()
      target.cork()
      this.#held.set(target, ends)
    } else if (ends && !held) this.#held.set(target, true)
  }

  #mayLeave(target: Writable): boolean {
    const tenant = this.#tenants.get(target)
    if (tenant === undefined || target.destroyed) return true
    if (!this.#shares.has(tenant)) return false
    this.#shares.spend(tenant, target.writableLength)
    return true
  }

  #plan(): void {
    if (this.#planned) return
    this.#planned = true
    setImmediate(this.#onTurnEnd)
  }
}

/**
 * What one target may hold before its source is stopped. A turn brings more than a stream's own mark (64 KiB) when a download
 * runs, and stopping it every turn costs a third of its CPU; a slow reader pins no more than this.
 */
const heldBytesMax = 256 * 1024
