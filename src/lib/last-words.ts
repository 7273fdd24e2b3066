import type { Socket } from 'node:net'

/** Sends the last words and ends the connection. What the visitor still sends is read and dropped for a while: closing on unread bytes would reset the words away. */
export function endWith(socket: Socket, words: Buffer, lingerMs: number): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
  socket.once('end', () => socket.destroySoon())
  socket.removeAllListeners('data')
  socket.on('data', () => undefined)
  socket.resume()
  socket.end(words)
}
