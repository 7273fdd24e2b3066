import { createServer, type Server, type Socket } from 'node:net'
import type { Log } from '../../lib/log.ts'
import type { LinkStream } from '../../link/index.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Routing } from '../routing.ts'
import type { Tunnel } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import { plainAddress } from './forwarded.ts'
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
export class TcpIngress implements AsyncDisposable {
  readonly #options: TcpIngressOptions
  readonly #listeners = new Map<number, { server: Server; ready: Promise<void> }>()
  readonly #sockets = new Set<Socket>()

  constructor(options: TcpIngressOptions) {
    this.#options = options
  }

  /** Listens on the port if it does not yet. Rejects with the system's error when it cannot. */
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

  /** Stops listening on a port that no tunnel is bound to. */
  release(port: number): void {
    if (this.#options.routing.port(port)) return
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
    const tunnel = routing.port(port)
    const address = plainAddress(socket.remoteAddress)
    if (!tunnel || !visitors.enter(address)) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    let opened: LinkStream | undefined
    let leave: (() => void) | undefined
    const cut = (): void => {
      socket.destroy()
    }
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      visitors.leave(address)
      leave?.()
      opened?.destroy()
    })
    try {
      ;({ stream: opened, leave } = tunnel.open({ address, port: socket.remotePort ?? 0, protocol: 'tcp' }, cut))
    } catch {
      // Raw TCP has no words for "full" or "closed".
      socket.resetAndDestroy()
      return
    }
    const stream = opened
    tunnel.meter.connection()
    // An unreachable service shows as a reset, as it would without the tunnel.
    stream.once('error', () => socket.resetAndDestroy())
    // Ended in order, its last bytes leave at the end of this turn; otherwise there is nothing left to wait for.
    stream.once('close', () => {
      if (!stream.readableEnded) socket.destroy()
    })
    socket.setTimeout(limits.connectionIdleMs, cut)
    pump(socket, stream, release, tunnel.meter.in)
    pump(stream, socket, release, tunnel.meter.out)
  }
}
