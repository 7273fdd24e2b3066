/**
 * The first packet of a Minecraft: Java Edition connection (1.7 and newer): which host the player typed, and whether the game
 * asks for the server's status or wants to play. Read without being answered; everything is passed on untouched afterwards.
 */

export interface MinecraftHandshake {
  /** The game's version number; tools that only ask for the status send -1. */
  protocolVersion: number
  /** What the player typed, without what mods append to it. */
  host: string
  /** What the client is about to do. `transfer`: another server has sent it here (1.20.5). */
  intent: 'status' | 'login' | 'transfer'
}

export type HandshakeReading =
  /** `perhapsLegacy`: what has come so far may also be the whole ping of a game older than 1.6. */
  | { state: 'incomplete'; perhapsLegacy: boolean }
  | { state: 'complete'; handshake: MinecraftHandshake; bytes: number }
  /** The ping of a game older than 1.7: it names no host that could be served. */
  | { state: 'legacy' }
  | { state: 'refused'; reason: string }

/** The packet without its length: the longest host that the game sends (255 characters of UTF-8) and a dozen bytes more. */
export const handshakeBytesMax = 1_024

/** @param input everything received so far, from the connection's first byte. */
export function readHandshake(input: Buffer): HandshakeReading {
  if (input[0] === legacyPing) {
    // The same bytes begin a handshake of 254 bytes, whose third byte is its packet's number, 0.
    if (input.length < 3 && (input[1] ?? 1) === 1) return { state: 'incomplete', perhapsLegacy: true }
    if (input[1] === 1 && input[2] === legacyPluginMessage) return { state: 'legacy' }
  }
  const length = readVarInt(input, 0, lengthVarIntBytesMax)
  if (length === 'incomplete') return { state: 'incomplete', perhapsLegacy: false }
  if (length === 'invalid' || length.value < 1) return { state: 'refused', reason: 'the first packet has no length' }
  if (length.value > handshakeBytesMax)
    return { state: 'refused', reason: `the handshake is larger than ${handshakeBytesMax} bytes` }
  // Whatever speaks another protocol is refused at its second or third byte, not when a guessed length has arrived.
  const number = input[length.end]
  if (number !== undefined && number !== handshakePacket) return { state: 'refused', reason: 'it is not a handshake' }
  const end = length.end + length.value
  if (input.length < end) return { state: 'incomplete', perhapsLegacy: false }
  const handshake = parseHandshake(input.subarray(length.end + 1, end))
  return handshake
    ? { state: 'complete', handshake, bytes: end }
    : { state: 'refused', reason: 'the handshake is malformed' }
}

/**
 * A number of seven bits a byte, lowest first, the highest bit telling that more follow.
 * @param bytesMax five for 32 bits; three is the most that the game takes for lengths.
 */
export function readVarInt(
  input: Buffer,
  at: number,
  bytesMax = 5,
): { value: number; end: number } | 'incomplete' | 'invalid' {
  let value = 0
  for (let read = 0; read < bytesMax; read++) {
    const byte = input[at + read]
    if (byte === undefined) return 'incomplete'
    if (read === 4 && byte > 0x0f) return 'invalid'
    value |= (byte & 0x7f) << (7 * read)
    if (byte < 0x80) return { value, end: at + read + 1 }
  }
  return 'invalid'
}

const legacyPing = 0xfe
const legacyPluginMessage = 0xfa
const handshakePacket = 0
const lengthVarIntBytesMax = 3
/** What the game's own servers take: 255 UTF-16 units, each at most three bytes of UTF-8. */
const hostBytesMax = 255 * 3
const intents = { 1: 'status', 2: 'login', 3: 'transfer' } as const

function parseHandshake(body: Buffer): MinecraftHandshake | undefined {
  const version = readVarInt(body, 0)
  if (typeof version === 'string') return undefined
  const hostLength = readVarInt(body, version.end)
  if (typeof hostLength === 'string' || hostLength.value < 0 || hostLength.value > hostBytesMax) return undefined
  const portAt = hostLength.end + hostLength.value
  const intent = readVarInt(body, portAt + 2)
  if (typeof intent === 'string' || intent.end !== body.length) return undefined
  if (intent.value !== 1 && intent.value !== 2 && intent.value !== 3) return undefined
  return {
    protocolVersion: version.value,
    host: typedHost(body.toString('utf8', hostLength.end, portAt)),
    intent: intents[intent.value],
  }
}

/** Forge appends its mark behind a NUL; a host found by an SRV record ends with the root's dot. */
function typedHost(text: string): string {
  const [host = ''] = text.split('\0', 1)
  return host.endsWith('.') ? host.slice(0, -1) : host
}
