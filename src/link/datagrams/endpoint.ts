import { randomBytes, randomInt } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Log } from '../../lib/log.ts'
import { AcceptedPath } from './accepted-path.ts'
import { type SealedPathLimits, sealedPathLimits } from './limits.ts'
import type { DatagramPath, PathHost } from './path.ts'
import { encodeOffer, packetBytesMax, pathSecretBytes, sealedOverheadBytes, sealedVersion } from './sealed-wire.ts'
import { systemTicker, type Ticker } from './ticker.ts'

export interface DatagramEndpointOptions {
  /** The address to listen on. */
  host: string
  /** 0 picks a free one. */
  port: number
  /** What diallers are told, where something in front maps another port to this one. */
  publicPort?: number
  log: Log
  limits?: Partial<SealedPathLimits>
  ticker?: Ticker
}

/** One UDP socket for the sealed paths of all links that an end accepts. Disposing ends all of them; their datagrams go in the links. */
export interface DatagramEndpoint extends AsyncDisposable {
  readonly port: number
  /** Begins a path: `offer` is the payload of the frame that tells the dialling end, and holds its keys. */
  open(host: PathHost): { path: DatagramPath; offer: Buffer }
}

/** Rejects with the system's error when the port cannot be had. */
export async function listenDatagrams(options: DatagramEndpointOptions): Promise<DatagramEndpoint> {
  const { host, log, ticker = systemTicker } = options
  const limits = { ...sealedPathLimits, ...options.limits }
  const paths = new Map<number, AcceptedPath>()
  const socket = createDatagramSocket(isIPv6(host))
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ port: options.port, address: host }, () => {
      socket.off('error', reject)
      resolve()
    })
  })
  socket.on('error', (error) => log.debug({ err: error }, 'a packet of a sealed path could not be sent'))
  enlargeReceiveBuffer(socket, limits.receiveBufferBytes)
  socket.on('message', (packet: Buffer, from: RemoteInfo) => {
    // Cheap looks first: whoever sends us nonsense is not to cost more than this.
    if (packet.length <= sealedOverheadBytes || packet.length > packetBytesMax || packet[0] !== sealedVersion) return
    paths.get(packet.readUIntBE(2, 6))?.receive(packet, from)
  })
  const stopTicking = ticker.every(limits.tickMs, () => {
    const now = ticker.now()
    for (const path of paths.values()) path.tick(now)
  })
  const { port } = socket.address()

  return {
    port,
    open(pathHost) {
      const session = newSession(paths)
      const secret = randomBytes(pathSecretBytes)
      const path = new AcceptedPath({
        session,
        secret,
        host: pathHost,
        limits,
        ticker,
        send(packet, to) {
          if (socket.getSendQueueSize() + packet.length <= limits.unsentBytesMax)
            socket.send(packet, to.port, to.address)
        },
        onClose: () => paths.delete(session),
      })
      paths.set(session, path)
      return { path, offer: encodeOffer({ port: options.publicPort ?? port, session, secret }) }
    },
    async [Symbol.asyncDispose]() {
      stopTicking()
      for (const path of [...paths.values()]) path.close()
      await new Promise<void>((resolve) => socket.close(resolve))
    },
  }
}

/** A socket whose sends to numeric addresses resolve nothing: Node would ask its resolver for each packet. */
export function createDatagramSocket(ipv6: boolean): Socket {
  return createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    lookup: (address, _options, callback) => callback(null, address, ipv6 ? 6 : 4),
  })
}

export function enlargeReceiveBuffer(socket: Socket, bytes: number): void {
  try {
    socket.setRecvBufferSize(bytes)
  } catch {
    // Some systems refuse what is more than they would grant: theirs is good enough then.
  }
}

/** Random, so that nobody who has not seen packets of a path can make us try to open theirs. */
function newSession(taken: ReadonlyMap<number, unknown>): number {
  while (true) {
    const session = randomInt(2 ** 48 - 1)
    if (!taken.has(session)) return session
  }
}
