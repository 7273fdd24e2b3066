import { randomBytes } from 'node:crypto'
import { Secret as OtpSecret, TOTP } from 'otpauth'
import { hashSecret, Secret } from '../../lib/secret.ts'
import { recoveryCodesCount, totpSecretBytes, totpStepSeconds, totpStepsAside } from './limits.ts'

/** A new secret for an authenticator app, in base32. */
export const newTotpSecret = (): Secret => new Secret(new OtpSecret({ size: totpSecretBytes }).base32)

/** What authenticator apps scan: `otpauth://totp/…`. */
export const totpUrl = (secret: Secret, email: string): string => totp(secret, email).toString()

/** The step whose code this is, near `now`; null for none. In the same time whatever is wrong. */
export function stepOfCode(secret: Secret, code: string, now: number): number | null {
  const delta = totp(secret, '').validate({ token: code, timestamp: now, window: totpStepsAside })
  return delta === null ? null : Math.floor(now / 1000 / totpStepSeconds) + delta
}

/** What was typed, as either kind of code is kept: without spaces and hyphens, in lower case. */
export function readCode(text: string): { kind: 'totp' | 'recovery'; code: string } {
  const code = text.replace(/[\s-]/g, '').toLowerCase()
  return { kind: /^\d{6}$/.test(code) ? 'totp' : 'recovery', code }
}

/** New recovery codes as people write them down: `abcd-efgh-jkmn-pqrs`, 80 random bits each. */
export const newRecoveryCodes = (): string[] => Array.from({ length: recoveryCodesCount }, newRecoveryCode)

/** How a recovery code is stored. Random enough for a plain hash. */
export const hashRecoveryCode = (code: string): string => hashSecret(readCode(code).code)

/** Without letters and digits that look alike. 32, so that each byte gives one of them evenly. */
const recoveryAlphabet = 'abcdefghijkmnpqrstuvwxyz23456789'
const recoveryLength = 16

function newRecoveryCode(): string {
  const letters = [...randomBytes(recoveryLength)].map((byte) => recoveryAlphabet[byte % recoveryAlphabet.length])
  return (letters.join('').match(/.{4}/g) ?? []).join('-')
}

/** SHA-1, six digits, 30 s: what every app understands. */
const totp = (secret: Secret, label: string): TOTP =>
  new TOTP({ issuer: 'Pharos', label, secret: secret.reveal(), period: totpStepSeconds, digits: 6, algorithm: 'SHA1' })
