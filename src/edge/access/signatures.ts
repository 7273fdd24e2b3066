import { createHmac, timingSafeEqual } from 'node:crypto'
import type { GrantedSignatureRule } from '../../contract/access-rules.ts'
import { sameSecret } from '../../lib/secret.ts'
import { soleValueOf } from './fields.ts'

/**
 * Whether a request was signed by whom the rule names. A field that comes twice counts as missing.
 * @param fields the head's, as lines. @param now ms since 1970.
 */
export function isSigned(rule: GrantedSignatureRule, fields: string, body: Buffer, now: number): boolean {
  const field = (name: string): string | undefined => soleValueOf(fields, name)
  const { secret, toleranceSeconds } = rule
  const fresh = (seconds: string | undefined): seconds is string =>
    seconds !== undefined && /^\d{1,12}$/.test(seconds) && Math.abs(now / 1000 - Number(seconds)) <= toleranceSeconds
  const hmac = (algorithm: string, key: string | Buffer, ...parts: (string | Buffer)[]): Buffer => {
    const made = createHmac(algorithm, key)
    for (const part of parts) made.update(part)
    return made.digest()
  }
  switch (rule.signer) {
    case 'github':
      return equals(after(field('x-hub-signature-256'), 'sha256='), 'hex', hmac('sha256', secret, body))
    case 'gitlab': {
      const token = field('x-gitlab-token')
      return token !== undefined && sameSecret(token, secret)
    }
    case 'shopify':
      return equals(field('x-shopify-hmac-sha256'), 'base64', hmac('sha256', secret, body))
    case 'slack': {
      const time = field('x-slack-request-timestamp')
      if (!fresh(time)) return false
      return equals(after(field('x-slack-signature'), 'v0='), 'hex', hmac('sha256', secret, `v0:${time}:`, body))
    }
    case 'stripe': {
      const parts = (field('stripe-signature') ?? '').split(',').map((part) => part.trim())
      const times = parts.flatMap((part) => after(part, 't=') ?? [])
      const [time] = times
      if (times.length !== 1 || !fresh(time)) return false
      const made = hmac('sha256', secret, `${time}.`, body)
      return parts.slice(0, signaturesMax).some((part) => equals(after(part, 'v1='), 'hex', made))
    }
    case 'standard': {
      // Svix, whose form it is, names its fields so.
      const by = field('webhook-id') === undefined ? 'svix' : 'webhook'
      const [id, time] = [field(`${by}-id`), field(`${by}-timestamp`)]
      if (id === undefined || !fresh(time)) return false
      const key = Buffer.from(after(secret, 'whsec_') ?? secret, 'base64')
      const made = hmac('sha256', key, `${id}.${time}.`, body)
      const signatures = (field(`${by}-signature`) ?? '').split(' ')
      return signatures.slice(0, signaturesMax).some((one) => equals(after(one, 'v1,'), 'base64', made))
    }
    case 'hmac': {
      const { header = '', algorithm = 'sha256', encoding = 'hex', prefix = '' } = rule
      return equals(after(field(header.toLowerCase()), prefix), encoding, hmac(algorithm, secret, body))
    }
  }
}

/** While a secret is changed there are two. */
const signaturesMax = 8

const after = (text: string | undefined, prefix: string): string | undefined =>
  text?.startsWith(prefix) ? text.slice(prefix.length) : undefined

/** Decoding is lenient, so what was sent must be just what would be written. */
function equals(text: string | undefined, encoding: 'hex' | 'base64', made: Buffer): boolean {
  if (text === undefined) return false
  const sent = Buffer.from(encoding === 'hex' ? text.toLowerCase() : text)
  const wanted = Buffer.from(made.toString(encoding))
  return sent.length === wanted.length && timingSafeEqual(sent, wanted)
}
