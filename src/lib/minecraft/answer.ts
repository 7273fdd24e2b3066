import { readVarInt } from './handshake.ts'

/** What is said in the place of a game, in the packets of Minecraft: Java Edition. */

export interface StatusWords {
  /** Stands where the game's version does. */
  title: string
  message: string
  /** The client's own version, so that its list shows a server that can be joined; by default one that no game has, which it shows in red. */
  protocolVersion?: number
}

/** The answer to a status request: an entry of the player's server list. */
export function statusPacket({ title, message, protocolVersion = -1 }: StatusWords): Buffer {
  const status = {
    version: { name: plainText(title), protocol: protocolVersion },
    players: { max: 0, online: 0 },
    description: { text: plainText(message) },
  }
  return packet(0, text(JSON.stringify(status)))
}

/** Ends a login with words on the player's screen. */
export function disconnectPacket({ title, message }: Pick<StatusWords, 'title' | 'message'>): Buffer {
  return packet(0, text(JSON.stringify({ text: plainText(`${title}\n\n${message}`) })))
}

/** What games older than 1.7 show in their server list, and after a failed login. */
export function legacyPacket(): Buffer {
  const fields = ['§1', '127', 'Minecraft 1.7+', 'This address is for Minecraft 1.7 and newer', '0', '0']
  const words = Buffer.from(fields.join('\0'), 'utf16le').swap16()
  const head = Buffer.from([legacyKick, 0, 0])
  head.writeUInt16BE(words.length / 2, 1)
  return Buffer.concat([head, words])
}

export type StatusPacketReading =
  | { kind: 'incomplete' }
  | { kind: 'status'; end: number }
  | { kind: 'ping'; pong: Buffer; end: number }
  | { kind: 'other' }

/** One packet of a client that has asked for the status: its request, or the ping whose very bytes are the answer. */
export function readStatusPacket(input: Buffer): StatusPacketReading {
  const length = readVarInt(input, 0, 1)
  if (length === 'incomplete') return { kind: 'incomplete' }
  if (length === 'invalid' || (length.value !== statusRequestBytes && length.value !== pingBytes))
    return { kind: 'other' }
  const end = length.end + length.value
  if (input.length < end) return { kind: 'incomplete' }
  const number = input[length.end]
  if (length.value === statusRequestBytes) return number === 0 ? { kind: 'status', end } : { kind: 'other' }
  return number === 1 ? { kind: 'ping', pong: Buffer.from(input.subarray(0, end)), end } : { kind: 'other' }
}

const legacyKick = 0xff
const statusRequestBytes = 1
const pingBytes = 9

/** Without what the game takes for formatting, and without control characters but line ends. */
function plainText(words: string): string {
  return words.replace(/§./gu, '').replace(/[^\n\P{Cc}]/gu, '')
}

function packet(number: number, body: Buffer): Buffer {
  return Buffer.concat([varInt(body.length + 1), Buffer.from([number]), body])
}

function text(words: string): Buffer {
  const bytes = Buffer.from(words)
  return Buffer.concat([varInt(bytes.length), bytes])
}

function varInt(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}
