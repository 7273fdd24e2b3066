import { type EdgeHello, type Entrance, type HostKind, namesAreKnown } from '../../contract/edge.ts'
import { protocolsOf } from '../../contract/tunnel.ts'
import type { TunnelRow } from '../db/index.ts'

/** The part of an edge's hello that says what it can serve. */
export type EdgeReach = Pick<
  EdgeHello,
  'host' | 'base' | 'scheme' | 'httpPort' | 'linkPort' | 'minecraftPort' | 'udp' | 'ports' | 'region' | 'understands'
>

/** The host names of a tunnel. The second fits a wildcard certificate of the base: `*.tunnels.example.org`. */
export const hostsOf = (name: string, slug: string, base: string): [string, string] => [
  `${name}.${slug}.${base}`,
  `${name}-${slug}.${base}`,
]

/** The ways into a tunnel on an edge with this reach, the one that people are shown first. */
export function entrancesOf(row: TunnelRow, slug: string, reach: EdgeReach): Entrance[] {
  const hosts = hostsOf(row.name, slug, reach.base)
  const ports = { port: row.edge_port ?? 0, ports: row.port_count }
  switch (row.kind) {
    case 'http':
    case 'tls':
    case 'minecraft':
      return [{ kind: row.kind, hosts }]
    case 'tcp':
    case 'udp':
    case 'tcp+udp':
      return protocolsOf(row.kind)
        .filter((kind) => kind === 'tcp' || reach.udp)
        .map((kind) => ({ kind, ...ports }))
    case 'allocation': {
      const byName: Entrance[] =
        row.entrance !== null && reach.minecraftPort !== null ? [{ kind: row.entrance, hosts }] : []
      const byPort: Entrance[] = [{ kind: 'tcp', ...ports }, ...(reach.udp ? [{ kind: 'udp' as const, ...ports }] : [])]
      return namesAreKnown(reach) ? [...byName, ...byPort] : [...byPort, ...byName]
    }
  }
}

/** What visitors use of an entrance: `http://web.acme.localhost:4680`, `minecraft://survival.acme.example.org`, `udp://example.org:30000`. */
export function urlOf(entrance: Entrance, reach: EdgeReach): string {
  if ('port' in entrance) return portUrl(entrance.kind, reach.host, entrance.port, entrance.ports)
  const [host = ''] = entrance.hosts
  const { scheme, port, usual } = wayIn(entrance.kind, reach)
  return `${scheme}://${host}${port === usual ? '' : `:${port}`}`
}

/** `tcp://play.example.org:30000`; of several ports `tcp://play.example.org:30000-30009`. */
export function portUrl(kind: 'tcp' | 'udp', host: string, port: number, ports = 1): string {
  return `${kind}://${host.includes(':') ? `[${host}]` : host}:${port}${ports > 1 ? `-${port + ports - 1}` : ''}`
}

/** Where Minecraft's clients go unless told otherwise. */
export const minecraftPortDefault = 25_565

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

/** The port that all tunnels of the kind share, and the one that clients take when none is named. */
function wayIn(kind: HostKind, reach: EdgeReach): { scheme: string; port: number; usual: number } {
  switch (kind) {
    case 'http':
      return { scheme: reach.scheme, port: reach.httpPort, usual: reach.scheme === 'http' ? 80 : 443 }
    case 'tls':
      return { scheme: 'tls', port: reach.linkPort, usual: 443 }
    case 'minecraft':
      return {
        scheme: 'minecraft',
        port: reach.minecraftPort ?? minecraftPortDefault,
        usual: minecraftPortDefault,
      }
  }
}

/** RFC 1035. */
const labelLengthMax = 63
