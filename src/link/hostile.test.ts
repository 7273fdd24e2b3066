import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { patienceMs } from '../../test/patience.ts'
import { silentLog } from '../lib/log.ts'
import { encodeOffer } from './datagrams/sealed-wire.ts'
import {
  acceptLinks,
  dialLink,
  type Greeted,
  type Link,
  type LinkAcceptor,
  LinkError,
  type LinkLimits,
  memoryPair,
  tcpDialler,
} from './index.ts'
import { readFrames } from './testing/frames.ts'
import { Arrivals, listen, openPair, type TestEnd, testEvents } from './testing/pairs.ts'
import { untilEnd } from './testing/sockets.ts'
import {
  dataBytesMax,
  datagramBytesMax,
  encodeFrame,
  encodeJson,
  encodeReason,
  encodeReceived,
  encodeWindow,
  type FrameType,
  frameType,
  headerBytes,
  initialWindowBytes,
  preface,
  writeHeader,
} from './wire.ts'

const hello = Buffer.concat([preface, encodeJson(frameType.hello, 0, 'hi', 100)])
const open = (stream: number, head: unknown = null): Buffer => encodeJson(frameType.open, stream, head, 1000)
const data = (stream: number, bytes: number): Buffer => encodeFrame(frameType.data, stream, Buffer.alloc(bytes, 1))
const header = (type: number, length: number, stream: number): Buffer => {
  const bytes = Buffer.alloc(headerBytes)
  writeHeader(bytes, 0, type as FrameType, length, stream) // hostile on purpose
  return bytes
}

const offer = (port: number): Buffer =>
  encodeFrame(frameType.path, 0, encodeOffer({ port, session: 1, secret: Buffer.alloc(32, 1) }))

describe('an end that is sent nonsense ends the link as a protocol violation', () => {
  const cases: Record<string, Buffer[]> = {
    'an unknown frame type': [header(0, 0, 0)],
    'another unknown frame type': [header(200, 0, 0)],
    'a second hello': [encodeJson(frameType.hello, 0, 'hi', 100)],
    'a welcome': [encodeJson(frameType.welcome, 0, 'hi', 100)],
    'data on a stream that was never opened': [data(1, 10)],
    'data on a stream that only we could have opened': [data(2, 10)],
    'a window for a stream that was never opened': [encodeWindow(9, 10)],
    'an end for a stream that was never opened': [encodeFrame(frameType.end, 9)],
    'a reset for a stream that was never opened': [encodeReason(frameType.reset, 9, 'closed', '')],
    'data on stream 0': [data(0, 10)],
    'an open on stream 0': [open(0)],
    'a stream number of our side': [open(2)],
    'a stream number twice': [open(1), open(1)],
    'stream numbers that go back': [open(5), open(3)],
    'a head that is not JSON': [encodeFrame(frameType.open, 1, Buffer.from('{'))],
    'a head that is not UTF-8': [encodeFrame(frameType.open, 1, Buffer.from([0x22, 0xff, 0x22]))],
    'an empty head': [encodeFrame(frameType.open, 1)],
    'a head over its limit, already at its header': [header(frameType.open, 16 * 1024 + 1, 1)],
    'a message over its limit, already at its header': [header(frameType.message, 1024 * 1024 + 1, 0)],
    'a message that is not JSON': [encodeFrame(frameType.message, 0, Buffer.from('nope'))],
    'a message on a stream': [open(1), encodeJson(frameType.message, 1, 1, 100)],
    'an empty data frame': [open(1), data(1, 0)],
    'a data frame over its limit': [open(1), header(frameType.data, dataBytesMax + 1, 1)],
    'the longest frame there can be': [open(1), header(frameType.data, 0xffffff, 1)],
    'more data than the window': [open(1), ...Array.from({ length: 5 }, () => data(1, dataBytesMax))],
    'data after the end': [open(1), encodeFrame(frameType.end, 1), data(1, 1)],
    'a second end': [open(1), encodeFrame(frameType.end, 1), encodeFrame(frameType.end, 1)],
    'a window of nothing': [open(1), encodeWindow(1, 0)],
    'a window beyond 31 bits': [open(1), encodeWindow(1, 2 ** 31 - 1)],
    'a window frame of three bytes': [open(1), encodeFrame(frameType.window, 1, Buffer.alloc(3))],
    'a ping of nine bytes': [encodeFrame(frameType.ping, 0, Buffer.alloc(9))],
    'a ping on a stream': [open(1), encodeFrame(frameType.ping, 1, Buffer.alloc(8))],
    'a drain with a payload': [encodeFrame(frameType.drain, 0, Buffer.alloc(1))],
    'a reset without a code': [open(1), encodeFrame(frameType.reset, 1)],
    'a path offered by the dialling end': [encodeFrame(frameType.path, 0, Buffer.alloc(41, 1))],
    'a path that is cut short': [encodeFrame(frameType.path, 0, Buffer.alloc(40, 1))],
    'a path on a stream': [open(1), encodeFrame(frameType.path, 1, Buffer.alloc(41, 1))],
    'a datagram on stream 0': [encodeFrame(frameType.datagram, 0, Buffer.alloc(1))],
    'a datagram for a stream that was never opened': [encodeFrame(frameType.datagram, 9, Buffer.alloc(1))],
    'a datagram over its limit, already at its header': [open(1), header(frameType.datagram, datagramBytesMax + 1, 1)],
    'a close with a novel for a reason': [header(frameType.close, 2000, 0)],
  }
  for (const [name, frames] of Object.entries(cases)) {
    it(name, async () => {
      await using victim = await openVictim()
      const sent = untilEnd(victim.raw)
      victim.raw.write(Buffer.concat(frames))
      assert.equal((await victim.link.closed).code, 'protocol')
      assert.equal(victim.link.streamCount, 0)
      const close = lastClose(await sent)
      assert.equal(close, 2, 'the peer is told that it broke the protocol')
    })
  }

  it('at the dialling end as well', async () => {
    const [ours, theirs] = memoryPair()
    const dialling = dialLink({ dialler: async () => ours, hello: 1, events: testEvents().events })
    theirs.duplex.write(encodeJson(frameType.welcome, 0, 'hi', 100))
    const link = await dialling
    theirs.duplex.resume()
    theirs.duplex.write(open(1)) // odd numbers are the dialler's
    assert.equal((await link.closed).code, 'protocol')
  })

  for (const [name, frames] of Object.entries({
    'a path to port 0': [offer(0)],
    'a second path': [offer(9), offer(9)],
  })) {
    it(`at the dialling end for ${name}`, async () => {
      await using cleanup = new AsyncDisposableStack()
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.resume()
        socket.write(Buffer.concat([encodeJson(frameType.welcome, 0, 'hi', 100), ...frames]))
      })
      cleanup.defer(() => void server.close())
      const dialler = tcpDialler({ host: '127.0.0.1', port: await listen(server) })
      const link = await dialLink({ dialler, hello: 1, events: testEvents().events })
      assert.equal((await link.closed).code, 'protocol')
    })
  }
})

describe('an end that is sent random bytes', () => {
  it('never throws, and ends the link or waits for more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 64 }), { maxLength: 8 }), async (chunks) => {
        await using victim = await openVictim()
        victim.raw.resume()
        for (const chunk of chunks) victim.raw.write(chunk)
        victim.raw.end()
        const { code } = await victim.link.closed
        assert.ok(['protocol', 'lost', 'closed'].includes(code) || chunks.length > 0)
      }),
      { numRuns: 300 },
    )
  })

  it('never throws when the bytes look like frames', async () => {
    const frame = fc
      .tuple(
        fc.integer({ min: 3, max: frameType.received + 1 }),
        fc.integer({ min: 0, max: 8 }),
        fc.uint8Array({ maxLength: 12 }),
      )
      .map(([type, stream, payload]) => Buffer.concat([header(type, payload.length, stream), payload]))
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 20 }), async (frames) => {
        await using victim = await openVictim()
        victim.raw.resume()
        victim.raw.write(Buffer.concat([open(1), ...frames]))
        victim.raw.end()
        await victim.link.closed
        assert.equal(victim.link.streamCount, 0)
      }),
      { numRuns: 300 },
    )
  })

  it('understands frames whatever pieces they arrive in', async () => {
    const whole = Buffer.concat([
      encodeJson(frameType.message, 0, { n: 1 }, 100),
      open(1, 'head'),
      data(1, 1000),
      encodeJson(frameType.message, 0, { n: 2 }, 100),
      encodeFrame(frameType.end, 1),
    ])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 30 }), async (cuts) => {
        await using victim = await openVictim()
        victim.raw.resume()
        let from = 0
        for (const to of [...cuts.sort((a, b) => a - b), whole.length]) {
          victim.raw.write(whole.subarray(from, to))
          from = to
        }
        assert.deepEqual([await victim.messages.next(), await victim.messages.next()], [{ n: 1 }, { n: 2 }])
        const { stream, head } = await victim.streams.next()
        assert.equal(head, 'head')
        let received = 0
        for await (const chunk of stream) received += chunk.length
        assert.equal(received, 1000)
      }),
      { numRuns: 100 },
    )
  })
})

describe('a handshake', () => {
  const nonsense: Record<string, Buffer> = {
    'another protocol': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'one wrong byte of the preface': Buffer.from('PHAROS/2'),
    'a stranger that says a little and waits': Buffer.from('SSH'),
    'a frame other than the hello': Buffer.concat([preface, encodeFrame(frameType.ping, 0, Buffer.alloc(8))]),
    'a datagram': Buffer.concat([preface, encodeFrame(frameType.datagram, 1, Buffer.alloc(8))]),
    'a hello over its limit': Buffer.concat([preface, header(frameType.hello, 64 * 1024 + 1, 0)]),
    'an empty hello': Buffer.concat([preface, header(frameType.hello, 0, 0)]),
    'a hello that is not JSON': Buffer.concat([preface, encodeFrame(frameType.hello, 0, Buffer.from('hi'))]),
    'a hello on a stream': Buffer.concat([preface, encodeJson(frameType.hello, 1, 'hi', 100)]),
  }
  for (const [name, bytes] of Object.entries(nonsense)) {
    it(`is cut off without an answer for ${name}`, async () => {
      let greetings = 0
      await using acceptor = acceptLinks({
        greet: async () => {
          greetings++
          return greeted()
        },
        log: silentLog,
        limits: { helloMs: 500 },
      })
      const [ours, theirs] = memoryPair()
      acceptor.accept(ours)
      theirs.duplex.write(bytes)
      assert.equal((await untilEnd(theirs.duplex)).length, 0)
      assert.equal(greetings, 0)
    })
  }

  it('refuses one that goes on before its hello was answered', async () => {
    const answer = Promise.withResolvers<Greeted>()
    await using acceptor = acceptLinks({ greet: () => answer.promise, log: silentLog, limits: { closeMs: 500 } })
    const [ours, theirs] = memoryPair()
    acceptor.accept(ours)
    theirs.duplex.write(Buffer.concat([hello, open(1)]))
    const refused = await untilEnd(theirs.duplex)
    assert.deepEqual([refused[0], refused[headerBytes]], [frameType.refuse, 2])
    answer.resolve(greeted())
    assert.equal(acceptor.links.size, 0)
  })

  it('tells the dialler why it is refused', async () => {
    const greet = async (): Promise<Greeted> => {
      throw new LinkError('unauthorized', 'the token has expired: make a new one')
    }
    await using acceptor = acceptLinks({ greet, log: silentLog })
    await assert.rejects(dialInto(acceptor), { code: 'unauthorized', message: 'the token has expired: make a new one' })
  })

  it('says nothing of what broke while a hello was judged', async () => {
    const greet = async (): Promise<Greeted> => {
      throw new Error('SQLITE_BUSY /var/lib/panel.db')
    }
    await using acceptor = acceptLinks({ greet, log: silentLog })
    await assert.rejects(dialInto(acceptor), (error) => {
      assert.ok(error instanceof LinkError)
      assert.equal(error.code, 'refused')
      assert.doesNotMatch(error.message, /SQLITE/)
      return true
    })
  })

  it('does not wait for another that takes its time', async () => {
    const slow = Promise.withResolvers<Greeted>()
    await using acceptor = acceptLinks({
      greet: async (said) => (said === 'slow' ? slow.promise : greeted()),
      log: silentLog,
    })
    const waiting = dialInto(acceptor, 'slow')
    const link = await dialInto(acceptor, 'quick')
    assert.equal(acceptor.links.size, 1)
    slow.resolve(greeted())
    await waiting
    assert.equal(acceptor.links.size, 2)
    link.close('done')
  })

  it('is cut off when its hello, or the judgement of it, takes too long', async () => {
    await using acceptor = acceptLinks({
      greet: () => new Promise(() => undefined),
      log: silentLog,
      limits: { helloMs: 5, greetMs: 5 },
    })
    const [ours, theirs] = memoryPair()
    acceptor.accept(ours)
    theirs.duplex.write(preface)
    assert.equal((await untilEnd(theirs.duplex)).length, 0)
    await assert.rejects(dialInto(acceptor), { code: 'limit' })
  })

  it('makes room for the next one as long as it has said nothing, oldest first', async () => {
    await using acceptor = acceptLinks({
      greet: () => new Promise(() => undefined),
      log: silentLog,
      limits: { handshakesMax: 2 },
    })
    const [first, second, third] = [memoryPair(), memoryPair(), memoryPair()]
    for (const [ours] of [first, second, third]) acceptor.accept(ours)
    await once(first[1].duplex, 'close')
    assert.equal(second[1].duplex.destroyed, false)
    assert.equal(third[1].duplex.destroyed, false)
  })

  it('is dropped at once while too many others are being judged', async () => {
    let judged = 0
    await using acceptor = acceptLinks({
      greet: () => {
        judged++
        return new Promise(() => undefined)
      },
      log: silentLog,
      limits: { handshakesMax: 2 },
    })
    const events = testEvents().events
    const diallings = [0, 1].map(() => {
      const [ours, theirs] = memoryPair()
      acceptor.accept(ours)
      return assert.rejects(dialLink({ dialler: async () => theirs, hello: {}, events }), { code: 'closed' })
    })
    while (judged < 2) await new Promise((resolve) => setImmediate(resolve))
    const [ours, theirs] = memoryPair()
    acceptor.accept(ours)
    await once(theirs.duplex, 'close')
    await acceptor[Symbol.asyncDispose]()
    await Promise.all(diallings)
  })

  it('gives up at the dialling end when nobody answers, when told to, and when the answer is nonsense', async () => {
    const events = testEvents().events
    const dialler = async () => memoryPair()[0]
    await assert.rejects(dialLink({ dialler, hello: 1, events, limits: { welcomeMs: 5 } }), { code: 'lost' })
    const stop = new AbortController()
    const dialling = dialLink({ dialler, hello: 1, events, signal: stop.signal })
    setImmediate(() => stop.abort(new Error('enough')))
    await assert.rejects(dialling, /enough/)
    const [ours, theirs] = memoryPair()
    theirs.duplex.write(data(1, 10))
    await assert.rejects(dialLink({ dialler: async () => ours, hello: 1, events }), { code: 'protocol' })
    await assert.rejects(dialLink({ dialler, hello: 'x'.repeat(65 * 1024), events }), { code: 'limit' })
  })
})

describe('the limits of a link', () => {
  it('notice a peer that falls silent', async () => {
    await using victim = await openVictim({ deadPeerMs: 20 })
    victim.raw.resume()
    const { code, reason } = await victim.link.closed
    assert.equal(code, 'lost')
    assert.match(reason, /silent/)
  })

  it('notice a peer that lives but does not read', async () => {
    await using victim = await openVictim({ deadPeerMs: 40, stalledWriteMs: 40 })
    victim.raw.write(open(1))
    const { stream } = await victim.streams.next()
    stream.write(Buffer.alloc(100_000))
    const alive = setInterval(() => victim.raw.write(encodeFrame(frameType.ping, 0, Buffer.alloc(8))), 5)
    const { code, reason } = await victim.link.closed
    clearInterval(alive)
    assert.equal(code, 'lost')
    assert.match(reason, /read nothing/)
  })

  it('keep a link that only its pings keep alive', async () => {
    await using pair = await openPair('memory', { limits: { deadPeerMs: 40 } })
    const { link } = pair.dialler
    const ended = link.closed.then(({ reason }) => `ended: ${reason}`)
    // Several times the limit, of which the peers say nothing of their own.
    const alive = new Promise<string>((resolve) => setTimeout(resolve, 200, 'alive'))
    assert.equal(await Promise.race([ended, alive]), 'alive')
  })

  it('answer only the latest of many pings to a peer that does not read', async () => {
    await using victim = await openVictim({ queuedBytesMax: 10_000 })
    const ping = encodeFrame(frameType.ping, 0, Buffer.alloc(8))
    victim.raw.write(Buffer.concat(Array.from({ length: 100_000 }, () => ping)))
    victim.raw.write(open(1, 'after'))
    assert.equal((await victim.streams.next()).head, 'after')
  })

  it('end the link of a peer that causes answers and does not read them', async () => {
    await using victim = await openVictim({ streamsMax: 0, queuedBytesMax: 10_000 })
    victim.raw.write(Buffer.concat(Array.from({ length: 5_000 }, (_, n) => open(2 * n + 1))))
    assert.equal((await victim.link.closed).code, 'limit')
  })

  it('refuse a stream too many, in either direction, and let the others be', async () => {
    await using pair = await openPair('memory', { limits: { streamsMax: 3 } })
    const streams = [1, 2, 3].map((n) => pair.dialler.link.open(n))
    const [error] = await once(pair.dialler.link.open(4), 'error')
    assert.equal(error.code, 'limit')
    for (const n of [1, 2, 3]) pair.acceptor.link.open(n)
    await pair.dialler.streams.next()
    assert.equal(pair.dialler.link.streamCount, 6)
    for (const stream of streams) stream.destroy()
    assert.equal(pair.dialler.link.streamCount, 3)
  })

  it('reset a stream too many that the peer opens', async () => {
    await using victim = await openVictim({ streamsMax: 2 })
    const frames = new Arrivals<{ type: number; stream: number; payload: Buffer }>()
    readFrames(victim.raw, (frame) => frame.type === frameType.reset && frames.add(frame))
    victim.raw.write(Buffer.concat([open(1), open(3), open(5)]))
    const { type, stream, payload } = await frames.next()
    assert.deepEqual([type, stream, payload[0]], [frameType.reset, 5, 5])
    assert.equal(victim.link.streamCount, 2)
  })

  it('reset the stream that holds most when too much waits unread on the link', async () => {
    await using victim = await openVictim({ unreadBytesMax: 300_000 })
    victim.raw.resume()
    victim.raw.write(
      Buffer.concat([open(1), open(3), data(1, 60_000), data(3, 60_000), data(3, 60_000), data(3, 60_000)]),
    )
    const [small, large] = [await victim.streams.next(), await victim.streams.next()]
    const failed = once(large.stream, 'error')
    victim.raw.write(Buffer.concat([data(1, 60_000), data(1, 30_000)]))
    const [error] = await failed
    assert.equal(error.code, 'limit')
    assert.equal(small.stream.destroyed, false)
  })

  it('count the cost of crumbs: a thousand one-byte frames are not a thousand bytes', async () => {
    await using victim = await openVictim({ unreadBytesMax: 100_000 })
    victim.raw.resume()
    victim.raw.write(open(1))
    const { stream } = await victim.streams.next()
    const failed = once(stream, 'error')
    // Each in a turn of its own: those of one turn are joined.
    for (let n = 0; n < 1000 && !stream.destroyed; n++) {
      victim.raw.write(data(1, 1))
      await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const [error] = await failed
    assert.equal(error.code, 'limit')
  })

  it('let data for a stream that was just reset pass unheard', async () => {
    await using victim = await openVictim()
    victim.raw.resume()
    victim.raw.write(open(1))
    const { stream } = await victim.streams.next()
    stream.destroy()
    victim.raw.write(
      Buffer.concat([
        data(1, 10),
        encodeWindow(1, 5),
        encodeFrame(frameType.end, 1),
        encodeJson(frameType.message, 0, 'next', 100),
      ]),
    )
    assert.equal(await victim.messages.next(), 'next')
  })

  it('refuse what is too large to send before it is sent', async () => {
    await using pair = await openPair('memory')
    const [error] = await once(pair.dialler.link.open('x'.repeat(20_000)), 'error')
    assert.equal(error.code, 'limit')
    assert.throws(() => pair.dialler.link.send('x'.repeat(2 * 1024 * 1024)), { code: 'limit' })
    assert.throws(() => pair.dialler.link.send(undefined), { code: 'limit' })
    pair.dialler.link.send('still up')
    assert.equal(await pair.acceptor.messages.next(), 'still up')
  })

  it('never send more than the window, whatever the peer grants', async () => {
    await using victim = await openVictim()
    let received = 0
    readFrames(victim.raw, ({ type, payload }) => {
      if (type !== frameType.data) return
      received += payload.length
      victim.raw.write(encodeReceived(headerBytes + payload.length))
    })
    // Says at once to have received everything, so that only the window holds the sender back.
    victim.raw.write(open(1))
    const { stream } = await victim.streams.next()
    stream.write(Buffer.alloc(initialWindowBytes))
    stream.write(Buffer.alloc(100_000))
    await until(() => received === initialWindowBytes)
    victim.raw.write(encodeWindow(1, 1))
    await until(() => received === initialWindowBytes + 1)
    stream.destroy()
  })
})

describe('an end whose own handler fails', () => {
  it('resets the stream that could not be served, with the code of a LinkError', async () => {
    await using pair = await openPair('memory', {
      onStream: (_stream, head) => {
        if (head === 'known') throw new LinkError('unreachable', 'nothing listens there')
        throw new Error('secret detail')
      },
    })
    const [known] = await once(pair.dialler.link.open('known'), 'error')
    assert.deepEqual([known.code, known.message], ['unreachable', 'nothing listens there'])
    const [unknown] = await once(pair.dialler.link.open('other'), 'error')
    assert.equal(unknown.code, 'refused')
    assert.doesNotMatch(unknown.message, /secret/)
    assert.equal(pair.dialler.link.streamCount, 0)
  })
})

interface Victim extends AsyncDisposable {
  link: Link
  /** Our end of its connection, after a good handshake. */
  raw: Duplex
  streams: TestEnd['streams']
  messages: TestEnd['messages']
}

/** The accepting end of a link whose other end is ours to misuse. */
async function openVictim(limits: Partial<LinkLimits> = {}): Promise<Victim> {
  const { events, streams, messages } = testEvents()
  const opened = new Arrivals<Link>()
  const acceptor = acceptLinks({
    greet: async () => ({ welcome: 'welcome', events, opened: (link) => opened.add(link) }),
    log: silentLog,
    limits: { closeMs: 20, ...limits },
  })
  const [ours, theirs] = memoryPair()
  acceptor.accept(ours)
  theirs.duplex.on('error', () => undefined)
  theirs.duplex.write(hello)
  const link = await opened.next()
  return { link, raw: theirs.duplex, streams, messages, [Symbol.asyncDispose]: () => acceptor[Symbol.asyncDispose]() }
}

function dialInto(acceptor: LinkAcceptor, said: unknown = 'hi'): Promise<Link> {
  const dialler = async () => {
    const [left, right] = memoryPair()
    acceptor.accept(right)
    return left
  }
  return dialLink({ dialler, hello: said, events: testEvents().events })
}

const greeted = (): Greeted => ({ welcome: 'welcome', events: testEvents().events })

/** The code of the close frame with which these bytes end. */
function lastClose(bytes: Buffer): number | undefined {
  for (let at = 0; at < bytes.length; at += headerBytes + bytes.readUIntBE(at + 1, 3)) {
    if (bytes[at] === frameType.close) return bytes[at + headerBytes]
  }
  return undefined
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + patienceMs
  while (!condition() && performance.now() < end) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(condition(), 'the condition never held')
}
