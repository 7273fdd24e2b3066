import { createServer, type Server, type Socket } from 'node:net'
import { plainAddress } from '../../lib/address.ts'
import { endWith } from '../../lib/last-words.ts'
import type { Log } from '../../lib/log.ts'
import { disconnectPacket, legacyPacket, statusPacket } from '../../lib/minecraft/answer.ts'
import { type MinecraftHandshake, readHandshake } from '../../lib/minecraft/handshake.ts'
import { answerStatus } from '../../lib/minecraft/status-conversation.ts'
import { problemOf, problemWords, type VisitorProblem } from '../errors.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import { normalHost, type Routing } from '../routing.ts'
import type { Tunnel } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import type { Openings } from './openings.ts'
import { pass } from './passage.ts'
import { listening, portOf } from './public-port.ts'

export interface MinecraftIngressOptions {
  listenHost: string
  routing: Routing<Tunnel>
  visitors: Visitors
  openings: Openings
  release: Release
  limits: EdgeLimits
  log: Log
}

/** Any number of Minecraft: Java Edition servers on one port: the host name that a player typed finds the tunnel. */
export class MinecraftIngress implements AsyncDisposable {
  readonly #options: MinecraftIngressOptions
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  constructor(options: MinecraftIngressOptions) {
    this.#options = options
  }

  /**
   * Resolves to the port, or to null where it cannot be had: another server may sit on the game's own port, and that must not keep
   * the edge from serving everything else.
   * @param port 0 picks a free one.
   */
  async listen(port: number): Promise<number | null> {
    const { listenHost, log } = this.#options
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
      (socket) => this.#open(socket),
    )
    try {
      await listening(server, listenHost, port)
    } catch (error) {
      log.warn({ err: error, port }, 'the Minecraft port cannot be listened on; the edge serves without it')
      return null
    }
    server.on('error', (error) => log.error({ err: error }, 'the Minecraft port has trouble accepting'))
    this.#server = server
    return portOf(server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server?.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #open(socket: Socket): void {
    const { openings, limits } = this.#options
    const legacy = (): void => endWith(this.#keep(socket), legacyPacket(), limits.lingerMs)
    openings.read(socket, {
      timeoutMs: limits.helloTimeoutMs,
      look: (input) => {
        const reading = readHandshake(input)
        switch (reading.state) {
          case 'incomplete':
            return undefined
          case 'legacy':
            return legacy
          case 'refused':
            return () => this.#keep(socket).destroy()
          case 'complete':
            return () => this.#route(this.#keep(socket), reading.handshake)
        }
      },
      late: (input) => {
        const reading = readHandshake(input)
        return reading.state === 'incomplete' && reading.perhapsLegacy ? legacy : undefined
      },
    })
  }

  /** Ours until it closes. */
  #keep(socket: Socket): Socket {
    socket.on('error', () => undefined)
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    return socket
  }

  #route(socket: Socket, handshake: MinecraftHandshake): void {
    const { routing, visitors, release, limits } = this.#options
    const address = plainAddress(socket.remoteAddress)
    const host = normalHost(handshake.host)
    const answer = (problem: VisitorProblem): void => this.#answer(socket, handshake, problem)
    if (!visitors.enter(address)) {
      answer({ code: 'over_limit', host: 'This edge' })
      return
    }
    socket.once('close', () => visitors.leave(address))
    const tunnel = routing.host('minecraft', host)
    if (tunnel)
      pass({
        socket,
        tunnel,
        protocol: 'minecraft',
        offset: 0,
        release,
        limits,
        onFailure: (error) => answer(problemOf(error, host)),
      })
    else {
      const known = routing.wasServed('minecraft', host)
      answer({ code: known ? 'agent_offline' : 'tunnel_not_found', host: isHostName(host) ? host : 'this address' })
    }
  }

  #answer(socket: Socket, { intent }: MinecraftHandshake, problem: VisitorProblem): void {
    const { lingerMs } = this.#options.limits
    const words = problemWords(problem)
    if (intent === 'status') {
      // The handshake itself was put back, unless the service's stream has taken it.
      const input: Buffer = socket.read() ?? Buffer.alloc(0)
      const handshake = readHandshake(input)
      const rest = handshake.state === 'complete' ? input.subarray(handshake.bytes) : input
      answerStatus(socket, statusPacket(words), rest, lingerMs)
    } else endWith(socket, disconnectPacket(words), lingerMs)
  }
}

const isHostName = (host: string): boolean => /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(host)
