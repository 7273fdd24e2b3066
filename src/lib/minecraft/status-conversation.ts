import type { Socket } from 'node:net'
import { readStatusPacket } from './answer.ts'

/**
 * Gives `answer` to a client that asks for a server's status, then the echo of its ping, and ends the connection. The client asks
 * without waiting, so the answer goes first.
 * @param received what it has sent behind its handshake so far
 * @param lingerMs how long the whole may take
 */
export function answerStatus(socket: Socket, answer: Buffer, received: Buffer, lingerMs: number): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
  socket.once('end', () => socket.destroySoon())
  socket.removeAllListeners('data')
  socket.write(answer)
  let input = received
  const read = (): void => {
    for (;;) {
      const next = readStatusPacket(input)
      if (next.kind === 'incomplete') return
      if (next.kind === 'status') {
        input = input.subarray(next.end)
        continue
      }
      if (next.kind === 'ping') socket.end(next.pong)
      else socket.destroy()
      socket.off('data', more)
      socket.resume()
      return
    }
  }
  const more = (chunk: Buffer): void => {
    input = Buffer.concat([input, chunk])
    read()
  }
  socket.on('data', more)
  read()
  socket.resume()
}
