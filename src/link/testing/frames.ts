import type { Duplex } from 'node:stream'
import { headerBytes } from '../wire.ts'

export interface ReadFrame {
  type: number
  stream: number
  payload: Buffer
}

/** Cuts what arrives into frames; nothing is judged. */
export function readFrames(duplex: Duplex, onFrame: (frame: ReadFrame) => void): void {
  let pending: Buffer = Buffer.alloc(0)
  duplex.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= headerBytes) {
      const end = headerBytes + pending.readUIntBE(1, 3)
      if (pending.length < end) return
      const frame = pending.subarray(0, end)
      pending = pending.subarray(end)
      onFrame({ type: frame.readUInt8(0), stream: frame.readUInt32BE(4), payload: frame.subarray(headerBytes) })
    }
  })
}
