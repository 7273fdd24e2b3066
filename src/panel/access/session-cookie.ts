import type { IncomingHttpHeaders } from 'node:http'

export const sessionCookieName = 'pharos_session'

/** The secret in the session cookie; null without one, or with two that differ: a neighbouring host may have planted one. */
export function readSessionCookie(headers: IncomingHttpHeaders): string | null {
  const values = new Set<string>()
  for (const pair of (headers.cookie ?? '').split(';')) {
    const [name, ...rest] = pair.split('=')
    if (name?.trim() === sessionCookieName) values.add(rest.join('=').trim())
  }
  const [value] = values
  return values.size === 1 && value ? value : null
}

/** The `Set-Cookie` that starts a session: out of reach of scripts, and never sent along from another site. */
export function sessionCookie(secret: string, options: { secure: boolean; maxAgeSeconds: number }): string {
  const secure = options.secure ? '; Secure' : ''
  return `${sessionCookieName}=${secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${options.maxAgeSeconds}${secure}`
}

/** The `Set-Cookie` that ends it. */
export const endedSessionCookie = (options: { secure: boolean }): string =>
  sessionCookie('', { ...options, maxAgeSeconds: 0 })

/**
 * Whether a browser made the request from a page of the panel itself. `unknown`: no header says so, as with navigation, and
 * with programs.
 */
export function requestOrigin(
  headers: IncomingHttpHeaders,
  publicOrigin: string | null,
): 'own' | 'foreign' | 'unknown' {
  const site = headers['sec-fetch-site']
  // Pages under tunnels of the same domain are `same-site`: as foreign as any other.
  if (site !== undefined && site !== 'none') return site === 'same-origin' ? 'own' : 'foreign'
  const { origin, host } = headers
  if (origin === undefined) return 'unknown'
  if (origin === publicOrigin) return 'own'
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase() ? 'own' : 'foreign'
}
