import { randomBytes } from 'node:crypto'
import { Secret } from '../lib/secret.ts'

/** 32 characters in base64url: 192 bits. */
const passwordBytes = 24

/** A new password for a game's account. It has a character of each kind, since some servers insist. */
export function newDatabasePassword(): Secret {
  for (;;) {
    const text = randomBytes(passwordBytes).toString('base64url')
    if ([/[A-Z]/, /[a-z]/, /[0-9]/, /[_-]/].every((kind) => kind.test(text))) return new Secret(text)
  }
}
