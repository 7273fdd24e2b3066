import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { answerBytesMax, answerDatagramsMax } from '../limits.ts'
import { BadAnswer } from './answer.ts'

/** The game is on this machine, and nothing else is ever asked. */
const loopback = '127.0.0.1'

/** A question by datagrams: what is sent goes to the game alone, and only what comes from it arrives. */
export interface Datagrams {
  send(bytes: Uint8Array): void
  /** The next datagram; rejects when the time is over or too many have come. */
  next(): Promise<Buffer>
}

/** Talks to a UDP port of this machine; the socket is closed however `talk` ends. */
export async function byDatagrams<T>(
  port: number,
  signal: AbortSignal,
  talk: (datagrams: Datagrams) => Promise<T>,
): Promise<T> {
  const socket = createSocket('udp4')
  const waiting: Buffer[] = []
  let wake = Promise.withResolvers<void>()
  // A rejection that comes between two waits is met by the next one.
  wake.promise.catch(() => undefined)
  const fail = (error: unknown): void => wake.reject(error)
  const onAbort = (): void => fail(signal.reason)
  let count = 0
  socket.on('error', fail)
  socket.on('message', (message) => {
    count += 1
    if (count > answerDatagramsMax) return fail(new BadAnswer('it answers without an end'))
    waiting.push(message)
    wake.resolve()
  })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    // Connected: the system itself drops what others send.
    socket.connect(port, loopback)
    await Promise.race([once(socket, 'connect', { signal }), wake.promise])
    return await talk({
      send: (bytes) => socket.send(bytes),
      async next() {
        for (;;) {
          const message = waiting.shift()
          if (message) return message
          await wake.promise
          if (waiting.length === 0) continue
          wake = Promise.withResolvers<void>()
          wake.promise.catch(() => undefined)
        }
      },
    })
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.close()
  }
}

/** Sends `question` to a TCP port of this machine and collects what comes until `whole` finds an answer in it. */
export async function byStream<T>(
  port: number,
  signal: AbortSignal,
  question: Uint8Array,
  whole: (received: Buffer) => T | null,
): Promise<T> {
  const socket = connect({ port, host: loopback, noDelay: true })
  const onAbort = (): void => void socket.destroy(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    socket.write(question)
    let received = Buffer.alloc(0)
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, chunk])
      if (received.length > answerBytesMax) throw new BadAnswer('its answer is too large')
      const found = whole(received)
      if (found !== null) return found
    }
    throw new BadAnswer('it closed the connection before its answer was complete')
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}
