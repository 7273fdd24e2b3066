import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { createFileOnce } from './fs.ts'
import { Secret } from './secret.ts'

/** Keeps secrets that must be read again, such as a password to show: they lie in a database as unreadable text. */
export interface Sealer {
  /**
   * AES-256-GCM under this sealer's key. `purpose` says what the secret belongs to, an id for instance: sealed text that is
   * moved elsewhere does not open there.
   */
  seal(secret: Secret, purpose: string): string
  /** Throws an error that says what to do where the text is of another key, of another purpose, or damaged. */
  open(sealed: string, purpose: string): Secret
  /** 32 bytes in base64url that are always the same for this key and purpose, and tell nothing of the key. */
  derive(purpose: string): Secret
  /** Whether the text was sealed under this key. */
  knows(sealed: string): boolean
}

const keyBytes = 32
/** What GCM is made for: any other length costs an extra hash and gains nothing. */
const nonceBytes = 12
const tagBytes = 16

/** The sealer whose key is kept in this file (0600, base64url): made on first use, once, then the same for ever. */
export async function openSealer(keyFile: string): Promise<Sealer> {
  const text = await createFileOnce(keyFile, () => randomBytes(keyBytes).toString('base64url'))
  await chmod(keyFile, 0o600)
  const key = Buffer.from(text.trim(), 'base64url')
  if (key.length !== keyBytes) throw new Error(`${keyFile} is damaged: it must hold ${keyBytes} bytes in base64url`)
  const prefix = `v1.${createHash('sha256').update(key).digest('base64url').slice(0, 8)}.`
  const knows = (sealed: string): boolean => sealed.startsWith(prefix)
  return {
    knows,
    derive: (purpose) =>
      new Secret(Buffer.from(hkdfSync('sha256', key, '', `derived: ${purpose}`, keyBytes)).toString('base64url')),
    seal(secret, purpose) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(purpose))
      const sealed = Buffer.concat([nonce, cipher.update(secret.reveal(), 'utf8'), cipher.final(), cipher.getAuthTag()])
      return prefix + sealed.toString('base64url')
    },
    open(sealed, purpose) {
      if (!knows(sealed))
        throw new Error(`A stored secret of ${purpose} was sealed under another key than that in ${keyFile}`)
      const bytes = Buffer.from(sealed.slice(prefix.length), 'base64url')
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), {
          authTagLength: tagBytes,
        })
          .setAAD(Buffer.from(purpose))
          .setAuthTag(bytes.subarray(-tagBytes))
        const opened = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()])
        return new Secret(opened.toString('utf8'))
      } catch (cause) {
        throw new Error(`The stored secret of ${purpose} is damaged or belongs to something else`, { cause })
      }
    },
  }
}
