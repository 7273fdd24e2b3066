import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

/**
 * Whether a server could listen on this port now: tried by listening on it for a moment. Null when it could, else the
 * system's reason (`EADDRINUSE`, `EACCES`).
 */
export function whyPortTaken(port: number, protocol: 'tcp' | 'udp'): Promise<string | null> {
  return new Promise((resolve) => {
    if (protocol === 'tcp') {
      const server = createServer()
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'EADDRINUSE'))
      server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(null)))
      return
    }
    const socket = createSocket('udp4')
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      resolve(error.code ?? 'EADDRINUSE')
    })
    socket.bind({ port, address: '0.0.0.0', exclusive: true }, () => socket.close(() => resolve(null)))
  })
}

/** Those of `ports` on which a server could listen now, on each of the transports. */
export async function freePorts(ports: readonly number[], protocols: readonly ('tcp' | 'udp')[]): Promise<number[]> {
  const free: number[] = []
  for (const port of ports) {
    const reasons = await Promise.all(protocols.map((protocol) => whyPortTaken(port, protocol)))
    if (reasons.every((reason) => reason === null)) free.push(port)
  }
  return free
}
