import type { Answer } from './answer.ts'
import { byDatagrams } from './conversation.ts'

/**
 * Luanti (Minetest) has no question about its players: it gives whoever knocks a number. That is taken as its sign of life and
 * given back at once, so that no place stays taken.
 */
export function askLuanti(port: number, signal: AbortSignal): Promise<Answer> {
  return byDatagrams(port, signal, async ({ send, next }) => {
    send(Buffer.concat([protocol, Buffer.from([0, 0, 0, 1])]))
    for (;;) {
      const reply = await next()
      if (reply.length < 14 || !reply.subarray(0, 4).equals(protocol)) continue
      // Our number, channel 0, a control packet that says goodbye.
      send(Buffer.concat([protocol, reply.subarray(12, 14), Buffer.from([0, 0, 3])]))
      return { online: null, max: null, names: [], description: null, version: null }
    }
  })
}

const protocol = Buffer.from('4f457403', 'hex')
