import type { DomainCertificateRow } from '../db/index.ts'
import { renewAfterShare, renewalInfoMs, renewSpreadShare, retryMs } from './limits.ts'

/** Which way the authority looks. */
export type Method = 'http-01' | 'tls-alpn-01' | 'dns-01'

/** What is to be done for a certificate now. */
export type Duty = 'nothing' | 'go on with the order' | 'order' | 'ask when to renew'

export function dutyOf(
  { next_at: at, order_url: order, certificate, renew_at: renewAt }: DomainCertificateRow,
  now: number,
): Duty {
  if (at === null || at > now) return 'nothing'
  if (order !== null) return 'go on with the order'
  return certificate !== null && renewAt !== null && renewAt > now ? 'ask when to renew' : 'order'
}

/**
 * How a name is validated. A wildcard can only be by the DNS. Of the other two ways each needs another port to lead here, so after a failure it is the
 * other one's turn.
 */
export function methodFor(wildcard: boolean, setting: 'auto' | 'http-01' | 'tls-alpn-01', failures: number): Method {
  if (wildcard) return 'dns-01'
  if (setting !== 'auto') return setting
  return failures % 2 === 0 ? 'http-01' : 'tls-alpn-01'
}

/** When to try again after so many failures in a row, ms since 1970; not before the authority wants it. */
export function nextTry(failures: number, now: number, retryAfterMs: number | null): number {
  const pause = retryMs[Math.min(failures, retryMs.length) - 1] ?? retryMs[0]
  return now + Math.max(pause, retryAfterMs ?? 0)
}

/** When a certificate is renewed unless the authority names a time, ms since 1970. `chance` from 0 to below 1 spreads those that were made together. */
export function renewalTime(from: number, to: number, chance: number): number {
  const life = to - from
  return Math.round(from + life * (renewAfterShare + renewSpreadShare * (chance - 0.5)))
}

/** A moment in the window that the authority names; never later than planned. */
export const renewalIn = (window: { start: number; end: number }, planned: number, chance: number): number =>
  Math.min(planned, Math.round(window.start + (window.end - window.start) * chance))

/** When to ask again about the renewal, or to begin it. */
export const nextLook = (renewAt: number, now: number): number => Math.min(renewAt, now + renewalInfoMs)
