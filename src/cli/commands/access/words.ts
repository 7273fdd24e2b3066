import type { FieldChanges } from '../../../contract/access-rules.ts'
import type { tunnelAccessOperations } from '../../../contract/api/tunnel-access.ts'
import type { ReplyData } from '../../../contract/operation.ts'
import { bytes, facts } from '../../output.ts'

/** The rules of a tunnel as people read them. */
export function describeAccess(rules: ReplyData<(typeof tunnelAccessOperations)['tunnelAccess']>): string {
  const { ip, maintenance, limits, basic, oidc, headers, signature } = rules
  const some = (words: readonly string[]): string => words.join(', ')
  return facts([
    ['maintenance', maintenance ? `nobody comes in: ${maintenance.message}` : 'no'],
    [
      'networks',
      ip
        ? [ip.allow.length > 0 && `only ${some(ip.allow)}`, ip.deny.length > 0 && `not ${some(ip.deny)}`]
            .filter(Boolean)
            .join('; ')
        : 'all',
    ],
    [
      'requests',
      limits?.requestsPerMinute
        ? `${limits.requestsPerMinute} a minute for ${limits.per === 'visitor' ? 'each visitor' : 'all together'}`
        : 'no limit',
    ],
    ['rate', limits?.bytesPerSecond ? `${bytes(limits.bytesPerSecond)}/s` : 'no limit'],
    ['passwords', basic ? some(basic.users) || 'asked for, but nobody has one' : 'none asked for'],
    ['sign-in', oidc ? `${oidc.issuer} as ${oidc.clientId}` : 'none'],
    [
      'who may sign in',
      oidc &&
        (some([
          ...oidc.emails,
          ...oidc.domains.map((domain) => `@${domain}`),
          ...Object.entries(oidc.claims).map(([name, values]) => `${name}=${values.join('|')}`),
        ]) ||
          'anybody'),
    ],
    ['redirect URIs', oidc && some(oidc.redirectUris)],
    ['signature', signature ? `${signature.signer}${signature.header ? ` in ${signature.header}` : ''}` : 'none'],
    ['request headers', wordsOf(headers?.request)],
    ['response headers', wordsOf(headers?.response)],
  ])
}

function wordsOf(changes: FieldChanges | undefined): string | null {
  if (!changes) return null
  const { remove, set, add } = changes
  return [
    ...remove.map((name) => `-${name}`),
    ...Object.keys(set).map((name) => `=${name}`),
    ...Object.keys(add).map((name) => `+${name}`),
  ].join(', ')
}
