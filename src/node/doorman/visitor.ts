import type { Socket } from 'node:net'
import type { DoorPort } from './door-ports.ts'
import { judge, proxyHeaderEnd, type Wish } from './judge.ts'
import { openingBytesMax, openingWaitMs, quietMs } from './limits.ts'

/** What a visitor wants, with every byte that they have sent; nothing more is read until somebody does. */
export interface Heard {
  wish: Exclude<Wish, { is: 'unclear' }>
  bytes: Buffer
}

/** Listens to a connection until it is clear what its visitor wants. It is called once, or never where the visitor goes. */
export function listenTo(socket: Socket, { speaks, proxyHeader }: DoorPort, heard: (heard: Heard) => void): void {
  let bytes: Buffer = Buffer.alloc(0)
  const decide = (wish: Heard['wish']): void => {
    clearTimeout(quiet)
    clearTimeout(late)
    socket.off('data', more)
    socket.off('end', ended)
    socket.off('close', closed)
    socket.pause()
    heard({ wish, bytes })
  }
  /** Of a protocol that is known, whoever does not finish their sentence wants nothing. */
  const giveUp = (): void => decide({ is: speaks === null ? 'talk' : 'nothing' })
  const more = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk])
    clearTimeout(quiet)
    const header = proxyHeader ? proxyHeaderEnd(bytes) : 0
    const wish: Wish = header === 'incomplete' ? { is: 'unclear' } : judge(speaks, bytes.subarray(header))
    if (wish.is !== 'unclear') decide(wish)
    else if (bytes.length >= openingBytesMax) giveUp()
  }
  const ended = (): void => (bytes.length === 0 ? decide({ is: 'nothing' }) : giveUp())
  const closed = (): void => {
    clearTimeout(quiet)
    clearTimeout(late)
  }
  const quiet = setTimeout(() => {
    if (speaks === null) decide({ is: 'talk' })
  }, quietMs)
  const late = setTimeout(giveUp, openingWaitMs)
  socket.on('data', more)
  socket.once('end', ended)
  socket.once('close', closed)
}
