import { connect, type Socket } from 'node:net'
import type { Channel, Dialler } from '../channel.ts'
import { LinkError } from '../link.ts'

/** Plain TCP: for tests and for networks that are private already. Nothing on it is secret or authentic. */
export function tcpDialler({ host, port }: { host: string; port: number }): Dialler {
  return (signal) => {
    const socket = connect({ host, port, noDelay: true })
    return established(socket, 'connect', `${host}:${port}`, signal, () => undefined)
  }
}

/** A socket that was accepted, as a channel. */
export function tcpChannel(socket: Socket): Channel {
  socket.setNoDelay(true)
  return { duplex: socket, remoteAddress: socket.remoteAddress ?? 'unknown' }
}

/**
 * Waits for `event`; then `check` may still throw. Whoever gets the channel adds their own error listener in the same turn of
 * the event loop. @throws LinkError `lost`, or what `check` throws, or the signal's reason.
 */
export function established(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  where: string,
  signal: AbortSignal,
  check: () => void,
): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort)
      socket.removeListener('close', onClose)
    }
    const fail = (reason: unknown): void => {
      settle()
      socket.destroy()
      reject(reason)
    }
    const onAbort = (): void => fail(signal.reason)
    const onClose = (): void => fail(new LinkError('lost', `${where} closed the connection before it was established`))
    // Stays for good: between here and the lane's own listener, a reset must not end the process.
    socket.on('error', (error) => fail(new LinkError('lost', `${where} cannot be reached: ${error.message}`)))
    socket.once('close', onClose)
    socket.once(event, () => {
      try {
        check()
      } catch (error) {
        fail(error)
        return
      }
      settle()
      resolve({ duplex: socket, remoteAddress: socket.remoteAddress ?? 'unknown' })
    })
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}
