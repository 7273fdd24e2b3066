import { createHmac, randomBytes } from 'node:crypto'
import { verify } from '@node-rs/argon2'

/** Whether a password is right, wrong, or cannot be looked at now since too many are. */
export type PasswordVerdict = 'right' | 'wrong' | 'busy'

/**
 * Checks passwords against argon2id hashes, a few at a time. One that was right is remembered for a while, by a keyed hash whose key is this
 * process's alone, so that requests do not cost a hash each; nobody who takes the memory of an edge or the panel's database gets a password
 * without guessing it at argon2's price.
 */
export class Passwords {
  readonly #key = randomBytes(32)
  /** When each that was right was used last, ms; least recently used first. */
  readonly #right = new Map<string, number>()
  #running = 0
  readonly #waiting: (() => void)[] = []

  /** Whether it is known to be right at this moment. @param now ms of a clock that never goes back. */
  isKnown(hash: string, password: string, now: number): boolean {
    const key = this.#keyOf(hash, password)
    const used = this.#right.get(key)
    if (used === undefined) return false
    this.#right.delete(key)
    if (now - used > rememberedMs) return false
    this.#right.set(key, now)
    return true
  }

  async check(hash: string, password: string, now: number): Promise<PasswordVerdict> {
    if (this.#running >= atOnceMax) {
      if (this.#waiting.length >= waitingMax) return 'busy'
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      if (!(await verify(hash, password))) return 'wrong'
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
    this.#right.set(this.#keyOf(hash, password), now)
    if (this.#right.size > rememberedMax)
      for (const oldest of this.#right.keys()) {
        this.#right.delete(oldest)
        break
      }
    return 'right'
  }

  #keyOf(hash: string, password: string): string {
    return createHmac('sha256', this.#key).update(`${hash}\0${password}`).digest('base64')
  }
}

/** A visitor who reads a page for so long is checked again, which they do not notice, ms. */
const rememberedMs = 5 * 60_000

/** About 150 bytes each. */
const rememberedMax = 10_000

/** Each takes a core for some 15 ms, and 19 MiB; traffic needs the other cores. */
const atOnceMax = 2

/** Half a second of work. */
const waitingMax = 64
