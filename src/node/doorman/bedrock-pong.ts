import { raknetMagic } from './judge.ts'

/** How a sleeping server looks in the list of a Minecraft (Bedrock) client: `ping` is what that sent. */
export function bedrockPong(ping: Buffer, message: string): Buffer {
  // Semicolons part the fields.
  const words = message.replace(/[;\p{Cc}]|§./gu, ' ')
  const fields = ['MCPE', words, '0', '', '0', '0', '1', '', 'Survival', '']
  const text = Buffer.from(fields.join(';')).subarray(0, textBytesMax)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(text.length)
  return Buffer.concat([Buffer.from([pong]), ping.subarray(1, 9), serverId, raknetMagic, length, text])
}

const pong = 0x1c
/** Clients tell servers apart by it; a sleeping one has none of its own. */
const serverId = Buffer.alloc(8)
/** An answer that fits every network. */
const textBytesMax = 400
