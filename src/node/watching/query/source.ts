import { type Answer, BadAnswer } from './answer.ts'
import { Bytes } from './bytes.ts'
import { byDatagrams, type Datagrams } from './conversation.ts'

/** The query of Source and GoldSource games (A2S), with the challenge that newer ones ask to be repeated. */
export function askSource(port: number, signal: AbortSignal): Promise<Answer> {
  return byDatagrams(port, signal, async (datagrams) => {
    const info = await ask(datagrams, Buffer.from('TSource Engine Query\0', 'latin1'), infoReply)
    info.u8() // of the protocol
    const description = info.text()
    info.text() // its map
    info.text() // its folder
    info.text() // its game
    info.u16() // the game's number
    const online = info.u8()
    const max = info.u8()
    const answer: Answer = { online, max, names: [], description, version: null }
    info.take(5) // bots, kinds, password, protection
    if (info.left > 0) answer.version = info.text()
    if (online === 0) return answer
    // Some games never say who plays; what is known is known.
    const names = await ask(datagrams, Buffer.from('U\xff\xff\xff\xff', 'latin1'), playersReply)
      .then(namesIn)
      .catch(() => [])
    return { ...answer, names }
  })
}

const single = Buffer.from([0xff, 0xff, 0xff, 0xff])
const infoReply = 0x49
const playersReply = 0x44
const challengeReply = 0x41

/** Asks, repeats with the challenge where one comes, and returns what stands behind the kind of the reply. */
async function ask({ send, next }: Datagrams, question: Buffer, reply: number): Promise<Bytes> {
  send(Buffer.concat([single, question]))
  for (let challenged = 0; ; ) {
    const bytes = new Bytes(await wholeReply(next))
    const kind = bytes.u8()
    if (kind === reply) return bytes
    // What answers an older question is late.
    if (kind !== challengeReply) continue
    challenged += 1
    if (challenged > challengesMax) throw new BadAnswer('it asks for a challenge again and again')
    const challenge = bytes.take(4)
    const kept = question[0] === 0x55 ? question.subarray(0, 1) : question
    send(Buffer.concat([single, kept, challenge]))
  }
}

/** A game that answers each challenge with another one is given up. */
const challengesMax = 2

/** One reply, put together where it came in parts. */
async function wholeReply(next: () => Promise<Buffer>): Promise<Buffer> {
  const parts = new Map<number, Buffer>()
  for (;;) {
    const datagram = await next()
    if (datagram.length < 5) continue
    const head = datagram.readInt32LE(0)
    if (head === -1) return datagram.subarray(4)
    if (head !== -2 || datagram.length < splitHeadBytes) continue
    if (datagram.readInt32LE(4) < 0) throw new BadAnswer('its answer is compressed')
    const [total = 0, number = 0] = [datagram[8], datagram[9]]
    parts.set(number, datagram.subarray(splitHeadBytes))
    if (total === 0 || parts.size < total) continue
    const whole = Buffer.concat([...parts].toSorted(([left], [right]) => left - right).map(([, part]) => part))
    return whole.length >= 4 && whole.readInt32LE(0) === -1 ? whole.subarray(4) : whole
  }
}

/** -2, which answer, how many parts, which one, how large they are. */
const splitHeadBytes = 4 + 4 + 1 + 1 + 2

function namesIn(bytes: Bytes): string[] {
  const count = bytes.u8()
  const names: string[] = []
  for (let index = 0; index < count && bytes.left > 0; index++) {
    bytes.u8()
    names.push(bytes.text())
    bytes.take(8) // points and time
  }
  return names
}
