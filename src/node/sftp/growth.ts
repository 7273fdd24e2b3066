import type { FileHandle } from 'node:fs/promises'
import { Queue } from '../../lib/queue.ts'
import type { Space } from '../files/space.ts'

/**
 * What an open file may grow by: taken from the server's disk limit before it is written, whatever the offset. A hole counts as
 * what it will hold. Those who have the same file open share one, so that nothing is counted twice.
 */
export class Growth {
  readonly #space: Space
  readonly #turns = new Queue()
  /** The size up to which it is counted. */
  #counted: number

  constructor(space: Space, size: number) {
    this.#space = space
    this.#counted = size
  }

  /** Before something is written up to `end`. Throws `conflict` where the limit does not allow it. */
  async to(end: number): Promise<void> {
    if (end <= this.#counted) return
    // In turn: nobody writes on the strength of what another one has asked for and may not get.
    await this.#turns.run(async () => {
      if (end <= this.#counted) return
      const bytes = end - this.#counted
      await this.#space.reserve(bytes)
      this.#space.written(bytes)
      this.#counted = end
    })
  }

  /** It has been cut from one size to another. */
  cut(from: number, size: number): void {
    if (size < from) this.#space.removed(from - size)
    this.#counted = size
  }

  /** Somebody opens it: the game may have made it longer meanwhile, which is counted when the files are. */
  seen(size: number): void {
    this.#counted = Math.max(this.#counted, size)
  }
}

/** The files that are open for writing on this node, by what they are and not by their names. */
export class Growths {
  readonly #open = new Map<string, { growth: Growth; holders: number }>()

  /** Shared until each holder has called what comes back with it. */
  async of(space: Space, file: FileHandle): Promise<{ growth: Growth; release(): void }> {
    const { dev, ino, size } = await file.stat()
    const key = `${dev}:${ino}`
    const entry = this.#open.get(key) ?? { growth: new Growth(space, size), holders: 0 }
    this.#open.set(key, entry)
    entry.holders += 1
    entry.growth.seen(size)
    let held = true
    return {
      growth: entry.growth,
      release: () => {
        if (held) entry.holders -= 1
        held = false
        if (entry.holders === 0) this.#open.delete(key)
      },
    }
  }
}
