import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import { conflict } from '../../contract/errors.ts'
import { plainAddress, sourceOf } from '../../lib/address.ts'
import { endWith } from '../../lib/last-words.ts'
import type { Log } from '../../lib/log.ts'
import { disconnectPacket, legacyPacket, statusPacket } from '../../lib/minecraft/answer.ts'
import { answerStatus } from '../../lib/minecraft/status-conversation.ts'
import { bedrockPong } from './bedrock-pong.ts'
import type { DoorPort } from './door-ports.ts'
import { Held, type HeldOptions } from './held.ts'
import { judgeDatagram } from './judge.ts'
import {
  heldMax,
  holdMs,
  lingerMs,
  loginHoldMs,
  pongsPerSecondMax,
  visitorsMax,
  visitorsPerSourceMax,
} from './limits.ts'
import { type Heard, listenTo } from './visitor.ts'
import { waitingResponse, waitingText } from './waiting-page.ts'
import { asleepSaid, refusedSaid, type Said, startingSaid } from './words.ts'

/** Somebody at the door of a sleeping server. */
export interface Visit {
  /** In words: `Bob joined`. */
  what: string
  /** Null where they came through this machine, as visitors of an edge do. */
  address: string | null
}

export interface DoorOptions {
  /** Of the server. */
  name: string
  ports: readonly DoorPort[]
  /** How long its last start took, in ms; null where it never did. */
  startMs: number | null
  /** Starts the server; resolves to why it is not started, or to null. Never rejects. */
  wake(visit: Visit): Promise<string | null>
  log: Log
}

/**
 * Stands at the ports of a sleeping server. Whoever asks how it is gets an answer, whoever wants in wakes it and is kept until
 * it is up, within `limits.ts`.
 *
 * ```
 *   asleep ──wake, starting()──▶ starting ──close()──▶ closed ──handOver()──▶ up
 *      │ close(), drop()            │ drop()              │ drop()
 *      └────────────────────────────┴─────────────────────┴────▶ gone
 * ```
 *
 * It listens in the first two states alone: a game cannot listen where somebody else does. From `up` on a visitor whose wish
 * becomes clear only then is led to the game as well.
 */
export class Door implements AsyncDisposable {
  readonly #options: DoorOptions
  readonly #servers = new Set<Server>()
  readonly #datagrams = new Set<DatagramSocket>()
  readonly #sockets = new Set<Socket>()
  /** Of these nobody knows yet what they want, the oldest first. */
  readonly #unclear = new Set<Socket>()
  readonly #held = new Set<Held>()
  /** Connections that the game has: they end when it ends them. */
  readonly #led = new Set<Socket>()
  readonly #bySource = new Map<string, number>()
  #phase: 'asleep' | 'starting' | 'closed' | 'up' | 'gone' = 'asleep'
  #waking: Promise<string | null> | null = null
  #pongs = { second: 0, count: 0 }

  private constructor(options: DoorOptions) {
    this.#options = options
  }

  /** Listens on every port, or on none: then it throws `conflict`, which names the port. */
  static async open(options: DoorOptions): Promise<Door> {
    const door = new Door(options)
    try {
      for (const port of options.ports) await door.#listen(port)
      return door
    } catch (error) {
      door.drop()
      throw error
    }
  }

  /** Whether it holds ports. */
  get listening(): boolean {
    return this.#servers.size + this.#datagrams.size > 0
  }

  /** Whether it holds this one. */
  holds(port: number, protocol: 'tcp' | 'udp'): boolean {
    return this.listening && this.#options.ports.some((one) => one.port === port && one.protocol === protocol)
  }

  /** Somebody has started the server. */
  starting(): void {
    if (this.#phase === 'asleep') this.#phase = 'starting'
  }

  /** Lets go of the ports, at once; whoever waits goes on waiting. */
  close(): void {
    for (const server of this.#servers) server.close()
    this.#servers.clear()
    for (const socket of this.#datagrams) socket.close()
    this.#datagrams.clear()
    if (this.#phase === 'asleep' || this.#phase === 'starting') this.#phase = 'closed'
  }

  /** The server is up: whoever waits is led to it. */
  handOver(): void {
    if (this.#phase === 'gone') return
    this.close()
    this.#phase = 'up'
    for (const held of this.#held) void this.#lead(held)
  }

  /** The server does not come: nobody waits any longer. They are reset, so that nothing of them keeps the ports from being used. */
  drop(): void {
    this.close()
    this.#phase = 'gone'
    for (const held of [...this.#held]) held.release(() => undefined)
    for (const socket of this.#sockets) if (!this.#led.has(socket)) socket.resetAndDestroy()
  }

  /** Ends everything of it, also connections that it passes on to the game. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.drop()
    for (const socket of this.#sockets) socket.destroy()
  }

  #listen(port: DoorPort): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void =>
        reject(
          conflict(
            `${port.protocol.toUpperCase()} port ${port.port} cannot be kept open for visitors (${error.code ?? error.message}): stop what uses it`,
          ),
        )
      if (port.protocol === 'tcp') {
        const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#enter(socket, port))
        server.once('error', failed)
        server.listen({ port: port.port, host: port.address, exclusive: true }, () => {
          server.off('error', failed)
          server.on('error', (error) => this.#options.log.warn({ err: error }, 'a door has trouble accepting'))
          this.#servers.add(server)
          resolve()
        })
        return
      }
      const socket = createSocket('udp4')
      socket.once('error', (error) => {
        socket.close()
        failed(error)
      })
      socket.bind({ port: port.port, address: port.address, exclusive: true }, () => {
        socket.removeAllListeners('error')
        // What could not be delivered is lost, as on the way.
        socket.on('error', () => undefined)
        socket.on('message', (payload, { address, port: from }) =>
          this.#datagram(socket, port, payload, { address, port: from }),
        )
        this.#datagrams.add(socket)
        resolve()
      })
    })
  }

  #enter(socket: Socket, port: DoorPort): void {
    socket.on('error', () => undefined)
    const address = plainAddress(socket.remoteAddress)
    const source = sourceOf(address)
    const here = this.#bySource.get(source) ?? 0
    const crowded = !isLocal(address) && here >= visitorsPerSourceMax
    // Whoever takes their time makes room: what honest visitors want is clear within a round trip.
    if (this.#sockets.size >= visitorsMax) for (const oldest of [...this.#unclear].slice(0, 1)) oldest.destroy()
    if (this.#phase === 'gone' || crowded || this.#sockets.size > visitorsMax) {
      socket.destroy()
      return
    }
    this.#bySource.set(source, here + 1)
    this.#sockets.add(socket)
    this.#unclear.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#unclear.delete(socket)
      this.#led.delete(socket)
      const left = (this.#bySource.get(source) ?? 1) - 1
      if (left === 0) this.#bySource.delete(source)
      else this.#bySource.set(source, left)
    })
    listenTo(socket, port, (heard) => {
      this.#unclear.delete(socket)
      this.#heard(socket, port, heard, isLocal(address) ? null : address)
    })
  }

  #heard(socket: Socket, { port }: DoorPort, { wish, bytes }: Heard, address: string | null): void {
    const { name, startMs } = this.#options
    const end = (words: Buffer): void => endWith(socket, words, lingerMs)
    const starting = startingSaid(name, startMs)
    // It was not clear in time what they want: the game will know.
    if (this.#phase === 'up' && wish.is !== 'nothing') {
      this.#hold(socket, { bytes, ms: holdMs, late: () => socket.resetAndDestroy() })
      return
    }
    switch (wish.is) {
      case 'nothing':
        socket.destroy()
        return
      case 'legacy-status':
        end(legacyPacket())
        return
      case 'status': {
        const { protocolVersion } = wish.handshake
        const said = this.#phase === 'asleep' ? asleepSaid(name) : starting
        answerStatus(socket, statusPacket({ ...said, protocolVersion }), wish.rest, lingerMs)
        return
      }
      case 'login': {
        const kick = (said: Said): void => end(disconnectPacket(said))
        void this.#wakeFor(socket, {
          visit: { what: `${wish.player} joined`, address },
          // The client would give up before the game is there.
          hold:
            startMs !== null && startMs > loginHoldMs ? null : { bytes, ms: loginHoldMs, late: () => kick(starting) },
          told: () => kick(starting),
          refused: (why) => kick(refusedSaid(name, why)),
        })
        return
      }
      case 'page':
        void this.#wakeFor(socket, {
          visit: { what: `somebody opened a page on port ${port}`, address },
          hold: null,
          told: () => end(waitingResponse({ name, message: 'It was asleep and is starting.', waits: true })),
          refused: (why) => end(waitingResponse({ name, message: why, waits: false })),
        })
        return
      case 'request':
      case 'talk': {
        const reset = (): void => void socket.resetAndDestroy()
        const isRequest = wish.is === 'request'
        void this.#wakeFor(socket, {
          visit: { what: `somebody connected to port ${port}`, address },
          hold: {
            ...{ bytes, ms: holdMs },
            late: isRequest ? () => end(waitingText({ name, message: starting.message, waits: true })) : reset,
          },
          told: reset,
          refused: (why) => (isRequest ? end(waitingText({ name, message: why, waits: false })) : reset()),
        })
      }
    }
  }

  /** Wakes the server for somebody, who is kept where `hold` says how, and told that it starts where they are not. */
  async #wakeFor(
    socket: Socket,
    ways: { visit: Visit; hold: HeldOptions | null; told(): void; refused(why: string): void },
  ): Promise<void> {
    const held = ways.hold && this.#hold(socket, ways.hold)
    if (held === 'full') return ways.refused('Too many wait for it already.')
    const why = await this.#wake(ways.visit)
    if (why !== null) {
      if (held) held.release(() => ways.refused(why))
      else if (!socket.destroyed) ways.refused(why)
    } else if (!held && !socket.destroyed) ways.told()
  }

  /** Why not, or null. Everybody who comes meanwhile waits for the same answer. */
  async #wake(visit: Visit): Promise<string | null> {
    if (this.#phase === 'gone') return 'It was just stopped.'
    if (this.#phase !== 'asleep') return null
    this.#waking ??= this.#options.wake(visit).finally(() => {
      this.#waking = null
    })
    return this.#waking
  }

  #hold(socket: Socket, options: HeldOptions): Held | 'full' {
    if (this.#held.size >= heldMax) {
      if (this.#phase === 'up') socket.resetAndDestroy()
      return 'full'
    }
    const held = new Held(socket, options)
    this.#held.add(held)
    held.over.addEventListener('abort', () => this.#held.delete(held), { once: true })
    if (this.#phase === 'up') void this.#lead(held)
    return held
  }

  async #lead(held: Held): Promise<void> {
    if (!(await held.lead())) return
    this.#held.delete(held)
    this.#led.add(held.socket)
  }

  #datagram(
    socket: DatagramSocket,
    { port, speaks }: DoorPort,
    payload: Buffer,
    from: { address: string; port: number },
  ): void {
    const wish = judgeDatagram(speaks, payload)
    if (wish === 'nothing') return
    if (wish === 'ping') {
      const second = Math.floor(performance.now() / 1000)
      if (this.#pongs.second !== second) this.#pongs = { second, count: 0 }
      if (++this.#pongs.count > pongsPerSecondMax) return
      const { name, startMs } = this.#options
      const said = this.#phase === 'asleep' ? asleepSaid(name) : startingSaid(name, startMs)
      socket.send(bedrockPong(payload, said.message), from.port, from.address)
      return
    }
    const address = isLocal(from.address) ? null : from.address
    void this.#wake({ what: `somebody looked for it on port ${port}`, address })
  }
}

/** Through an edge, or from this machine. */
const isLocal = (address: string): boolean => address.startsWith('127.') || address === '::1'
