import { createServer, type Server, type Socket } from 'node:net'
import type { Log } from '../../lib/log.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Routing } from '../routing.ts'
import type { Tunnel, Visit } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import { plainAddress } from './forwarded.ts'
import type { PortIngress } from './ingresses.ts'
import { pump } from './pump.ts'

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
    const ready = new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port, host: this.#options.listenHost }, () => {
        server.off('error', reject)
        server.on('error', (error) =>
          this.#options.log.warn({ err: error, port }, 'a tunnel port has trouble accepting'),
        )
        resolve()
      })
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
    let visit: Visit | undefined
    const cut = (): void => {
      socket.destroy()
    }
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      visitors.leave(address)
      visit?.leave()
      visit?.stream.destroy()
    })
    try {
      visit = found.owner.visit(
        {
          protocol: 'tcp',
          address,
          port: socket.remotePort ?? 0,
          localAddress: plainAddress(socket.localAddress),
          localPort: port,
          offset: found.offset,
        },
        cut,
      )
    } catch {
      // Raw TCP has no words for "full" or "closed".
      socket.resetAndDestroy()
      return
    }
    const { stream } = visit
    const { meter } = found.owner
    meter.connection()
    // An unreachable service shows as a reset, as it would without the tunnel.
    stream.once('error', () => socket.resetAndDestroy())
    // Ended in order, its last bytes leave at the end of this turn; otherwise there is nothing left to wait for.
    stream.once('close', () => {
      if (!stream.readableEnded) socket.destroy()
    })
    socket.setTimeout(limits.connectionIdleMs, cut)
    pump(socket, stream, release, meter.in)
    pump(stream, socket, release, meter.out)
  }
}
