import { replayHeader } from '../../contract/tunnel-capture.ts'

/**
 * Who a visitor is can only be said by the edge: fields by which proxies tell services the visitor's address are removed from
 * what visitors send, then ours are set.
 */

const identityHeaders = new Set([
  // Marks what was sent again by the edge itself.
  replayHeader.toLowerCase(),
  'forwarded',
  'forwarded-for',
  'x-forwarded',
  'x-original-forwarded-for',
  'x-original-host',
  'x-real-ip',
  'real-ip',
  'client-ip',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-remote-ip',
  'x-remote-addr',
  'remote-addr',
  'proxy-client-ip',
  'wl-proxy-client-ip',
  'x-proxyuser-ip',
  'x-originating-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'fastly-client-ip',
  'fly-client-ip',
  'x-envoy-external-address',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-appengine-user-ip',
  'x-vercel-forwarded-for',
  'x-nf-client-connection-ip',
])

/**
 * Whether a field, named in lower case, claims who the visitor is or how they came. An underscore counts as a hyphen: CGI and
 * WSGI programs cannot tell them apart.
 */
export function isIdentityHeader(name: string): boolean {
  const plain = name.includes('_') ? name.replaceAll('_', '-') : name
  return plain.startsWith('x-forwarded-') || identityHeaders.has(plain)
}

/** The fields that tell the service who its visitor is, each with its line end. */
export function forwardedFields(address: string, scheme: string, authority: string): string {
  const node = address.includes(':') ? `"[${address}]"` : address
  return `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: ${scheme}\r\nX-Forwarded-Host: ${authority}\r\nForwarded: for=${node};host="${authority}";proto=${scheme}\r\n`
}

/** How many those are. */
export const forwardedFieldsCount = 4
