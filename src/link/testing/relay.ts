import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** What a network does to a packet: the packets that come out instead of it. */
export type Mischief = (packet: Buffer) => Buffer[]

/**
 * A network between one dialling end and an endpoint, over real UDP: it loses, doubles, delays, changes as told, and its router
 * may give the dialling end another port.
 */
export class Relay implements AsyncDisposable {
  /** What happens on the way to the endpoint, and back. */
  onward: Mischief = (packet) => [packet]
  back: Mischief = (packet) => [packet]
  /** The endpoint's port. */
  target = 0
  readonly port: number
  readonly #inside: Socket
  #outside: Socket
  #dialler: { port: number; address: string } | null = null

  private constructor(inside: Socket, outside: Socket) {
    this.#inside = inside
    this.#outside = outside
    this.port = inside.address().port
    inside.on('message', (packet, from) => {
      this.#dialler = from
      for (const out of this.onward(packet)) this.send(out)
    })
    this.#listen(outside)
  }

  static async open(): Promise<Relay> {
    return new Relay(await bound(), await bound())
  }

  /** Sends to the endpoint, from where the dialling end's packets come. */
  send(packet: Buffer): void {
    this.#outside.send(packet, this.target, '127.0.0.1')
  }

  /** From here on the endpoint sees the dialling end at another port; packets to the old one are lost. */
  async rebind(): Promise<void> {
    this.#outside.close()
    this.#outside = await bound()
    this.#listen(this.#outside)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#inside.close()
    this.#outside.close()
  }

  #listen(outside: Socket): void {
    outside.on('message', (packet) => {
      const dialler = this.#dialler
      if (dialler) for (const out of this.back(packet)) this.#inside.send(out, dialler.port, dialler.address)
    })
  }
}

export async function bound(): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}
