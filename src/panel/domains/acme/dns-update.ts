import { createHmac, randomInt } from 'node:crypto'
import { connect } from 'node:net'
import type { DnsZone } from '../world.ts'

/** One request to the operator's name server, ms. */
const updateTimeoutMs = 10_000

/** How long resolvers may remember the record, s: it stands for a minute or two. */
const ttlSeconds = 60

/** How far the clocks of panel and name server may be apart, s (RFC 8945 §10). */
const fudgeSeconds = 300

/**
 * Adds or removes one TXT record in the operator's zone by a dynamic update (RFC 2136), signed with HMAC-SHA256 (RFC 8945), over TCP. Doing
 * either again changes nothing.
 * @param seconds the time of day, s since 1970
 * @throws NameServerError that names the server and what it answered
 */
export async function updateText(
  zone: Pick<DnsZone, 'zone' | 'server' | 'keyName' | 'key'>,
  change: { do: 'add' | 'remove'; name: string; text: string },
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  const id = randomInt(65_536)
  const update = Buffer.concat([
    words(id, opcodeUpdate << 11, 1, 0, 1, 0),
    ...[nameBytes(zone.zone), words(types.soa, classes.in)],
    ...[nameBytes(change.name), words(types.txt, change.do === 'add' ? classes.in : classes.none)],
    ...[ttl(change.do === 'add' ? ttlSeconds : 0), lengthFirst(textBytes(change.text))],
  ])
  const place = `${zone.server.host}:${zone.server.port}`
  const answer = await exchange(zone.server, signed(update, zone, seconds), signal).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new NameServerError(
      `The name server ${place} does not answer: ${cause instanceof Error ? cause.message : 'unknown'}`,
      {
        cause,
      },
    )
  })
  if (answer.length < headerBytes || answer.readUInt16BE(0) !== id)
    throw new NameServerError(`The name server ${place} gave an answer that belongs to nothing that was asked`)
  const code = answer.readUInt16BE(2) & 0x0f
  if (code !== 0)
    throw new NameServerError(
      `The name server ${place} refused the record ${change.name}: ${responses[code] ?? `code ${code}`}`,
    )
}

/** What went wrong with the operator's name server, in words. */
export class NameServerError extends Error {
  override readonly name = 'NameServerError'
}

/** The message with its signature behind it (RFC 8945 §4.2). */
function signed(message: Buffer, { keyName, key }: Pick<DnsZone, 'keyName' | 'key'>, seconds: number): Buffer {
  const name = nameBytes(keyName)
  const algorithm = nameBytes('hmac-sha256')
  const time = Buffer.alloc(8)
  time.writeUIntBE(seconds, 0, 6)
  time.writeUInt16BE(fudgeSeconds, 6)
  const variables = Buffer.concat([name, words(classes.any), ttl(0), algorithm, time, words(0, 0)])
  const mac = createHmac('sha256', Buffer.from(key.reveal(), 'base64')).update(message).update(variables).digest()
  const data = Buffer.concat([algorithm, time, words(mac.length), mac, message.subarray(0, 2), words(0, 0)])
  const whole = Buffer.concat([message, name, words(types.tsig, classes.any), ttl(0), lengthFirst(data)])
  // One more record in the last section.
  whole.writeUInt16BE(whole.readUInt16BE(10) + 1, 10)
  return whole
}

/** Over TCP each message has its length before it. */
function exchange(
  { host, port }: { host: string; port: number },
  message: Buffer,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const end = (error: Error): void => void socket.destroy(error)
    const onAbort = (): void => end(new Error('it was given up'))
    const timer = setTimeout(() => end(new Error('it takes too long')), updateTimeoutMs)
    let input = Buffer.alloc(0)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      reject(new Error('it closed the connection'))
    })
    socket.on('data', (part: Buffer) => {
      input = Buffer.concat([input, part])
      if (input.length < 2 || input.length < 2 + input.readUInt16BE(0)) return
      resolve(input.subarray(2, 2 + input.readUInt16BE(0)))
      socket.destroy()
    })
    socket.write(lengthFirst(message))
    if (signal.aborted) onAbort()
  })
}

const opcodeUpdate = 5
const headerBytes = 12
const types = { soa: 6, txt: 16, tsig: 250 } as const
const classes = { in: 1, none: 254, any: 255 } as const

/** What name servers answer, in words. */
const responses: Readonly<Record<number, string>> = {
  1: 'it did not understand the update (FORMERR)',
  2: 'it failed (SERVFAIL)',
  4: 'it takes no updates (NOTIMP)',
  5: 'this key may not change that name (REFUSED)',
  9: 'the key is not the one it knows, the clocks are apart, or the zone is not its own (NOTAUTH)',
  10: 'the name is not in the zone (NOTZONE)',
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  for (const [at, value] of values.entries()) bytes.writeUInt16BE(value, at * 2)
  return bytes
}

function ttl(seconds: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(seconds)
  return bytes
}

const lengthFirst = (bytes: Buffer): Buffer => Buffer.concat([words(bytes.length), bytes])

/** A name as labels; lower case, since signatures are made of that form. */
const nameBytes = (name: string): Buffer =>
  Buffer.concat([
    ...name
      .toLowerCase()
      .replace(/\.$/, '')
      .split('.')
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ])

/** A text of up to 255 bytes: those of challenges have 43. */
const textBytes = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')])
