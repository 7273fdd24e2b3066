import type { Entrance, HostKind, PortKind } from '../contract/edge.ts'

/**
 * A table from host names and ports to what is open under them right now; each kind has its own. It knows nothing of sockets.
 */
export class Routing<T> {
  readonly #hosts: Record<HostKind, Map<string, T>> = { http: new Map(), tls: new Map(), minecraft: new Map() }
  readonly #ports: Record<PortKind, Map<number, { owner: T; offset: number }>> = { tcp: new Map(), udp: new Map() }
  /** Names that were served here and are not now, oldest first; a visitor of those is told that the agent is away. */
  readonly #lately = new Set<string>()
  readonly #latelyMax: number

  /** @param latelyMax how many names that went offline are remembered; the oldest are forgotten. */
  constructor(latelyMax = 10_000) {
    this.#latelyMax = latelyMax
  }

  /** The owner of a host name as `normalHost` gives it: of the name itself, or of the `*.` that covers it. */
  host(kind: HostKind, name: string): T | undefined {
    const table = this.#hosts[kind]
    return table.get(name) ?? table.get(wildcardOf(name))
  }

  /** The owner of a port, and which port of its range that is. */
  port(kind: PortKind, port: number): { owner: T; offset: number } | undefined {
    return this.#ports[kind].get(port)
  }

  /** Whether the name was served here and nobody serves it now. */
  wasServed(kind: HostKind, name: string): boolean {
    return this.#lately.has(`${kind} ${name}`) || this.#lately.has(`${kind} ${wildcardOf(name)}`)
  }

  /** Whoever is bound to any part of the entrance. */
  *ownersOf(entrance: Entrance): Iterable<T> {
    if ('port' in entrance) {
      for (let offset = 0; offset < entrance.ports; offset++) {
        const found = this.#ports[entrance.kind].get(entrance.port + offset)
        if (found) yield found.owner
      }
      return
    }
    for (const host of entrance.hosts) {
      const owner = this.#hosts[entrance.kind].get(normalHost(host))
      if (owner !== undefined) yield owner
    }
  }

  bind(entrance: Entrance, owner: T): void {
    if ('port' in entrance) {
      for (let offset = 0; offset < entrance.ports; offset++)
        this.#ports[entrance.kind].set(entrance.port + offset, { owner, offset })
      return
    }
    for (const host of entrance.hosts) {
      const name = normalHost(host)
      this.#hosts[entrance.kind].set(name, owner)
      this.#lately.delete(`${entrance.kind} ${name}`)
    }
  }

  /** Removes what of the entrance still belongs to `owner`: a newer owner stays. */
  unbind(entrance: Entrance, owner: T): void {
    if ('port' in entrance) {
      const table = this.#ports[entrance.kind]
      for (let port = entrance.port; port < entrance.port + entrance.ports; port++)
        if (table.get(port)?.owner === owner) table.delete(port)
      return
    }
    for (const host of entrance.hosts) this.#unbindHost(entrance.kind, normalHost(host), owner)
  }

  #unbindHost(kind: HostKind, name: string, owner: T): void {
    const table = this.#hosts[kind]
    if (table.get(name) !== owner) return
    table.delete(name)
    const key = `${kind} ${name}`
    this.#lately.delete(key)
    this.#lately.add(key)
    if (this.#lately.size > this.#latelyMax)
      for (const oldest of this.#lately) {
        this.#lately.delete(oldest)
        break
      }
  }
}

/** `Web.Acme.Example.ORG.:8080` → `web.acme.example.org`: names compare without case, port and the root's dot. */
export function normalHost(authority: string): string {
  let host = authority.toLowerCase()
  const colon = host.lastIndexOf(':')
  if (colon !== -1 && !host.endsWith(']')) host = host.slice(0, colon)
  return host.endsWith('.') ? host.slice(0, -1) : host
}

/** A wildcard stands for one label: `web.acme.example.org` → `*.acme.example.org`. */
export const wildcardOf = (host: string): string => `*${host.slice(host.indexOf('.'))}`
