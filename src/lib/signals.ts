/** A list of listeners for one kind of news. Late subscribers hear nothing of the past. */
export class Signal<T> {
  readonly #listeners = new Set<(news: T) => void>()

  /** Calls `listener` for each later `emit`; the returned function ends that, and may be called twice. */
  on(listener: (news: T) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  emit(news: T): void {
    for (const listener of [...this.#listeners]) listener(news)
  }

  get size(): number {
    return this.#listeners.size
  }
}
