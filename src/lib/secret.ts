import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Bytes of randomness in every key, token and password we make: out of reach of guessing, so a plain hash stores it safely. */
const secretBytes = 32

/** A new high-entropy secret such as `phk_…`: the prefix lets secret scanners find a leaked one. */
export function newSecret(prefix: string): string {
  return `${prefix}_${randomBytes(secretBytes).toString('base64url')}`
}

/** The only form in which a secret of ours is stored: its SHA-256, in hex. Not for passwords, which people choose. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret)
}

/** Compares in a time that does not depend on where the two differ. */
export function sameSecret(left: string, right: string): boolean {
  return timingSafeEqual(hash('sha256', left, 'buffer'), hash('sha256', right, 'buffer'))
}

/** A secret that does not print: `String`, `JSON.stringify` and `console.log` show `[secret]`. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }
  /** The value itself. Call it where it is used, never to pass it on. */
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]'
  }
}
