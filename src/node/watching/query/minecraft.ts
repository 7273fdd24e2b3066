import { z } from 'zod'
import { type Answer, BadAnswer } from './answer.ts'
import { byDatagrams, byStream } from './conversation.ts'

/** The status that a Minecraft (Java) client asks for when it draws its list of servers. */
export async function askMinecraft(port: number, signal: AbortSignal): Promise<Answer> {
  const host = Buffer.from('127.0.0.1')
  const handshake = packet([
    0x00,
    ...anyProtocol,
    host.length,
    ...host,
    port >> 8,
    port & 0xff,
    1, // what follows is about the status
  ])
  const json = await byStream(port, signal, Buffer.concat([handshake, packet([0x00])]), statusIn)
  const status = Status.safeParse(parsed(json))
  if (!status.success) throw new BadAnswer('its status is not what Minecraft sends')
  const { players, version, description } = status.data
  return {
    online: players?.online ?? null,
    max: players?.max ?? null,
    names: (players?.sample ?? []).map(({ name }) => name),
    description: plain(description),
    version: version?.name ?? null,
  }
}

/** The ping that a Minecraft (Bedrock) client sends; it names nobody. */
export function askBedrock(port: number, signal: AbortSignal): Promise<Answer> {
  return byDatagrams(port, signal, async ({ send, next }) => {
    send(Buffer.concat([Buffer.from([0x01]), Buffer.alloc(8), offlineMagic, Buffer.alloc(8, 0x50)]))
    for (;;) {
      const pong = await next()
      if (pong[0] !== 0x1c || pong.length < pongHeadBytes) continue
      const length = pong.readUInt16BE(pongHeadBytes - 2)
      const fields = pong.toString('utf8', pongHeadBytes, pongHeadBytes + length).split(';')
      const [, description = null, , version = null, online, max] = fields
      return { online: whole(online), max: whole(max), names: [], description, version }
    }
  })
}

/** -1 as a VarInt: a client that only looks. */
const anyProtocol = [0xff, 0xff, 0xff, 0xff, 0x0f]

/** By which RakNet tells its datagrams without a session from others. */
const offlineMagic = Buffer.from('00ffff00fefefefefdfdfdfd12345678', 'hex')

/** Its kind, its time, who it is, the magic, and how long the text is. */
const pongHeadBytes = 1 + 8 + 8 + 16 + 2

const Status = z.object({
  version: z.object({ name: z.string() }).optional(),
  players: z
    .object({
      online: z.int(),
      max: z.int(),
      sample: z.array(z.object({ name: z.string() })).nullish(),
    })
    .optional(),
  description: z.unknown(),
})

const packet = (bytes: readonly number[]): Buffer => Buffer.from([bytes.length, ...bytes])

/** The JSON of a status packet, once all of it is there. */
function statusIn(received: Buffer): string | null {
  const length = varint(received, 0)
  if (!length || received.length < length.next + length.value) return null
  const id = varint(received, length.next)
  if (id?.value !== 0) throw new BadAnswer('it answers with something else than its status')
  const text = varint(received, id.next)
  if (!text || text.next + text.value > length.next + length.value) throw new BadAnswer('its status is cut off')
  return received.toString('utf8', text.next, text.next + text.value)
}

/** Null where more bytes are to come. */
function varint(bytes: Buffer, at: number): { value: number; next: number } | null {
  let value = 0
  for (let index = 0; index < 3; index++) {
    const byte = bytes[at + index]
    if (byte === undefined) return null
    value |= (byte & 0x7f) << (7 * index)
    if ((byte & 0x80) === 0) return { value, next: at + index + 1 }
  }
  throw new BadAnswer('a number in it is too large')
}

/** A greeting may be text, or pieces of text within pieces. */
function plain(component: unknown, depth = 0): string {
  if (typeof component === 'string') return component.replace(formatting, '')
  if (typeof component !== 'object' || component === null || depth >= componentDepthMax) return ''
  if (Array.isArray(component)) return component.map((part) => plain(part, depth + 1)).join('')
  const { text, extra } = component as { text?: unknown; extra?: unknown }
  return plain(text, depth + 1) + plain(extra, depth + 1)
}

/** Pieces within pieces further down are not read. */
const componentDepthMax = 8

/** Colours and the like, as the game writes them. */
const formatting = /§./g

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new BadAnswer('its status is not JSON')
  }
}

const whole = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : null
