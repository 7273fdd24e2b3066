/** A table from host names and ports to what is open under them right now. It knows nothing of sockets. */
export class Routing<T> {
  readonly #hosts = new Map<string, T>()
  readonly #ports = new Map<number, T>()
  /** Names that were served here and are not now, oldest first; a visitor of those is told that the agent is away. */
  readonly #lately = new Set<string>()
  readonly #latelyMax: number

  /** @param latelyMax how many names that went offline are remembered; the oldest are forgotten. */
  constructor(latelyMax = 10_000) {
    this.#latelyMax = latelyMax
  }

  /** The owner of a host name as `normalHost` gives it. */
  host(name: string): T | undefined {
    return this.#hosts.get(name)
  }

  port(port: number): T | undefined {
    return this.#ports.get(port)
  }

  /** Whether the name was served here and nobody serves it now. */
  wasServed(name: string): boolean {
    return this.#lately.has(name)
  }

  bindHost(name: string, owner: T): void {
    const key = normalHost(name)
    this.#hosts.set(key, owner)
    this.#lately.delete(key)
  }

  bindPort(port: number, owner: T): void {
    this.#ports.set(port, owner)
  }

  /** Removes the name if it still belongs to `owner`: a newer owner stays. */
  unbindHost(name: string, owner: T): void {
    const key = normalHost(name)
    if (this.#hosts.get(key) !== owner) return
    this.#hosts.delete(key)
    this.#lately.delete(key)
    this.#lately.add(key)
    if (this.#lately.size > this.#latelyMax)
      for (const oldest of this.#lately) {
        this.#lately.delete(oldest)
        break
      }
  }

  /** Removes the port if it still belongs to `owner`. */
  unbindPort(port: number, owner: T): void {
    if (this.#ports.get(port) === owner) this.#ports.delete(port)
  }
}

/** `Web.Acme.Example.ORG.:8080` → `web.acme.example.org`: names compare without case, port and the root's dot. */
export function normalHost(authority: string): string {
  let host = authority.toLowerCase()
  const colon = host.lastIndexOf(':')
  if (colon !== -1 && !host.endsWith(']')) host = host.slice(0, colon)
  return host.endsWith('.') ? host.slice(0, -1) : host
}
