import type { Log, LogOptions } from './log.ts'

/** Lets a log say more or less than it was started with, for a while. */
export class LevelChange implements Disposable {
  readonly #log: Log
  readonly #usual: string
  #timer: NodeJS.Timeout | undefined

  constructor(log: Log) {
    this.#log = log
    this.#usual = log.level
  }

  /**
   * From now on, and for so long; then it is again as it was started. Telling the same once more changes only the end.
   * @param level null: as it was started, now
   */
  set(level: LogOptions['level'] | null, forMs: number): void {
    clearTimeout(this.#timer)
    if (level === null || forMs <= 0) this.#change(this.#usual, 'the log is again as it was started')
    else {
      this.#change(level, 'the log says more or less than usual for a while')
      this.#timer = setTimeout(() => this.set(null, 0), forMs).unref()
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#log.level = this.#usual
  }

  /** Whoever reads the log sees where it differs: said where either level shows warnings, last where it falls silent. */
  #change(level: string, words: string): void {
    const before = this.#log.level
    if (before === level) return
    const spoke = this.#log.isLevelEnabled('warn')
    if (spoke) this.#log.warn({ before, level }, words)
    this.#log.level = level
    if (!spoke) this.#log.warn({ before, level }, words)
  }
}
