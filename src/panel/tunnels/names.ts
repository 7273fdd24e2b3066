import type { EdgeHello } from '../../contract/edge.ts'

/** The part of an edge's hello that says what it can serve. */
export type EdgeReach = Pick<EdgeHello, 'host' | 'base' | 'scheme' | 'httpPort' | 'tcpPorts'>

/** The host names of an HTTP tunnel. The second fits a wildcard certificate of the base: `*.tunnels.example.org`. */
export const hostsOf = (name: string, slug: string, base: string): [string, string] => [
  `${name}.${slug}.${base}`,
  `${name}-${slug}.${base}`,
]

/** `http://web.acme.localhost:4680`; the scheme's own port is left out. */
export function httpUrl({ scheme, httpPort }: Pick<EdgeReach, 'scheme' | 'httpPort'>, host: string): string {
  return `${scheme}://${host}${httpPort === (scheme === 'http' ? 80 : 443) ? '' : `:${httpPort}`}`
}

/** `tcp://play.example.org:25565` */
export const tcpUrl = (host: string, port: number): string => `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`

/** A DNS label made of what people called something; `number` above 1 tells namesakes apart. */
export function labelOf(name: string, number: number): string {
  const suffix = number > 1 ? `-${number}` : ''
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, labelLengthMax - suffix.length)
    .replace(/-+$/, '')
  return (plain === '' ? 'server' : plain) + suffix
}

/** RFC 1035. */
const labelLengthMax = 63
