import type { Log } from '../../lib/log.ts'
import { lastUsedDelayMs } from './limits.ts'

/** When each key or session was used last, by id, in ms since 1970. */
export type Uses = ReadonlyMap<string, number>

/** Collects uses and writes them together, so that a request costs no write. */
export class LastUsed implements AsyncDisposable {
  readonly #write: (uses: Uses) => Promise<void>
  readonly #log: Log
  #uses = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(write: (uses: Uses) => Promise<void>, log: Log) {
    this.#write = write
    this.#log = log
  }

  touch(id: string, now: number): void {
    this.#uses.set(id, now)
    this.#timer ??= setTimeout(() => void this.flush(), lastUsedDelayMs).unref()
  }

  /** Writes what was collected. Never rejects: a use that could not be written is written with the next ones. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#writeNow())
    return this.#writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush()
    clearTimeout(this.#timer)
  }

  async #writeNow(): Promise<void> {
    if (this.#uses.size === 0) return
    const uses = this.#uses
    this.#uses = new Map()
    try {
      await this.#write(uses)
    } catch (error) {
      this.#log.warn({ error }, 'the times of last use could not be written; they are written with the next ones')
      this.#uses = new Map([...uses, ...this.#uses])
    }
  }
}
