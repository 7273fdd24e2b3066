import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/**
 * What the edge lets a visitor keep for it: nobody else can read or make it, and it opens only for what it was made for. The key is the
 * same on every edge, so any of them can open it.
 */
export class Seal {
  readonly #key: Buffer

  /** @param key of the tunnel, base64url. @param use what is sealed: what is made for one use opens for no other. */
  constructor(key: string, use: string) {
    this.#key = Buffer.from(hkdfSync('sha256', Buffer.from(key, 'base64url'), '', `pharos ${use}`, 32))
  }

  /** @param place where it is good: the tunnel and the host. */
  close(value: object, place: string): string {
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: tagBytes }).setAAD(
      Buffer.from(place),
    )
    return Buffer.concat([nonce, cipher.update(JSON.stringify(value)), cipher.final(), cipher.getAuthTag()]).toString(
      'base64url',
    )
  }

  /** Undefined for whatever was not sealed here for this place. */
  open(text: string, place: string): unknown {
    if (text.length > sealedCharsMax) return undefined
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length <= nonceBytes + tagBytes) return undefined
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      })
        .setAAD(Buffer.from(place))
        .setAuthTag(bytes.subarray(-tagBytes))
      const opened = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()])
      return JSON.parse(opened.toString())
    } catch {
      return undefined
    }
  }
}

const nonceBytes = 12
const tagBytes = 16

/** Browsers keep cookies of up to 4 KiB; nothing that is sealed here is longer. */
export const sealedCharsMax = 4000
