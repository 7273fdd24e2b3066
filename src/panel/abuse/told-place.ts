/** Where something was told to be: whatever people paste, an address or a host name, with or without a port. */
export interface ToldPlace {
  /** In lower case, without the root's dot; empty where nothing could be made of it. */
  host: string
  port: number | null
}

export function toldPlace(text: string): ToldPlace {
  const written = text.trim().split(/\s/, 1)[0] ?? ''
  // Only http has a way to read hosts that everybody agrees on; what else there is, is written like it.
  const address = `http://${written.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')}`
  if (!URL.canParse(address)) return { host: '', port: null }
  const { hostname, port } = new URL(address)
  return { host: hostname.toLowerCase().replace(/\.$/, ''), port: port === '' ? null : Number(port) }
}

/**
 * The name and the workspace that a host name below the base stands for: `web.acme.<base>` or `web-acme.<base>`; null for any other.
 * A slug has no hyphen.
 */
export function tunnelInHost(host: string, base: string): { name: string; slug: string } | null {
  if (!host.endsWith(`.${base}`)) return null
  const labels = host.slice(0, -base.length - 1)
  const parts = /^([a-z0-9-]+)[.-]([a-z0-9]+)$/.exec(labels)
  return parts?.[1] && parts[2] ? { name: parts[1], slug: parts[2] } : null
}
