import { z } from 'zod'
import type { GrantedOidcRule } from '../../contract/access-rules.ts'
import type { Claims } from '../../openid/index.ts'

/** Somebody who has signed in, as far as rules ask. It is what a session holds, so it is small. */
export const Person = z.strictObject({
  /** Of this session: signing out ends it. */
  id: z.string().max(50),
  /** Of the key that sealed it: a new key ends it. */
  mark: z.string().max(50),
  issuer: z.string(),
  client: z.string(),
  sub: z.string(),
  /** Verified by the provider, in lower case; null otherwise. */
  email: z.string().nullable(),
  /** Of each claim that the rule asked for: the value that was good. */
  claims: z.record(z.string(), z.string()),
  /** When it ends, ms since 1970. */
  until: z.number(),
})
export type Person = z.output<typeof Person>

/** What the provider says, as a person; `id`, `mark` and `until` are the session's. */
export function personOf(
  rule: GrantedOidcRule,
  claims: Claims,
  session: Pick<Person, 'id' | 'mark' | 'until'>,
): Person {
  const { email, email_verified: verified } = claims
  // Some providers write it as text.
  const good = typeof email === 'string' && (verified === true || verified === 'true')
  const found = Object.entries(rule.claims).flatMap(([name, wanted]) => {
    const said = claims[name]
    const values = (Array.isArray(said) ? said : [said]).map(String)
    const match = said === undefined || said === null ? undefined : wanted.find((value) => values.includes(value))
    return match === undefined ? [] : [[name, match] as const]
  })
  return {
    ...session,
    issuer: rule.issuer,
    client: rule.clientId,
    sub: claims.sub,
    email: good ? email.toLowerCase() : null,
    claims: Object.fromEntries(found),
  }
}

/** Whether the rule lets this person in: somebody of its provider, who is named (by address, domain or anybody) and has each of its claims. */
export function letsIn(rule: GrantedOidcRule, person: Person): boolean {
  const { issuer, client, email, claims } = person
  if (issuer !== rule.issuer || client !== rule.clientId) return false
  const hasClaims = Object.entries(rule.claims).every(([name, wanted]) => wanted.includes(claims[name] ?? ''))
  if (!hasClaims) return false
  if (rule.emails.length + rule.domains.length === 0) return rule.anybody || Object.keys(rule.claims).length > 0
  if (email === null) return false
  return rule.emails.includes(email) || rule.domains.includes(email.slice(email.lastIndexOf('@') + 1))
}
