import type { Writable } from 'node:stream'

/**
 * Bytes leave only after they have been counted on disk. Writes of one turn of the event loop are held back (corked); at its
 * end the counters are written once for all of them, then everything is let go. So a process killed at any instruction has
 * delivered nothing that is not in the counters' file, at the price of one small file write a turn instead of one a packet.
 */
export class Release {
  readonly #count: () => void
  /** Held writables, and whether each ends with its turn. */
  readonly #held = new Map<Writable, boolean>()
  /** What waits for the end of the turn beside them. */
  #later: (() => void)[] = []
  readonly #onTurnEnd = (): void => this.flush()

  /** @param count writes the counters; called before anything is let go. */
  constructor(count: () => void) {
    this.#count = count
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
    this.#begin()
    this.#later.push(send)
  }

  /** Ends the turn now. */
  flush(): void {
    this.#count()
    const held = [...this.#held]
    const later = this.#later
    this.#held.clear()
    this.#later = []
    for (const send of later) send()
    for (const [target, ends] of held)
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
      this.#begin()
      target.cork()
      this.#held.set(target, ends)
    } else if (ends && !held) this.#held.set(target, true)
  }

  #begin(): void {
    if (this.#held.size === 0 && this.#later.length === 0) setImmediate(this.#onTurnEnd)
  }
}

/**
 * What one target may hold before its source is stopped. A turn brings more than a stream's own mark (64 KiB) when a download
 * runs, and stopping it every turn costs a third of its CPU; a slow reader pins no more than this.
 */
const heldBytesMax = 256 * 1024
