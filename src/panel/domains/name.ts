import { isIP } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'

/** What is before the domain's name in the record that proves whose it is. */
export const proofLabel = '_pharos-verify'

/** What the record of the proof says before the domain's token. */
export const proofPrefix = 'pharos-domain-verify='

/** What the authorities look under (RFC 8555 §8.4). */
export const challengeLabel = '_acme-challenge'

export type DomainName = { ok: true; name: string } | { ok: false; problem: string }

/**
 * What people wrote as the one form that is stored and compared: lower case, ASCII (IDNA), without the root's dot. `*.` may stand
 * before it.
 */
export function domainName(written: string): DomainName {
  const text = written.trim().replace(/\.$/, '')
  const wildcard = text.startsWith('*.')
  const host = domainToASCII(wildcard ? text.slice(2) : text)
  if (host === '' || host.endsWith('.') || host.includes('*'))
    return refused('is not a host name: write app.example.org, or *.example.org')
  if (isIP(host) !== 0 || host.startsWith('[')) return refused('is an address: a domain is a name')
  const labels = host.split('.')
  if (labels.length < 2) return refused('has no dot: a domain of your own ends in .org, .com or the like')
  if (!labels.every((label) => labelPattern.test(label)))
    return refused('has a part that host names cannot have: letters, digits and inner hyphens, at most 63 of them')
  if (host.length + longestPrefix.length > nameCharsMax) return refused('is too long for the records below it')
  const last = labels.at(-1) ?? ''
  if (/^\d+$/.test(last) || nobodys.has(last)) return refused(`ends in .${last}, which nobody can own`)
  return { ok: true, name: wildcard ? `*.${host}` : host }
}

/** As people write it: `bücher.example` of `xn--bcher-kva.example`. */
export const shownName = (name: string): string =>
  isWildcard(name) ? `*.${domainToUnicode(below(name))}` : domainToUnicode(name)

export const isWildcard = (name: string): boolean => name.startsWith('*.')

/** The name without `*.`: where its records are. */
export const below = (name: string): string => (isWildcard(name) ? name.slice(2) : name)

/** Whether visitors of one could be visitors of the other. */
export function overlap(left: string, right: string): boolean {
  if (left === right) return true
  if (isWildcard(left)) return covers(left, right)
  return isWildcard(right) && covers(right, left)
}

/**
 * Why a workspace cannot have this name, whatever it proves: it is the installation's, or would take visitors of it. `own` are the host names
 * that the installation itself is reached by.
 */
export function reservedBy(name: string, own: readonly string[]): string | null {
  const host = below(name)
  return (
    own.find((mine) => host === mine || host.endsWith(`.${mine}`) || (isWildcard(name) && covers(name, mine))) ?? null
  )
}

/** `*.example.org` covers `app.example.org`, and neither `example.org` nor `a.b.example.org`. */
const covers = (wildcard: string, name: string): boolean => {
  const dot = name.indexOf('.')
  return dot > 0 && name.slice(dot + 1) === below(wildcard)
}

const refused = (problem: string): DomainName => ({ ok: false, problem })

const labelPattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** RFC 1035: 255 bytes on the wire are 253 characters. */
const nameCharsMax = 253

const longestPrefix = `${challengeLabel}.`

/** RFC 6761, RFC 7686, RFC 3172: names that the DNS has no owners for. */
const nobodys: ReadonlySet<string> = new Set(['localhost', 'invalid', 'onion', 'arpa', 'local'])
