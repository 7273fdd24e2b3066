/**
 * Tunnels of strangers are siblings under one base name, and a browser lets any of them set cookies for all of them unless the base
 * is on the public suffix list. So a `Domain` that is the base, or above it, is taken out of `Set-Cookie`: the cookie stays
 * with the host that set it.
 * @param fields the lines of a response head, each with its line end.
 */
export function keepCookiesHome(fields: string, base: string): string {
  if (!/^set-cookie:/im.test(fields)) return fields
  return fields.replace(/^set-cookie:.*/gim, (line) =>
    line
      .split(';')
      .filter((attribute, index) => index === 0 || !reachesBase(attribute, base))
      .join(';'),
  )
}

function reachesBase(attribute: string, base: string): boolean {
  const [name = '', value = ''] = attribute.split('=', 2).map((part) => part.trim().toLowerCase())
  if (name !== 'domain') return false
  const domain = value.replace(/^[".]+|[".]+$/g, '')
  return domain !== '' && (domain === base || base.endsWith(`.${domain}`))
}
