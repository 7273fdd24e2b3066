import type { Clock } from '../../lib/clock.ts'

export interface CacheOptions {
  /** The value remembered for longest is forgotten first. */
  sizeMax: number
  /** In milliseconds; Infinity where no news can be lost. */
  ageMaxMs: number
  clock: Clock
}

/**
 * Remembers loaded values until one of their tags is dropped. A value that was being loaded while anything was dropped is not kept: it may
 * have been read before the change.
 */
export class TaggedCache<V> {
  readonly #values = new Map<string, { value: V; tags: readonly string[]; until: number }>()
  readonly #keysOfTag = new Map<string, Set<string>>()
  readonly #options: CacheOptions
  #drops = 0

  constructor(options: CacheOptions) {
    this.#options = options
  }

  get(key: string): V | undefined {
    const entry = this.#values.get(key)
    return entry && entry.until > this.#options.clock.now() ? entry.value : undefined
  }

  /** Loads and remembers; null is never remembered, so what begins to exist is found without any news of it. */
  async load(key: string, read: () => Promise<{ value: V; tags: readonly string[] } | null>): Promise<V | null> {
    const before = this.#drops
    const loaded = await read()
    if (!loaded) return null
    if (before === this.#drops) this.#keep(key, loaded)
    return loaded.value
  }

  drop(tag: string): void {
    this.#drops++
    for (const key of this.#keysOfTag.get(tag) ?? []) this.#forget(key)
  }

  clear(): void {
    this.#drops++
    this.#values.clear()
    this.#keysOfTag.clear()
  }

  #keep(key: string, entry: { value: V; tags: readonly string[] }): void {
    this.#forget(key)
    if (this.#values.size >= this.#options.sizeMax) {
      const [oldest] = this.#values.keys()
      if (oldest !== undefined) this.#forget(oldest)
    }
    this.#values.set(key, { ...entry, until: this.#options.clock.now() + this.#options.ageMaxMs })
    for (const tag of entry.tags) {
      const keys = this.#keysOfTag.get(tag)
      if (keys) keys.add(key)
      else this.#keysOfTag.set(tag, new Set([key]))
    }
  }

  #forget(key: string): void {
    const entry = this.#values.get(key)
    if (!entry) return
    this.#values.delete(key)
    for (const tag of entry.tags) {
      const keys = this.#keysOfTag.get(tag)
      keys?.delete(key)
      if (keys?.size === 0) this.#keysOfTag.delete(tag)
    }
  }
}
