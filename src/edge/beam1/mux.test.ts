import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { LinkEnd } from '../../link/index.ts'
import { encodeFrame, flag, frameType } from './frame.ts'
import { type Beam1Limits, beam1Limits } from './limits.ts'
import { Mux } from './mux.ts'

/** A session whose other end is this test: it takes no byte unless told to. */
function muxed(limits: Partial<Beam1Limits>, takes: boolean) {
  const sent: Buffer[] = []
  const duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _, done) => {
      sent.push(chunk)
      if (takes) done()
    },
  })
  const ended = Promise.withResolvers<LinkEnd>()
  const mux = new Mux({
    duplex,
    limits: { ...beam1Limits, ...limits },
    onStream: () => undefined,
    onRead: () => undefined,
    onEnd: ended.resolve,
  })
  return { mux, duplex, sent, ended: ended.promise }
}

test('an other end that takes nothing and asks for answers is dropped at a limit', async () => {
  const { mux, duplex, ended } = muxed({ queuedBytesMax: 1_200, idleFramesBurst: 1_000_000 }, false)
  for (let ping = 0; mux.isOpen && ping < 1_000; ping++) {
    duplex.push(encodeFrame({ type: frameType.ping, flags: flag.open, stream: 0, length: ping }))
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal((await ended).code, 'limit')
  assert.equal(duplex.destroyed, true)
})

test('streams that nobody accepts wait, up to a limit, and end with the session', async () => {
  const { mux, sent, ended } = muxed({ unacceptedMax: 2, waitingMax: 3 }, true)
  const streams = Array.from({ length: 5 }, () => mux.open(false))
  assert.throws(() => mux.open(false), { code: 'limit' })
  assert.equal(mux.streamCount, 2)
  const errors = Promise.all(
    streams.map((stream) => new Promise<string>((resolve) => stream.once('error', (error) => resolve(error.message)))),
  )
  streams[3]?.write('never sent')
  mux.close('closed', 'the test is over')
  assert.deepEqual(await errors, Array(5).fill('the test is over'))
  assert.equal((await ended).code, 'closed')
  assert.throws(() => mux.open(false), { code: 'lost' })
  assert.equal(Buffer.concat(sent).includes('never sent'), false)
  mux.destroy('at once')
})

test('a stream that waits too long is refused, and one that was given up waits no more', async () => {
  const { mux } = muxed({ unacceptedMax: 1, waitingMax: 1, waitingMs: 0, deadPeerMs: 400, idleMs: 60_000 }, true)
  mux.open(false)
  const given = mux.open(false)
  assert.throws(() => mux.open(false), { code: 'limit' })
  given.destroy()
  const late = mux.open(false)
  const error = await new Promise<Error>((resolve) => late.once('error', resolve))
  assert.match(error.message, /as many requests as it takes/)
  mux.destroy('the test is over')
})

test('streams have rising even numbers, each of them once', async () => {
  const { mux, duplex, ended } = muxed({ streamsMax: 1 }, true)
  const numbers: number[] = []
  for (let count = 0; count < 100; count++) {
    const stream = mux.open(false)
    numbers.push(stream.number)
    stream.destroy(new Error('enough'))
  }
  assert.deepEqual(
    numbers,
    [...Array(100).keys()].map((count) => 2 * (count + 1)),
  )
  duplex.destroy()
  assert.equal((await ended).code, 'lost')
})
