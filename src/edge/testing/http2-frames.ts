import { rawVisitor } from './world.ts'

/** HTTP/2 by hand, for what no client would send. */

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const endStream = 1
export const endHeaders = 4

export function frame(type: keyof typeof frameTypes, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = frameTypes[type]
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Fields as literals that are not kept in the table (RFC 7541 §6.2.2), without Huffman's code. */
export const fields = (pairs: readonly (readonly [name: string, value: string])[]): Buffer =>
  Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))

/** The four pseudo fields of a request. */
export const request = (host: string, path = '/', method = 'GET'): [name: string, value: string][] => [
  [':method', method],
  [':scheme', 'http'],
  [':authority', host],
  [':path', path],
]

export function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export interface Frame {
  type: number
  flags: number
  stream: number
  payload: Buffer
}

/** A connection with prior knowledge that has said its preface and its settings. */
export interface FrameVisitor {
  send(...frames: Buffer[]): void
  /** Everything the edge has sent, once it has ended the connection. */
  ended: Promise<Frame[]>
  /** Resolves with the frames so far once they hold one like this; rejects when the connection ends before. */
  until(wanted: (frame: Frame) => boolean): Promise<Frame[]>
}

export async function frameVisitor(closer: AsyncDisposableStack, port: number): Promise<FrameVisitor> {
  const { socket, received, all } = await rawVisitor(closer, port)
  let over = false
  void all.then(() => {
    over = true
  })
  socket.write(Buffer.concat([preface, frame('settings', 0, 0, Buffer.alloc(0))]))
  return {
    send: (...frames) => {
      if (!socket.destroyed) socket.write(Buffer.concat(frames))
    },
    ended: all.then(framesOf),
    until: (wanted) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const frames = framesOf(received())
          if (frames.some(wanted)) resolve(frames)
          else if (over) reject(new Error(`ended with frames ${frames.map(({ type }) => type).join(' ')}`))
          else return
          socket.off('data', check)
        }
        socket.on('data', check)
        void all.then(check)
        check()
      }),
  }
}

/** The code of the GOAWAY among these frames, or undefined. */
export const goAwayCode = (frames: readonly Frame[]): number | undefined =>
  frames.findLast(({ type }) => type === frameTypes.goAway)?.payload.readUInt32BE(4)

function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at + 9 <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3)
    const [type = 0, flags = 0] = bytes.subarray(at + 3, at + 5)
    const payload = bytes.subarray(at + 9, at + 9 + length)
    if (payload.length < length) break
    frames.push({ type, flags, stream: bytes.readUInt32BE(at + 5), payload })
    at += 9 + length
  }
  return frames
}

/** A string with its length in front; HPACK's numbers have seven bits in the first byte here. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  const length: number[] = []
  if (bytes.length < 127) length.push(bytes.length)
  else {
    length.push(127)
    let rest = bytes.length - 127
    for (; rest > 127; rest >>= 7) length.push((rest & 127) | 128)
    length.push(rest)
  }
  return Buffer.concat([Buffer.from(length), bytes])
}
