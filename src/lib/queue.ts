/** Runs tasks one after the other, in the order of `run`. A task that fails does not stop the next one. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(task: () => Promise<T> | T): Promise<T> {
    const result = this.#last.then(task, task)
    this.#last = result.catch(() => undefined)
    return result
  }

  /** Resolves when everything queued so far has finished. */
  async idle(): Promise<void> {
    await this.#last
  }
}
