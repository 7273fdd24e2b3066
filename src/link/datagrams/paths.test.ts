import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TestTicker } from '../testing/ticker.ts'
import { AcceptedPath, type Address } from './accepted-path.ts'
import { DialledPath } from './dialled-path.ts'
import { Opener, Sealer } from './keys.ts'
import { type SealedPathLimits, sealedPathLimits } from './limits.ts'
import type { PathHost } from './path.ts'
import { ReplayWindow, replayWindowPackets } from './replay.ts'
import { datagramRoom, decodeNews, decodeOffer, encodeNews, encodeOffer, sealedOverheadBytes } from './sealed-wire.ts'

const secret = Buffer.alloc(32, 7)
const limits = sealedPathLimits

/** Both directions' keys, at the ends that use them. */
function sealed(some: Partial<SealedPathLimits> = {}): { sealer: Sealer; opener: Opener } {
  const all = { ...limits, ...some }
  return { sealer: new Sealer(secret, 'dials', 5, all, 0), opener: new Opener(secret, 'dials', all) }
}
const word = (text: string): Buffer => Buffer.from(text)

describe('a sealed packet', () => {
  it('has bytes that are frozen', () => {
    const { sealer } = sealed()
    assert.equal(
      sealer.seal(word('one'), 0).toString('hex'),
      '010000000000000500000000000000007a0733feea0690e03e59386beeb53ee2b5cc6c',
    )
    const offer = encodeOffer({ port: 4680, session: 5, secret })
    assert.equal(offer.toString('hex'), `011248000000000005${'07'.repeat(32)}`)
    const news = { token: 1, up: true, knows: 9, epoch: 2, size: 1452 }
    assert.equal(encodeNews('ping', news, 0).toString('hex'), '02000000010100000009 02 05ac'.replaceAll(' ', ''))
    assert.deepEqual(decodeNews(encodeNews('pong', news, 100)), news)
  })

  it('opens once, and only whole, unchanged and with the key of its direction', () => {
    const { sealer, opener } = sealed()
    const packet = sealer.seal(word('one'), 0)
    for (let at = 0; at < packet.length; at += 1) {
      // The session number leads to the path, whose keys no other has.
      const changed = Buffer.from(packet)
      changed[at] = (changed[at] ?? 0) ^ 0x80
      assert.equal(opener.open(changed, 0), null, `byte ${at}`)
      assert.equal(opener.open(packet.subarray(0, at), 0), null, `${at} bytes`)
    }
    assert.equal(new Opener(secret, 'accepts', limits).open(packet, 0), null)
    assert.equal(new Opener(Buffer.alloc(32, 8), 'dials', limits).open(packet, 0), null)
    assert.deepEqual(opener.open(packet, 0), { plain: word('one'), newest: true })
    assert.equal(opener.open(packet, 0), null)
  })

  it('goes on under the next key only when the other end has heard of the last', () => {
    const { sealer, opener } = sealed({ packetsPerKeyMax: 2 })
    const epochs = []
    for (let index = 0; index < 4; index += 1) epochs.push(sealer.seal(word('x'), 0)[1])
    sealer.confirm(0)
    for (let index = 0; index < 4; index += 1) epochs.push(sealer.seal(word('x'), 0)[1])
    assert.deepEqual(epochs, [0, 0, 0, 0, 1, 1, 1, 1])
    assert.equal(opener.epoch, 0)
  })

  it('of the former key opens for a moment, and not later', () => {
    const { sealer, opener } = sealed({ packetsPerKeyMax: 2 })
    const [old, older] = [sealer.seal(word('old'), 0), sealer.seal(word('older'), 0)]
    sealer.confirm(0)
    const young = sealer.seal(word('young'), 0)
    assert.equal(opener.open(young, 1000)?.plain.toString(), 'young')
    assert.equal(opener.epoch, 1)
    assert.deepEqual(opener.open(old, 1000 + limits.formerKeyMs - 1), { plain: word('old'), newest: false })
    assert.equal(opener.open(older, 1000 + limits.formerKeyMs), null)
  })

  it('finds its key after more epochs than a byte counts', () => {
    const { sealer, opener } = sealed({ packetsPerKeyMax: 1 })
    for (let epoch = 0; epoch < 600; epoch += 1) {
      assert.ok(opener.open(sealer.seal(word('x'), 0), 0), `epoch ${epoch}`)
      sealer.confirm(opener.epoch)
    }
  })
})

describe('a replay window', () => {
  it('takes each number once, in any order within its width', () => {
    const window = new ReplayWindow()
    const numbers = [0, 5, 3, 5, 0, replayWindowPackets + 4, 5, 6, replayWindowPackets + 4, 3]
    const taken = numbers.filter((number) => {
      const fresh = window.isNew(number)
      if (fresh) window.note(number)
      return fresh
    })
    assert.deepEqual(taken, [0, 5, 3, replayWindowPackets + 4, 6])
  })

  it('forgets nothing that is still within it after a leap of any length', () => {
    for (const leap of [
      1,
      31,
      32,
      33,
      replayWindowPackets - 1,
      replayWindowPackets,
      replayWindowPackets + 1,
      2 ** 40,
    ]) {
      const window = new ReplayWindow()
      window.note(100)
      window.note(100 + leap)
      assert.equal(window.isNew(100), false)
      assert.equal(window.isNew(100 + leap), false)
      assert.equal(window.isNew(99 + leap), leap !== 1)
      assert.equal(window.isNew(101 + leap), true)
    }
  })
})

/** Both ends of a path joined by a network that loses what `lost` says; nothing here waits. */
function joined(lost: { onward(packet: Buffer): boolean; back(packet: Buffer): boolean }) {
  const ticker = new TestTicker()
  const arrived: string[] = []
  const violations: string[] = []
  const host = (who: string): PathHost => ({
    newestRemoteStream: 0,
    heardOfStreams: () => undefined,
    arrived: (stream, payload) => arrived.push(`${who} ${stream} ${payload.length}`),
    pathChanged: () => undefined,
    violated: (reason) => violations.push(reason),
  })
  const offer = { port: 1, session: 5, secret }
  const from: Address = { address: '192.0.2.1', port: 1000 }
  const sizes: number[] = []
  const accepted = new AcceptedPath({
    ...offer,
    host: host('edge'),
    limits,
    ticker,
    send: (packet) => {
      if (!lost.back(packet)) dialled.receive(packet)
    },
    onClose: () => undefined,
  })
  const dialled = new DialledPath({
    offer,
    loopback: false,
    host: host('agent'),
    limits,
    ticker,
    send: (packet) => {
      sizes.push(packet.length)
      if (!lost.onward(packet)) accepted.receive(packet, from)
    },
    onClose: () => undefined,
  })
  dialled.begin()
  return { dialled, accepted, ticker, arrived, violations, sizes }
}

const largerThan = (bytes: number) => (packet: Buffer) => packet.length > bytes

describe('the size of packets', () => {
  it('grows to the largest that gets through, in both directions', () => {
    const { dialled, accepted, ticker } = joined({ onward: largerThan(1400), back: () => false })
    ticker.advance(60_000)
    for (const path of [dialled, accepted]) {
      assert.equal(path.carries(datagramRoom(1372)), true)
      assert.equal(path.carries(datagramRoom(1372) + 1), false)
    }
  })

  it('is that of the narrower direction', () => {
    const { dialled, accepted, ticker } = joined({ onward: () => false, back: largerThan(1300) })
    ticker.advance(60_000)
    for (const path of [dialled, accepted]) {
      assert.equal(path.carries(datagramRoom(1280)), true)
      assert.equal(path.carries(datagramRoom(1372)), false)
    }
  })

  it('is looked for again after a while', () => {
    const network = { onward: largerThan(1200), back: () => false }
    const { dialled, ticker } = joined(network)
    ticker.advance(60_000)
    assert.equal(dialled.carries(datagramRoom(1280)), false)
    network.onward = () => false
    ticker.advance(limits.sizeRetryMs + 60_000)
    assert.equal(dialled.carries(datagramRoom(1452)), true)
  })

  it('falls back where a path in use comes to lose large packets alone', () => {
    const network = { onward: () => false, back: () => false } as Parameters<typeof joined>[0]
    const { dialled, accepted, ticker } = joined(network)
    ticker.advance(60_000)
    assert.equal(dialled.carries(datagramRoom(1452)), true)
    network.onward = largerThan(1300)
    dialled.add(1, word('in use'))
    ticker.advance(3_000)
    assert.equal(dialled.carries(datagramRoom(1372)), false)
    ticker.advance(10_000)
    for (const path of [dialled, accepted]) {
      assert.equal(path.carries(datagramRoom(1280)), true)
      assert.equal(path.carries(datagramRoom(1372)), false)
    }
  })
})

describe('a path', () => {
  it('sends nothing before the first genuine packet has come', () => {
    let sent = 0
    const { accepted } = joined({
      onward: () => true,
      back: () => {
        sent += 1
        return false
      },
    })
    accepted.add(1, word('to nobody'))
    accepted.receive(Buffer.alloc(1200, 1), { address: '192.0.2.9', port: 9 })
    assert.equal(accepted.carries(1), false)
    assert.equal(sent, 0)
  })

  it('is pinged seldom while nothing goes over it, and often while something does', () => {
    const { dialled, ticker, sizes } = joined({ onward: () => false, back: () => false })
    ticker.advance(120_000)
    sizes.length = 0
    ticker.advance(60_000)
    assert.deepEqual(sizes, Array(4).fill(sealedOverheadBytes + 13))
    sizes.length = 0
    dialled.noteUse()
    ticker.advance(5_000)
    assert.deepEqual(sizes, Array(11).fill(1452))
  })

  it('tells of nonsense that is sealed properly', () => {
    for (const plain of [
      Buffer.of(9),
      Buffer.of(1, 0, 0, 0, 1, 0, 9, 1),
      Buffer.of(1, 0, 0, 0, 1, 0),
      Buffer.of(2, 0, 0),
      Buffer.of(3),
    ]) {
      const { accepted, violations } = joined({ onward: () => true, back: () => false })
      const sealer = new Sealer(secret, 'dials', 5, limits, 0)
      sealer.seal(word('the ping that was lost'), 0)
      accepted.receive(sealer.seal(plain, 0), { address: '192.0.2.1', port: 1 })
      assert.equal(violations.length, 1, plain.toString('hex'))
    }
  })

  it('is not taken when it is of a later version', () => {
    const offer = encodeOffer({ port: 1, session: 1, secret })
    offer[0] = 2
    assert.equal(decodeOffer(offer), null)
  })
})
