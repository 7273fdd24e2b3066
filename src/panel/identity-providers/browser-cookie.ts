import type { RequestFacts } from '../../contract/operation.ts'

/** Of a host alone where TLS makes that possible: no sibling's page can set it then. */
const nameOf = (secure: boolean): string => `${secure ? '__Host-' : ''}pharos_browser`

/** What tells the browser that began a sign-in; null where it holds nothing, or two that differ: a neighbouring host may have planted one. */
export function browserOf(request: Pick<RequestFacts, 'header'>, secure: boolean): string | null {
  const name = `${nameOf(secure)}=`
  const values = new Set(
    (request.header('cookie') ?? '').split(';').flatMap((pair) => {
      const text = pair.trim()
      return text.startsWith(name) ? [text.slice(name.length)] : []
    }),
  )
  const [value] = values
  return values.size === 1 && value !== undefined && /^[\w-]{43}$/.test(value) ? value : null
}

/** The `Set-Cookie` for it: out of reach of scripts, and sent by the panel's own pages alone. */
export const browserCookie = (value: string, secure: boolean): string =>
  `${nameOf(secure)}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${browserSeconds}${secure ? '; Secure' : ''}`

/** Longer than any sign-in takes: several tabs share it. */
const browserSeconds = 3600
