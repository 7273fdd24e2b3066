import { connect, createServer } from 'node:net'
import { CommandError } from '../command.ts'

/** Below the ports that systems use for outgoing connections, above those that services are usually given. */
const first = 20_000
const last = 29_999

/** Anyone may have a port or two; a hundred in a row that are taken are no chance. */
const triesMax = 100

/** A port that nothing on this machine listens on at this moment. */
export async function freePort(random: () => number = Math.random): Promise<number> {
  for (let tried = 0; tried < triesMax; tried++) {
    const port = first + Math.floor(random() * (last - first + 1))
    if (await isFree(port)) return port
  }
  throw new CommandError('No free port was found on this machine. Choose one with --port.')
}

/** Whether a service could listen on the port, on every address of this machine. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Whether something on this machine takes connections on the port, over IPv4 or IPv6. */
export async function answers(port: number): Promise<boolean> {
  const both = await Promise.all(['127.0.0.1', '::1'].map((host) => accepts(host, port)))
  return both.includes(true)
}

const acceptTimeoutMs = 1_000

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: acceptTimeoutMs })
    const settle = (well: boolean) => (): void => {
      socket.destroy()
      resolve(well)
    }
    socket.once('connect', settle(true)).once('timeout', settle(false)).once('error', settle(false))
  })
}
