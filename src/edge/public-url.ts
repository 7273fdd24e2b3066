import type { HostKind, PortKind } from '../contract/edge.ts'

/** What an edge is reached by. */
export interface PublicPorts {
  scheme: 'http' | 'https'
  httpPort: number
  minecraftPort: number | null
}

/** `http://web.acme.localhost:4680`; the scheme's own port is left out. */
export function hostUrl(kind: HostKind, host: string, { scheme, httpPort, minecraftPort }: PublicPorts): string {
  switch (kind) {
    case 'http':
      return `${scheme}://${host}${portUnless(scheme === 'http' ? 80 : 443, httpPort)}`
    case 'tls':
      return `tls://${host}${portUnless(443, httpPort)}`
    case 'minecraft':
      return `minecraft://${host}${portUnless(minecraftPortDefault, minecraftPort ?? minecraftPortDefault)}`
  }
}

/** `tcp://play.example.org:30000`; of several ports `tcp://play.example.org:30000-30009`. */
export function portUrl(kind: PortKind, host: string, port: number, ports: number): string {
  return `${kind}://${host.includes(':') ? `[${host}]` : host}:${port}${ports > 1 ? `-${port + ports - 1}` : ''}`
}

/** Where Minecraft's clients go unless told otherwise. */
const minecraftPortDefault = 25_565

const portUnless = (usual: number, port: number): string => (port === usual ? '' : `:${port}`)
