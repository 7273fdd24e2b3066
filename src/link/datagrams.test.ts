import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LinkStream } from './link.ts'
import { Arrivals, openPair, transportNames } from './testing/pairs.ts'
import { datagramBytesMax } from './wire.ts'

/** What arrives at a stream, from now on. */
function heard(stream: LinkStream): Arrivals<Buffer> {
  const arrivals = new Arrivals<Buffer>()
  stream.onDatagram = (payload) => arrivals.add(payload)
  return arrivals
}

for (const name of transportNames) {
  describe(`datagrams over ${name}`, () => {
    it('reach the other end of their stream, both ways, whole and apart', async () => {
      await using pair = await openPair(name)
      const here = pair.acceptor.link.open({ for: 'games' })
      const there = (await pair.dialler.streams.next()).stream
      const [arrivedHere, arrivedThere] = [heard(here), heard(there)]
      for (const payload of ['one', '', 'three', 'x'.repeat(datagramBytesMax)]) {
        here.sendDatagram(Buffer.from(payload))
        assert.equal((await arrivedThere.next()).toString(), payload)
        there.sendDatagram(Buffer.from(payload))
        assert.equal((await arrivedHere.next()).toString(), payload)
      }
      here.write('bytes go beside them')
      there.once('data', (chunk: Buffer) => there.sendDatagram(chunk))
      assert.equal((await arrivedHere.next()).toString(), 'bytes go beside them')
    })

    it('of one stream do not reach another', async () => {
      await using pair = await openPair(name)
      const streams = [pair.dialler.link.open(1), pair.dialler.link.open(2)] as const
      const others = [await pair.acceptor.streams.next(), await pair.acceptor.streams.next()] as const
      const [first, second] = [heard(others[0].stream), heard(others[1].stream)]
      streams[0].sendDatagram(Buffer.from('for the first'))
      streams[1].sendDatagram(Buffer.from('for the second'))
      assert.equal((await second.next()).toString(), 'for the second')
      assert.equal((await first.next()).toString(), 'for the first')
    })

    it('beyond what may wait are dropped, and those after them get through', async () => {
      await using pair = await openPair(name, { limits: { datagramQueueBytesPerStreamMax: 4096 } })
      const here = pair.dialler.link.open(null)
      const arrived = heard((await pair.acceptor.streams.next()).stream)
      for (let index = 0; index < 100; index += 1) here.sendDatagram(Buffer.alloc(1000, index))
      for (let index = 0; index < 3; index += 1) assert.equal((await arrived.next())[0], index)
      here.sendDatagram(Buffer.from('later'))
      assert.equal((await arrived.next()).toString(), 'later')
    })
  })
}

describe('datagrams', () => {
  it('longer than UDP has them are dropped', async () => {
    await using pair = await openPair('memory')
    const here = pair.dialler.link.open(null)
    const arrived = heard((await pair.acceptor.streams.next()).stream)
    here.sendDatagram(Buffer.alloc(datagramBytesMax + 1))
    here.sendDatagram(Buffer.from('fits'))
    assert.equal((await arrived.next()).toString(), 'fits')
  })

  it('to a stream that is over, or that nobody listens to, go nowhere', async () => {
    await using pair = await openPair('memory')
    const over = pair.dialler.link.open(null)
    const deaf = pair.dialler.link.open(null)
    await pair.acceptor.streams.next()
    const { stream } = await pair.acceptor.streams.next()
    over.sendDatagram(Buffer.from('lost with its stream'))
    over.destroy()
    over.sendDatagram(Buffer.from('too late'))
    deaf.sendDatagram(Buffer.from('nobody listens'))
    deaf.write('bytes')
    await new Promise((resolve) => stream.once('data', resolve))
    const arrived = heard(stream)
    deaf.sendDatagram(Buffer.from('somebody listens'))
    assert.equal((await arrived.next()).toString(), 'somebody listens')
  })

  it('leave a link unharmed when their hearer fails', async () => {
    await using pair = await openPair('memory')
    const here = pair.dialler.link.open(null)
    const { stream } = await pair.acceptor.streams.next()
    const calls = new Arrivals<string>()
    stream.onDatagram = (payload) => {
      calls.add(payload.toString())
      throw new Error('cannot')
    }
    here.sendDatagram(Buffer.from('a'))
    assert.equal(await calls.next(), 'a')
    here.sendDatagram(Buffer.from('b'))
    assert.equal(await calls.next(), 'b')
  })
})
