import { readVarInt } from './handshake.ts'

export type LoginReading = { state: 'incomplete' } | { state: 'complete'; player: string } | { state: 'refused' }

/** The packet in which a client says as whom it logs in, whatever its version appends to the name: at most this large, in bytes. */
export const loginBytesMax = 4_096

/** Reads who logs in. Anybody may claim any name here: it is checked later, by the game. */
export function readLogin(input: Buffer): LoginReading {
  const length = readVarInt(input, 0, 3)
  if (length === 'incomplete') return { state: 'incomplete' }
  if (length === 'invalid' || length.value < 2 || length.value > loginBytesMax) return { state: 'refused' }
  const number = input[length.end]
  if (number !== undefined && number !== loginPacket) return { state: 'refused' }
  const end = length.end + length.value
  if (input.length < end) return { state: 'incomplete' }
  const name = readVarInt(input, length.end + 1)
  if (typeof name === 'string' || name.value < 1 || name.value > nameBytesMax || name.end + name.value > end)
    return { state: 'refused' }
  const player = input.toString('utf8', name.end, name.end + name.value)
  return playerName.test(player) ? { state: 'complete', player } : { state: 'refused' }
}

const loginPacket = 0
/** Sixteen characters of UTF-8: what the game itself takes. */
const nameBytesMax = 16 * 4
/** The game's own names, and those that proxies make for players of other editions (`.Some Name`). */
const playerName = /^[\w .*+-]{1,16}$/
