import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import { silentLog } from '../lib/log.ts'
import {
  acceptLinks,
  dialLink,
  type Greeted,
  type Link,
  type LinkAcceptor,
  type LinkLimits,
  memoryPair,
} from './index.ts'
import { type ReadFrame, readFrames } from './testing/frames.ts'
import { Arrivals, type TestEnd, testEvents } from './testing/pairs.ts'
import { untilEnd } from './testing/sockets.ts'
import {
  connectionNumberBytes,
  encodeFrame,
  encodeInvite,
  encodeJson,
  encodeMove,
  encodeReason,
  encodeReceived,
  encodeWindow,
  frameType,
  joinSecretBytes,
  preface,
} from './wire.ts'

const open = (stream: number): Buffer => encodeJson(frameType.open, stream, null, 100)
const data = (stream: number, bytes: number, value = 1): Buffer =>
  encodeFrame(frameType.data, stream, Buffer.alloc(bytes, value))
const end = (stream: number): Buffer => encodeFrame(frameType.end, stream)
const retire = encodeFrame(frameType.retire, 0)
const wish = encodeFrame(frameType.wish, 0)

describe('a further connection', () => {
  const strangers: Record<string, (secret: Buffer) => Buffer> = {
    'with a secret that was never given': () => randomBytes(joinSecretBytes),
    'with a secret of zeros': () => Buffer.alloc(joinSecretBytes),
    'with a byte of the secret changed': (secret) =>
      Buffer.from(secret.map((byte, at) => (at === 31 ? byte ^ 1 : byte))),
    'with half a secret': (secret) => secret.subarray(0, joinSecretBytes / 2),
    'with a secret and a half': (secret) => Buffer.concat([secret, secret.subarray(0, 16)]),
    'with nothing': () => Buffer.alloc(0),
  }
  for (const [name, forge] of Object.entries(strangers)) {
    it(`${name} is cut off without an answer, and the link goes on`, async () => {
      await using victim = await openVictim()
      const { secret } = await victim.invited()
      const raw = victim.connect()
      raw.write(Buffer.concat([preface, encodeFrame(frameType.join, 0, forge(secret)), open(1)]))
      assert.equal((await untilEnd(raw)).length, 0)
      victim.raw.write(open(1))
      await victim.streams.next()
    })
  }

  it('joins once with a secret', async () => {
    await using victim = await openVictim()
    const { secret } = await victim.invited()
    const first = victim.join(secret)
    const second = victim.join(secret)
    assert.equal((await untilEnd(second)).length, 0)
    assert.equal(first.destroyed, false)
  })

  it('does not join a link that has ended', async () => {
    await using victim = await openVictim()
    const { secret } = await victim.invited()
    victim.link.close('enough')
    assert.equal((await untilEnd(victim.join(secret))).length, 0)
  })

  it('does not join after its time', async () => {
    await using victim = await openVictim({ joinMs: 5 })
    const { secret, number } = await victim.invited()
    victim.raw.write(Buffer.concat([open(1), encodeMove(1, number)]))
    const { stream } = await victim.streams.next()
    const [error] = await once(stream, 'error')
    assert.equal(error.code, 'lost')
    assert.equal((await untilEnd(victim.join(secret))).length, 0)
  })

  it('carries the streams of its own link only', async () => {
    await using victim = await openVictim()
    await using other = await openVictim({}, victim.site)
    const foreign = await other.invited()
    other.raw.write(open(1))
    const { stream } = await other.streams.next()
    let heard = 0
    stream.on('data', (chunk: Buffer) => {
      heard += chunk.length
    })
    // Whoever has the secret speaks for the link that gave it; never for the one whose connection it came over.
    const raw = victim.join(foreign.secret)
    raw.write(Buffer.concat([data(1, 10), data(3, 10)]))
    assert.equal((await other.link.closed).code, 'protocol')
    assert.equal(heard, 0)
    victim.raw.write(open(1))
    await victim.streams.next()
  })

  it('is invited for at most as often as the limit says, however often the other end wishes', async () => {
    await using victim = await openVictim({ bulkConnectionsMax: 3 })
    victim.raw.write(Buffer.concat(Array.from({ length: 1000 }, () => wish)))
    victim.raw.write(open(1))
    await victim.streams.next()
    victim.raw.write(encodeFrame(frameType.ping, 0, Buffer.alloc(8)))
    const invitations: number[] = []
    for (let frame = await victim.frames.next(); ; frame = await victim.frames.next()) {
      if (frame.type === frameType.invite) invitations.push(frame.payload.readUInt32BE(0))
      if (frame.type === frameType.pong) break
    }
    assert.deepEqual(invitations, [1, 2, 3])
  })

  it('takes its own streams along when it is lost, and the held bytes with them', async () => {
    await using victim = await openVictim()
    const { secret, number } = await victim.invited()
    const bulk = victim.join(secret)
    victim.raw.write(Buffer.concat([open(1), open(3), open(5), encodeMove(1, number)]))
    const streams = [(await victim.streams.next()).stream, (await victim.streams.next()).stream]
    const kept = (await victim.streams.next()).stream
    const failed = Promise.all(streams.map((stream) => once(stream, 'error')))
    bulk.write(data(3, 10)) // its move never comes
    bulk.write(Buffer.concat([data(1, 10)]))
    const [chunk] = await once(streams[0] as Duplex, 'data')
    assert.equal(chunk.length, 10)
    bulk.destroy()
    for (const [error] of await failed) assert.equal(error.code, 'lost')
    victim.raw.write(data(5, 1))
    await once(kept, 'data')
  })
})

describe('streams that are moved', () => {
  it('are read in order, whichever connection is quicker', async () => {
    await using victim = await openVictim()
    const { secret, number } = await victim.invited()
    const bulk = victim.join(secret)
    victim.raw.write(open(1))
    const { stream } = await victim.streams.next()
    const received: Buffer[] = []
    stream.on('data', (chunk: Buffer) => received.push(chunk))
    const ended = once(stream, 'end')
    // What comes second and fourth arrives first, the end with it.
    bulk.write(Buffer.concat([data(1, 2, 2), encodeMove(1, 0), data(1, 4, 4), end(1)]))
    await victim.heard(bulk)
    assert.equal(received.length, 0)
    victim.raw.write(Buffer.concat([data(1, 1, 1), encodeMove(1, number), data(1, 3, 3), encodeMove(1, number)]))
    await ended
    assert.deepEqual([...Buffer.concat(received)], [1, 2, 2, 3, 3, 3, 4, 4, 4, 4])
  })

  const violations: Record<string, (at: { raw: Duplex; bulk: Duplex; number: number }) => void> = {
    'to a connection that never was': ({ raw }) => raw.write(encodeMove(1, 9)),
    'to the connection they are on': ({ raw }) => raw.write(encodeMove(1, 0)),
    'twice to the same connection': ({ raw, bulk, number }) => {
      raw.write(encodeMove(1, number))
      bulk.write(encodeMove(1, number))
    },
    'without being open': ({ raw, number }) => raw.write(encodeMove(7, number)),
    'as stream 0': ({ raw, number }) => raw.write(encodeMove(0, number)),
    'with a number of three bytes': ({ raw }) => raw.write(encodeFrame(frameType.move, 1, Buffer.alloc(3))),
    'without end': ({ bulk }) => bulk.write(Buffer.concat(Array.from({ length: 20 }, () => encodeMove(1, 0)))),
    'beyond their window': ({ bulk }) => bulk.write(Buffer.concat(Array.from({ length: 9 }, () => data(1, 32 * 1024)))),
    'beyond their window on two connections': ({ raw, bulk }) => {
      bulk.write(Buffer.concat(Array.from({ length: 5 }, () => data(1, 32 * 1024))))
      raw.write(Buffer.concat(Array.from({ length: 5 }, () => data(1, 32 * 1024))))
    },
    'and go on after their end': ({ raw, bulk, number }) => {
      bulk.write(Buffer.concat([end(1), data(1, 1)]))
      raw.write(encodeMove(1, number))
    },
    'and end twice': ({ raw, bulk, number }) => {
      bulk.write(Buffer.concat([end(1), end(1)]))
      raw.write(encodeMove(1, number))
    },
  }
  for (const [name, write] of Object.entries(violations)) {
    it(`${name} end the link as a protocol violation`, async () => {
      await using victim = await openVictim()
      const { secret, number } = await victim.invited()
      const bulk = victim.join(secret)
      victim.raw.write(open(1))
      await victim.streams.next()
      write({ raw: victim.raw, bulk, number })
      assert.equal((await victim.link.closed).code, 'protocol')
      assert.equal(victim.link.streamCount, 0)
      await untilEnd(bulk)
    })
  }

  it('count as unread what is held back for them: the stream that holds most is reset', async () => {
    await using victim = await openVictim({ unreadBytesMax: 100_000 })
    const { secret } = await victim.invited()
    const bulk = victim.join(secret)
    victim.raw.write(open(1))
    const { stream } = await victim.streams.next()
    const failed = once(stream, 'error')
    bulk.write(Buffer.concat(Array.from({ length: 1_000 }, () => data(1, 1))))
    const [error] = await failed
    assert.equal(error.code, 'limit')
    assert.equal(victim.link.streamCount, 0)
  })

  it('may have been reset here: what still comes of them is ignored', async () => {
    await using victim = await openVictim()
    const { secret, number } = await victim.invited()
    const bulk = victim.join(secret)
    victim.raw.write(open(1))
    const { stream } = await victim.streams.next()
    stream.destroy()
    victim.raw.write(encodeMove(1, number))
    bulk.write(Buffer.concat([data(1, 10), encodeMove(1, 0), end(1)]))
    await victim.heard(bulk)
    victim.raw.write(open(3))
    await victim.streams.next()
  })
})

describe('an end that is sent on a further connection what does not belong there', () => {
  const cases: Record<string, Buffer> = {
    'an open': open(3),
    'a window': encodeWindow(1, 10),
    'a message': encodeJson(frameType.message, 0, 1, 100),
    'a drain': encodeFrame(frameType.drain, 0),
    'a close': encodeReason(frameType.close, 0, 'closed', ''),
    'a datagram': encodeFrame(frameType.datagram, 1, Buffer.alloc(1)),
    'a wish': wish,
    'an invitation': encodeInvite(5, randomBytes(joinSecretBytes)),
    'a second join': encodeFrame(frameType.join, 0, randomBytes(joinSecretBytes)),
    'a hello': encodeJson(frameType.hello, 0, 'hi', 100),
    'data of a stream that was never opened': data(7, 1),
    'data after it was retired': Buffer.concat([retire, data(1, 1)]),
    'a second retirement': Buffer.concat([retire, retire]),
    'the news of bytes that were never sent': encodeReceived(1),
    'an unknown type': encodeFrame(200 as never, 0), // hostile on purpose
  }
  for (const [name, bytes] of Object.entries(cases)) {
    it(`${name} ends the link as a protocol violation`, async () => {
      await using victim = await openVictim()
      const { secret } = await victim.invited()
      const bulk = victim.join(secret)
      victim.raw.write(open(1))
      await victim.streams.next()
      bulk.write(bytes)
      assert.equal((await victim.link.closed).code, 'protocol')
    })
  }
})

describe('an end that is sent on the first connection what does not belong there', () => {
  const cases: Record<string, Buffer> = {
    'a retirement': retire,
    'a join': encodeFrame(frameType.join, 0, randomBytes(joinSecretBytes)),
    'an invitation by the dialling end': encodeInvite(1, randomBytes(joinSecretBytes)),
    'the news of bytes that were never sent': encodeReceived(1),
    'the news of nothing': encodeReceived(0),
    'a wish with a payload': encodeFrame(frameType.wish, 0, Buffer.alloc(1)),
  }
  for (const [name, bytes] of Object.entries(cases)) {
    it(`${name} ends the link as a protocol violation`, async () => {
      await using victim = await openVictim()
      victim.raw.write(bytes)
      assert.equal((await victim.link.closed).code, 'protocol')
    })
  }

  it('ends the link as a protocol violation at the dialling end, too', async () => {
    const secret = randomBytes(joinSecretBytes)
    const cases = [
      [wish],
      [encodeInvite(0, secret)],
      [encodeInvite(1, secret), encodeInvite(1, secret)],
      [encodeFrame(frameType.invite, 0, Buffer.alloc(connectionNumberBytes))],
    ]
    for (const frames of cases) {
      const pairs = [memoryPair(), memoryPair()]
      let made = 0
      const dialler = async () => (pairs[made++] ?? assert.fail('a third connection'))[0]
      const theirs = pairs[0]?.[1].duplex ?? assert.fail('no pair')
      const dialling = dialLink({ dialler, hello: 1, events: testEvents().events })
      theirs.write(encodeJson(frameType.welcome, 0, 'hi', 100))
      theirs.resume()
      const link = await dialling
      theirs.write(Buffer.concat(frames))
      assert.equal((await link.closed).code, 'protocol')
    }
  })
})

describe('an acceptor that invites without end', () => {
  it('is not dialled more often at once than the limit says', async () => {
    const [ours, theirs] = memoryPair()
    let dialled = 0
    const dialler = async (signal: AbortSignal) => {
      dialled += 1
      if (dialled === 1) return ours
      return await new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    const { events, messages } = testEvents()
    const dialling = dialLink({ dialler, hello: 1, events, limits: { bulkConnectionsMax: 2 } })
    theirs.duplex.write(encodeJson(frameType.welcome, 0, 'hi', 100))
    theirs.duplex.resume()
    const link = await dialling
    const invitations = Array.from({ length: 100 }, (_, n) => encodeInvite(n + 1, randomBytes(joinSecretBytes)))
    theirs.duplex.write(Buffer.concat([...invitations, encodeJson(frameType.message, 0, 'done', 100)]))
    await messages.next()
    assert.equal(dialled, 3)
    link.close('done')
  })
})

interface Site {
  acceptor: LinkAcceptor
  /** What the next hellos are answered with. */
  greetings: Greeted[]
}

interface Victim extends AsyncDisposable {
  site: Site
  link: Link
  /** Our end of its first connection, after a good handshake. */
  raw: Duplex
  /** What it sends there. */
  frames: Arrivals<ReadFrame>
  streams: TestEnd['streams']
  /** Wishes for a further connection. */
  invited(): Promise<{ number: number; secret: Buffer }>
  /** Our end of a fresh connection to it. */
  connect(): Duplex
  /** Our end of a connection that has joined. */
  join(secret: Buffer): Duplex
  /** Resolves once it has read what was written before on `raw`. */
  heard(raw: Duplex): Promise<void>
}

/** The accepting end of a link whose other end is ours to misuse. */
async function openVictim(limits: Partial<LinkLimits> = {}, site: Site = openSite(limits)): Promise<Victim> {
  const { events, streams } = testEvents()
  const opened = new Arrivals<Link>()
  site.greetings.push({ welcome: 'welcome', events, opened: (link) => opened.add(link) })
  const connect = (): Duplex => {
    const [ours, theirs] = memoryPair()
    site.acceptor.accept(ours)
    theirs.duplex.on('error', () => undefined)
    return theirs.duplex
  }
  const raw = connect()
  const frames = new Arrivals<ReadFrame>()
  const readers = new WeakMap<Duplex, Arrivals<ReadFrame>>()
  readFrames(raw, (frame) => frames.add(frame))
  raw.write(Buffer.concat([preface, encodeJson(frameType.hello, 0, 'hi', 100)]))
  const link = await opened.next()
  return {
    site,
    link,
    raw,
    frames,
    streams,
    async invited() {
      raw.write(wish)
      for (let frame = await frames.next(); ; frame = await frames.next()) {
        if (frame.type !== frameType.invite) continue
        return { number: frame.payload.readUInt32BE(0), secret: frame.payload.subarray(connectionNumberBytes) }
      }
    },
    connect,
    join(secret) {
      const duplex = connect()
      const heard = new Arrivals<ReadFrame>()
      readers.set(duplex, heard)
      readFrames(duplex, (frame) => heard.add(frame))
      duplex.write(Buffer.concat([preface, encodeFrame(frameType.join, 0, secret)]))
      return duplex
    },
    async heard(duplex) {
      const mark = randomBytes(8)
      duplex.write(encodeFrame(frameType.ping, 0, mark))
      const arrivals = readers.get(duplex) ?? assert.fail('not a joined connection')
      for (let frame = await arrivals.next(); ; frame = await arrivals.next()) {
        if (frame.type === frameType.pong && frame.payload.equals(mark)) return
      }
    },
    [Symbol.asyncDispose]: () => site.acceptor[Symbol.asyncDispose](),
  }
}

function openSite(limits: Partial<LinkLimits>): Site {
  const greetings: Greeted[] = []
  const greet = async (): Promise<Greeted> => greetings.shift() ?? assert.fail('nobody else is expected')
  return { acceptor: acceptLinks({ greet, log: silentLog, limits: { closeMs: 20, ...limits } }), greetings }
}
