import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { plainAddress } from '../../lib/address.ts'
import type { Log } from '../../lib/log.ts'
import type { LiveConnection } from '../inspection/index.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import type { Routing } from '../routing.ts'
import { Shares } from '../shares.ts'
import type { Tunnel, Visit } from '../tunnel.ts'
import { type Flow, Flows } from './flows.ts'
import type { PortIngress } from './ingresses.ts'

export interface UdpIngressOptions {
  listenHost: string
  routing: Routing<Tunnel>
  release: Release
  /** Whether there is more than one tenant. */
  contended: () => boolean
  limits: EdgeLimits
  log: Log
}

/**
 * Raw UDP: the datagrams of one visitor address and port to one port of the edge are a flow, a stream of the link that carries datagrams
 * alone. The edge answers nothing itself, so nothing comes back to a forged address but what a service sends there.
 */
export class UdpIngress implements PortIngress, AsyncDisposable {
  /** Datagrams that were lost here, by why. */
  readonly dropped = { share: 0, forged: 0, flows: 0, refused: 0, unsent: 0 }
  readonly #options: UdpIngressOptions
  readonly #listeners = new Map<number, Listener>()
  readonly #flows: Flows
  readonly #shares: Shares
  readonly #sweep: NodeJS.Timeout

  constructor(options: UdpIngressOptions) {
    this.#options = options
    this.#flows = new Flows(options.limits)
    this.#shares = new Shares({ contended: options.contended, costPerTurn: datagramCostPerTurn })
    this.#sweep = setInterval(() => this.#flows.expire(performance.now()), sweepEveryMs)
    this.#sweep.unref()
  }

  async listen(port: number): Promise<void> {
    const known = this.#listeners.get(port)
    if (known) return await known.ready
    const { listenHost, log } = this.#options
    const socket = createSocket({ type: isIPv6(listenHost) ? 'udp6' : 'udp4', recvBufferSize: socketBufferBytes })
    const ready = new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ port, address: listenHost, exclusive: true }, () => {
        socket.off('error', reject)
        socket.on('error', (error) => log.warn({ err: error, port }, 'a UDP port of a tunnel has trouble'))
        resolve()
      })
    })
    const listener: Listener = { port, socket, ready, flows: new Map(), localAddress: listenHost }
    socket.on('message', (payload, from) => this.#receive(listener, payload, from))
    this.#listeners.set(port, listener)
    try {
      await ready
    } catch (error) {
      if (this.#listeners.get(port) === listener) this.#listeners.delete(port)
      socket.close()
      throw error
    }
  }

  release(port: number): void {
    if (this.#options.routing.port('udp', port)) return
    const listener = this.#listeners.get(port)
    if (!listener) return
    this.#listeners.delete(port)
    void listener.ready.then(
      () => close(listener),
      () => undefined, // closed already
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweep)
    const listeners = [...this.#listeners.values()]
    this.#listeners.clear()
    for (const listener of listeners) {
      await listener.ready
      close(listener)
    }
  }

  #receive(listener: Listener, payload: Buffer, from: RemoteInfo): void {
    const owner = this.#options.routing.port('udp', listener.port)?.owner
    // A flood is not read by halves as bytes are: what is beyond its tenant's share is lost here, where it costs least.
    if (!owner || !this.#shares.spend(owner.grant.workspaceId, payload.length)) {
      this.#drop(owner ? 'share' : 'refused')
      return
    }
    const key = `${from.address} ${from.port}`
    const now = performance.now()
    let visitor = listener.flows.get(key)
    if (visitor) this.#flows.heard(visitor.flow, now)
    else {
      visitor = this.#begin(listener, from, key, now)
      if (!visitor) return
    }
    const { visit, tunnel, connection } = visitor
    tunnel.meter.in(payload.length)
    connection.in(payload.length)
    this.#options.release.later(() => visit.stream.sendDatagram(payload))
  }

  #begin(listener: Listener, from: RemoteInfo, key: string, now: number): FlowVisitor | undefined {
    const { routing } = this.#options
    const found = routing.port('udp', listener.port)
    if (!found) return this.#drop('refused')
    if (this.#isForged(from)) return this.#drop('forged')
    const { owner: tunnel, offset } = found
    const end = (): void => {
      // Late: the same visitor may have a newer flow by now.
      if (listener.flows.get(key) === opened) listener.flows.delete(key)
      opened?.visit.leave()
      opened?.connection.end()
      opened?.visit.stream.destroy()
    }
    const address = plainAddress(from.address)
    let opened: FlowVisitor | undefined
    // Of a pool any agent's link may carry it: the first one stands for all.
    const agent = tunnel.members[0]?.session ?? tunnel
    const flow = this.#flows.begin(tunnel.id, agent, address, now, end)
    if (!flow) return this.#drop('flows')
    const over = (): void => {
      this.#flows.forget(flow)
      end()
    }
    let visit: Visit
    try {
      const { localAddress, port: localPort } = listener
      visit = tunnel.visit({ protocol: 'udp', address, port: from.port, localAddress, localPort, offset }, over)
    } catch {
      // Full, closed or over quota: UDP has no words for it, and an answer of the edge's own could be used against others.
      over()
      return this.#drop('refused')
    }
    const connection = tunnel.traffic.connect({ address, port: from.port, protocol: 'udp', cut: over })
    opened = { flow, visit, tunnel, connection }
    listener.flows.set(key, opened)
    tunnel.meter.connection()
    visit.stream.on('error', () => undefined)
    visit.stream.once('close', over)
    visit.stream.once('end', over)
    visit.stream.resume()
    visit.stream.onDatagram = (payload) => {
      this.#flows.answered(flow)
      if (listener.socket.getSendQueueSize() > sendQueueBytesMax) {
        this.#drop('unsent')
        return
      }
      tunnel.meter.out(payload.length)
      connection.out(payload.length)
      this.#options.release.later(() => {
        // Late: the port may have been closed in this turn.
        if (listener.flows.get(key) === opened)
          listener.socket.send(payload, from.port, from.address, ignoreUndelivered)
      })
    }
    return opened
  }

  #drop(why: keyof UdpIngress['dropped']): undefined {
    this.dropped[why] += 1
  }

  /** Nobody sends from port 0, and an edge never visits itself: two tunnels whose services answer everything would do so for ever. */
  #isForged({ address, port }: RemoteInfo): boolean {
    if (port === 0) return true
    if (!this.#listeners.has(port)) return false
    const plain = plainAddress(address)
    if (plain.startsWith('127.')) return true
    return Object.values(networkInterfaces()).some((addresses) => addresses?.some((own) => own.address === plain))
  }
}

interface Listener {
  readonly port: number
  readonly socket: Socket
  readonly ready: Promise<void>
  readonly localAddress: string
  /** By the visitor's address and port. */
  readonly flows: Map<string, FlowVisitor>
}

interface FlowVisitor {
  readonly flow: Flow
  readonly visit: Visit
  readonly tunnel: Tunnel
  readonly connection: LiveConnection
}

function close({ socket, flows }: Listener): void {
  for (const { visit } of [...flows.values()]) visit.stream.destroy()
  socket.close()
}

/** A datagram that cannot be delivered is lost, as on the way. */
const ignoreUndelivered = (): void => undefined

/** How often silent flows are looked for: a fraction of the shortest time that they may be silent. */
const sweepEveryMs = 1_000
/** What the system keeps of a burst while this process is busy: 100 ms of 50,000 small datagrams a second. */
const socketBufferBytes = 4 * 1024 * 1024
/**
 * What one tenant's datagrams may take of a turn, in the units of `Shares`: a thousand small ones, some 10 ms. Of one port no more
 * than a few dozen are read in a turn, so only floods of many ports get there.
 */
const datagramCostPerTurn = 4 * 1024 * 1024
/** Datagrams that the system does not take at once wait in this process; beyond this they are late anyway. */
const sendQueueBytesMax = 1024 * 1024
