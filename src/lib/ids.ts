import { randomBytes, randomUUID } from 'node:crypto'

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz'

/**
 * A new identifier such as `tok_4k2j9x0q1m5v7c3d`: the prefix says what it names, 16 random characters
 * (about 82 bits) make a collision or a guess hopeless.
 */
export function newId(prefix: string): string {
  return `${prefix}_${randomText(16)}`
}

/** A short random name for people to read and paste, such as the `1a7ce997` of `servers/1a7ce997`: 8 hex digits. */
export function newShortId(): string {
  return randomBytes(4).toString('hex')
}

/** A random UUID, used where a peer makes the identifier and the receiver must recognise a repeat. */
export function newUuid(): string {
  return randomUUID()
}

/** `length` characters of `[0-9a-z]`, evenly distributed. */
export function randomText(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      // 252 is the largest multiple of 36 below 256: larger bytes would favour the first letters.
      if (byte < 252 && text.length < length) text += alphabet[byte % 36]
    }
  }
  return text
}
