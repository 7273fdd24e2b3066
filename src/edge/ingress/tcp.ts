import { createServer, type Server, type Socket } from 'node:net'
import { plainAddress } from '../../lib/address.ts'
import type { Log } from '../../lib/log.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Routing } from '../routing.ts'
import type { Tunnel } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import type { PortIngress } from './ingresses.ts'
import { pass } from './passage.ts'
import { listening } from './public-port.ts'

export interface TcpIngressOptions {
  listenHost: string
  routing: Routing<Tunnel>
  visitors: Visitors
  release: Release
  limits: EdgeLimits
  log: Log
}

/** Raw TCP: a port leads to the tunnel that is bound to it at the moment a visitor connects. */
export class TcpIngress implements PortIngress, AsyncDisposable {
  readonly #options: TcpIngressOptions
  readonly #listeners = new Map<number, { server: Server; ready: Promise<void> }>()
  readonly #sockets = new Set<Socket>()

  constructor(options: TcpIngressOptions) {
    this.#options = options
  }

  async listen(port: number): Promise<void> {
    const known = this.#listeners.get(port)
    if (known) return await known.ready
    // Half-open: a visitor that has sent everything still waits for the answer.
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
      (socket) => this.#visit(socket, port),
    )
    const { listenHost, log } = this.#options
    const ready = listening(server, listenHost, port).then(() => {
      server.on('error', (error) => log.warn({ err: error, port }, 'a tunnel port has trouble accepting'))
    })
    const listener = { server, ready }
    this.#listeners.set(port, listener)
    try {
      await ready
    } catch (error) {
      if (this.#listeners.get(port) === listener) this.#listeners.delete(port)
      throw error
    }
  }

  release(port: number): void {
    if (this.#options.routing.port('tcp', port)) return
    this.#listeners.get(port)?.server.close()
    this.#listeners.delete(port)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server } of this.#listeners.values()) server.close()
    this.#listeners.clear()
    for (const socket of this.#sockets) socket.destroy()
  }

  #visit(socket: Socket, port: number): void {
    const { routing, visitors, release, limits } = this.#options
    const found = routing.port('tcp', port)
    const address = plainAddress(socket.remoteAddress)
    if (!found || !visitors.enter(address)) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      visitors.leave(address)
    })
    // Raw TCP has no words: whatever is wrong shows as a reset, just as an unreachable service would without the tunnel.
    const onFailure = (): void => {
      socket.resetAndDestroy()
    }
    pass({ socket, tunnel: found.owner, protocol: 'tcp', offset: found.offset, release, limits, onFailure })
  }
}
