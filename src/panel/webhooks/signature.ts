import { createHmac } from 'node:crypto'
import type { Secret } from '../../lib/secret.ts'

/**
 * What a receiver checks: `t=<seconds since 1970>,v1=<hex>`, the HMAC-SHA256 of `<seconds>.<body>`. The time is signed too, so
 * that a recorded delivery cannot be sent again later. With two secrets, while one takes the place of the other, there are two `v1`.
 */
export function signatureOf(body: string, secrets: readonly Secret[], now: number): string {
  const seconds = Math.floor(now / 1000)
  const sign = (secret: Secret): string =>
    createHmac('sha256', secret.reveal()).update(`${seconds}.${body}`).digest('hex')
  return [`t=${seconds}`, ...secrets.map((secret) => `v1=${sign(secret)}`)].join(',')
}
