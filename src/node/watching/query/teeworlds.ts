import { randomBytes } from 'node:crypto'
import { type Answer, BadAnswer } from './answer.ts'
import { Bytes } from './bytes.ts'
import { byDatagrams, type Datagrams } from './conversation.ts'

/** Teeworlds: both protocols are tried at once, 0.6 (and DDNet) and 0.7, and whichever answers is read. */
export function askTeeworlds(port: number, signal: AbortSignal): Promise<Answer> {
  return byDatagrams(port, signal, async (datagrams) => {
    const own = randomBytes(4)
    datagrams.send(Buffer.concat([Buffer.alloc(10, 0xff), Buffer.from('gie3'), own.subarray(0, 1)]))
    datagrams.send(tokenRequest(own))
    for (;;) {
      const reply = await datagrams.next()
      if (reply.subarray(0, 10).equals(connectionless06) && reply.toString('latin1', 10, 14) === 'inf3')
        return read06(new Bytes(reply, 14))
      const theirs = tokenIn(reply, own)
      if (theirs) return ask07(datagrams, own, theirs)
    }
  })
}

const connectionless06 = Buffer.alloc(10, 0xff)

/** Flags of a 0.7 packet, as they stand in its first byte. */
const control = 0x01 << 2
const connectionless = (0x08 << 2) | 1
const tokenMessage = 5

/** Padded to 512 bytes: a server answers no request that is smaller than its reply could be. */
function tokenRequest(own: Buffer): Buffer {
  const head = Buffer.from([control, 0, 0, 0xff, 0xff, 0xff, 0xff, tokenMessage])
  return Buffer.concat([head, own, Buffer.alloc(512)])
}

/** The server's token in its reply to our request. */
function tokenIn(reply: Buffer, own: Buffer): Buffer | null {
  if (reply.length < 12 || ((reply[0] ?? 0) & 0xfc) !== control || reply[7] !== tokenMessage) return null
  return reply.subarray(3, 7).equals(own) ? reply.subarray(8, 12) : null
}

async function ask07({ send, next }: Datagrams, own: Buffer, theirs: Buffer): Promise<Answer> {
  const head = Buffer.concat([Buffer.from([connectionless]), theirs, own])
  send(Buffer.concat([head, Buffer.from('\xff\xff\xff\xffgie3', 'latin1'), Buffer.from([0])]))
  for (;;) {
    const reply = await next()
    if (reply[0] !== connectionless || reply.toString('latin1', 13, 17) !== 'inf3') continue
    return read07(new Bytes(reply, 17))
  }
}

function read06(bytes: Bytes): Answer {
  bytes.text() // our token
  const version = bytes.text()
  const description = bytes.text()
  for (let skipped = 0; skipped < 3; skipped++) bytes.text() // map, kind of game, flags
  bytes.text() // players
  bytes.text() // most players
  const online = Number(bytes.text())
  const max = Number(bytes.text())
  const names: string[] = []
  while (bytes.left > 0 && names.length < online) {
    names.push(bytes.text())
    for (let skipped = 0; skipped < 4; skipped++) bytes.text() // clan, country, points, whether playing
  }
  return { online, max, names, description, version }
}

function read07(bytes: Bytes): Answer {
  packedInt(bytes) // our token
  const version = bytes.text()
  const description = bytes.text()
  for (let skipped = 0; skipped < 3; skipped++) bytes.text() // host name, map, kind of game
  for (let skipped = 0; skipped < 4; skipped++) packedInt(bytes) // flags, level, players, most players
  const online = packedInt(bytes)
  const max = packedInt(bytes)
  const names: string[] = []
  while (bytes.left > 0 && names.length < online) {
    names.push(bytes.text())
    bytes.text() // clan
    for (let skipped = 0; skipped < 3; skipped++) packedInt(bytes) // country, points, whether playing
  }
  return { online, max, names, description, version }
}

/** Six bits with the sign, then seven at a time. */
function packedInt(bytes: Bytes): number {
  const first = bytes.u8()
  let value = first & 0x3f
  let shift = 6
  for (let byte = first; byte & 0x80; ) {
    if (shift > 27) throw new BadAnswer('a number in it is too large')
    byte = bytes.u8()
    value |= (byte & 0x7f) << shift
    shift += 7
  }
  return first & 0x40 ? ~value : value
}
