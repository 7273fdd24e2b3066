import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'

/** Ports in a row, both ends included. */
export interface PortRange {
  first: number
  last: number
}

/**
 * Ports in a row that belong to this process until it ends: free now on every address, for TCP and UDP, given to no other
 * test process meanwhile, and outside the range from which the system takes ports for outgoing connections. For whatever
 * has to know its port before it listens, or listens on the same one again; everything else listens on port 0.
 * @throws Error when `count` is above `reservedTogetherMax`, or no port is left on this machine
 */
export function reservePorts(count: number): Promise<PortRange> {
  const reserved = lastCall.then(() => take(count))
  lastCall = reserved.catch(() => undefined)
  return reserved
}

/** One such port. */
export const reservePort = async (): Promise<number> => (await reservePorts(1)).first

/** A block holds that many besides its guard: enough for a range of ports of an edge, and blocks for all test processes. */
export const reservedTogetherMax = 63

/**
 * Where ports are taken from: below `ephemeral`, else above it, and never where the product looks for ports by itself, which
 * is from 20 000 on. Where the system may use every port, the usual place is as good as any other.
 */
export function poolBeside(ephemeral: PortRange): PortRange {
  const usual = { first: 10_000, last: 19_999 }
  const places = [
    { ...usual, last: Math.min(usual.last, ephemeral.first - 1) },
    { first: ephemeral.last + 1, last: 65_535 },
  ]
  return places.find(({ first, last }) => last - first + 1 >= poolMin) ?? usual
}

/** Blocks for a dozen test runs at once. */
const poolMin = 3000

/** Calls of one process wait for each other; its ports come out of one block after another. */
let lastCall: Promise<unknown> = Promise.resolve()
let left: PortRange = { first: 1, last: 0 }

async function take(count: number): Promise<PortRange> {
  if (count < 1 || count > reservedTogetherMax)
    throw new Error(`Cannot reserve ${count} ports together, only 1 to ${reservedTogetherMax}`)
  if (left.last - left.first + 1 < count) left = await takeBlock()
  const { first } = left
  left = { first: first + count, last: left.last }
  return { first, last: first + count - 1 }
}

/** The ports of a block, without its guard. */
async function takeBlock(): Promise<PortRange> {
  const size = reservedTogetherMax + 1
  const pool = poolBeside(ephemeralPorts())
  const blocks = Math.floor((pool.last - pool.first + 1) / size)
  // Processes that start together look in different places, and a port that was just in use rests.
  const start = Math.floor(Math.random() * blocks)
  for (let tried = 0; tried < blocks; tried++) {
    const guardPort = pool.first + ((start + tried) % blocks) * size
    const guard = await listen(guardPort, '127.0.0.1')
    if (!guard) continue
    const ports = { first: guardPort + 1, last: guardPort + reservedTogetherMax }
    if (await allFree(ports)) {
      // Whoever listens here owns the block. The system closes it when this process ends, however it ends.
      guard.unref()
      return ports
    }
    await close(guard)
  }
  throw new Error(`No ${reservedTogetherMax} ports in a row are free from ${pool.first} to ${pool.last}`)
}

function ephemeralPorts(): PortRange {
  try {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number)
    if (first && last) return { first, last }
  } catch {
    // Not Linux.
  }
  return { first: 32_768, last: 65_535 }
}

async function allFree({ first, last }: PortRange): Promise<boolean> {
  for (let port = first; port <= last; port++) {
    // Without a host it is every address of both families, where the machine has both.
    const server = await listen(port)
    if (!server) return false
    await close(server)
    if (!(await udpFree(port))) return false
  }
  return true
}

function listen(port: number, host?: string): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', () => resolve(null))
    server.listen({ port, exclusive: true, ...(host ? { host } : {}) }, () => resolve(server))
  })
}

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

function udpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => socket.close(() => resolve(false)))
    socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(true)))
  })
}
