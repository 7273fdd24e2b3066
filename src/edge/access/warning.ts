import { createHmac, timingSafeEqual } from 'node:crypto'
import { continuePath } from '../../contract/access-rules.ts'
import { sourceOf } from '../../lib/address.ts'
import { cookieOf, valuesOf } from './fields.ts'
import { page } from './pages.ts'
import { cookie, cookieName, isNavigation } from './sign-in.ts'
import { addressOf, answered, type JudgedRequest, refused, type Verdict } from './verdict.ts'

/** Programs that look at pages skip the warning with it, whatever its value: a page in a browser cannot be made to send it. */
export const skipWarningField = 'pharos-skip-warning'

/**
 * The page that stands before tunnels of some plans, once for each visitor: somebody who was sent there by a letter that looks like their bank's
 * reads first that anybody can be behind it. Programs, sockets, images and scripts pass by.
 * @param key of the workspace, base64url, the same on every edge. @param now ms since 1970. @returns null: go on.
 */
export function warn(
  request: JudgedRequest,
  { tunnelId, key, report, now }: { tunnelId: string; key: string; report: string | null; now: number },
): Verdict | null {
  const { head, scheme, address } = request
  const place = `${tunnelId} ${head.host}`
  const sign = (what: string, until: number): string =>
    `${until}.${createHmac('sha256', Buffer.from(key, 'base64url')).update(`${what} ${until} ${place}`).digest('base64url')}`
  const isGood = (what: string, text: string): boolean => {
    const until = Number(/^\d{1,16}(?=\.)/.exec(text)?.[0] ?? 0)
    const [given, made] = [Buffer.from(text), Buffer.from(sign(what, until))]
    return until > now && given.length === made.length && timingSafeEqual(given, made)
  }
  if (head.target.startsWith(`${continuePath}?`)) {
    const query = new URLSearchParams(head.target.slice(continuePath.length + 1))
    const to = query.get('to') ?? ''
    // Whoever has a link made it for others: only who has read the page goes on by it.
    if (!isGood(`go ${sourceOf(address)}`, query.get('mark') ?? '') || !to.startsWith('/'))
      return answered(302, [['Location', addressOf(request, to.startsWith('/') ? to : '/')]])
    return answered(302, [
      ['Location', addressOf(request, to)],
      ['Set-Cookie', cookie('warned', sign('read', now + warnedMs), scheme, warnedMs / 1000)],
    ])
  }
  if (!isNavigation(request) || valuesOf(head.fields, skipWarningField).length > 0) return null
  if (isGood('read', cookieOf(head.fields, cookieName('warned', scheme)) ?? '')) return null
  if (head.target.length > targetCharsMax)
    return refused({ code: 'request_invalid', status: 400, reason: 'the address is too long to be kept in mind' })
  const go = new URLSearchParams({ to: head.target, mark: sign(`go ${sourceOf(address)}`, now + readingMs) })
  return answered(
    200,
    [['Pharos-Warning', 'shown']],
    page({
      title: `You are about to visit ${head.host}`,
      message:
        'Anybody can put a site here, from their own machine. Go on only if you trust whoever gave you this address.\nNever enter a password, a card number or a recovery phrase that belongs to another site.',
      link: { href: `${continuePath}?${go}`, text: 'Go on' },
      ...(report === null ? {} : { report }),
      note: 'This page is shown once',
    }),
  )
}

/** A week: long enough not to be a nuisance, ms. */
const warnedMs = 7 * 86_400_000
/** How long the page may be read, ms. */
const readingMs = 30 * 60_000
/** It has to fit into another address. */
const targetCharsMax = 4000
