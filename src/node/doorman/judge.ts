import type { GameQuery } from '../../contract/template.ts'
import { type MinecraftHandshake, readHandshake } from '../../lib/minecraft/handshake.ts'
import { readLogin } from '../../lib/minecraft/login.ts'

/** What somebody wants who has sent these bytes. Only `login`, `page`, `request` and `talk` wake a server. */
export type Wish =
  | { is: 'unclear' }
  /** Nothing that is understood here. */
  | { is: 'nothing' }
  /** Minecraft: how the server is, as a list of servers shows it. `rest` came behind the handshake. */
  | { is: 'status'; handshake: MinecraftHandshake; rest: Buffer }
  /** The same of a game older than 1.7. */
  | { is: 'legacy-status' }
  /** Minecraft: to play. */
  | { is: 'login'; player: string }
  /** A browser wants a page. */
  | { is: 'page' }
  /** A web request of a program, or of a page's script. */
  | { is: 'request' }
  | { is: 'talk' }

/** @param input everything that has come, behind the header of a proxy if there is one. */
export function judge(speaks: GameQuery['kind'] | null, input: Buffer): Wish {
  return speaks === 'minecraft' ? judgeMinecraft(input) : judgeAnything(input)
}

function judgeMinecraft(input: Buffer): Wish {
  const reading = readHandshake(input)
  switch (reading.state) {
    case 'incomplete':
      return { is: 'unclear' }
    case 'legacy':
      return { is: 'legacy-status' }
    case 'refused':
      return { is: 'nothing' }
    case 'complete': {
      const rest = input.subarray(reading.bytes)
      if (reading.handshake.intent === 'status') return { is: 'status', handshake: reading.handshake, rest }
      const login = readLogin(rest)
      if (login.state === 'complete') return { is: 'login', player: login.player }
      return { is: login.state === 'incomplete' ? 'unclear' : 'nothing' }
    }
  }
}

function judgeAnything(input: Buffer): Wish {
  if (input.length === 0) return { is: 'unclear' }
  const text = input.toString('latin1')
  if (!requestBegin.test(text)) return mayBeginRequest.test(text) ? { is: 'unclear' } : { is: 'talk' }
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return { is: 'unclear' }
  const head = text.slice(0, end)
  const wantsPage = head.startsWith('GET ') && /^accept:[^\r\n]*\btext\/html\b/im.test(head)
  return { is: wantsPage && !/^upgrade:/im.test(head) ? 'page' : 'request' }
}

const requestBegin = /^[A-Z]{3,7} [^\r\n ]{1,8000} HTTP\/1\.[01]\r\n/
/** Everything that may still become that. */
const mayBeginRequest = /^[A-Z]{1,7}( [^\r\n ]{0,8000}( (H(T(T(P(\/(1(\.([01]\r?)?)?)?)?)?)?)?)?)?)?$/

export type DatagramWish = 'nothing' | 'ping' | 'wake'

/** The same of one datagram. Questions of server lists wake nothing. */
export function judgeDatagram(speaks: GameQuery['kind'] | null, payload: Buffer): DatagramWish {
  switch (speaks) {
    case 'minecraft-bedrock':
      if ((payload[0] === 0x01 || payload[0] === 0x02) && payload.subarray(9, 25).equals(raknetMagic)) return 'ping'
      return payload[0] === 0x05 && payload.subarray(1, 17).equals(raknetMagic) ? 'wake' : 'nothing'
    case 'source':
      // A2S_INFO, A2S_PLAYER, A2S_RULES, A2S_SERVERQUERY_GETCHALLENGE, and the ping of old.
      return isConnectionless(payload) && 'TUVWi'.includes(String.fromCharCode(payload[4] ?? 0)) ? 'nothing' : 'wake'
    case 'quake3':
      return isConnectionless(payload) && /^get(info|status)/i.test(payload.toString('latin1', 4, 20))
        ? 'nothing'
        : 'wake'
    case 'teeworlds':
      return /gie3|gief|fstd/.test(payload.toString('latin1', 0, 32)) ? 'nothing' : 'wake'
    case 'minecraft':
      return 'nothing'
    case 'luanti':
    case null:
      return 'wake'
  }
}

/** By which RakNet tells its datagrams without a session from others. */
export const raknetMagic = Buffer.from('00ffff00fefefefefdfdfdfd12345678', 'hex')

const isConnectionless = (payload: Buffer): boolean => payload.length >= 5 && payload.readInt32LE(0) === -1

/**
 * Where the header ends by which a proxy tells who the visitor is (PROXY protocol, version 1 or 2), 0 where there is none.
 */
export function proxyHeaderEnd(input: Buffer): number | 'incomplete' {
  const likeSecond = Math.min(input.length, secondSignature.length)
  if (input.length > 0 && input.subarray(0, likeSecond).equals(secondSignature.subarray(0, likeSecond))) {
    if (input.length < secondHeadBytes) return 'incomplete'
    const end = secondHeadBytes + input.readUInt16BE(secondHeadBytes - 2)
    return input.length < end ? 'incomplete' : end
  }
  const text = input.toString('latin1', 0, firstBytesMax)
  if (text === '' || firstBegin.startsWith(text)) return 'incomplete'
  if (!text.startsWith(firstBegin)) return 0
  const end = text.indexOf('\r\n')
  if (end >= 0) return end + 2
  return text.length < firstBytesMax ? 'incomplete' : 0
}

const secondSignature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const secondHeadBytes = 16
const firstBegin = 'PROXY '
/** The longest that the protocol's document allows. */
const firstBytesMax = 107
