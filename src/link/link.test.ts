import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { describe, it } from 'node:test'
import { patienceMs } from '../../test/patience.ts'
import { LinkError, type LinkStream } from './index.ts'
import { openPair, type TestPair, transportNames } from './testing/pairs.ts'

const directions = ['dialler', 'acceptor'] as const

for (const transport of transportNames) {
  describe(`a link over ${transport}`, () => {
    it('tells each end what the other said of itself', async () => {
      await using pair = await openPair(transport)
      assert.deepEqual(pair.dialler.link.greeting, { you: 'are welcome' })
      assert.deepEqual(pair.acceptor.link.greeting, { i: 'am here' })
    })

    it('keeps the order of messages, both ways', async () => {
      await using pair = await openPair(transport)
      for (let n = 0; n < 100; n++) {
        pair.dialler.link.send({ n })
        pair.acceptor.link.send([n])
      }
      for (let n = 0; n < 100; n++) {
        assert.deepEqual(await pair.acceptor.messages.next(), { n })
        assert.deepEqual(await pair.dialler.messages.next(), [n])
      }
    })

    it('ends both ends with the reason of the one that closed it', async () => {
      await using pair = await openPair(transport)
      pair.acceptor.link.close('the node was removed', 'superseded')
      pair.acceptor.link.close('again')
      assert.deepEqual(await pair.dialler.link.closed, { code: 'superseded', reason: 'the node was removed' })
      assert.deepEqual(await pair.acceptor.link.closed, { code: 'superseded', reason: 'the node was removed' })
    })

    it('ends as lost, with its streams, when the connection is cut', async () => {
      await using pair = await openPair(transport)
      const stream = pair.dialler.link.open('x')
      const failed = once(stream, 'error')
      await pair.acceptor.streams.next()
      pair.cut()
      assert.equal((await pair.dialler.link.closed).code, 'lost')
      assert.equal((await pair.acceptor.link.closed).code, 'lost')
      const [error] = await failed
      assert.equal(error.code, 'lost')
      assert.equal(pair.acceptor.link.streamCount, 0)
    })

    for (const opener of directions) {
      const other = opener === 'dialler' ? 'acceptor' : 'dialler'
      describe(`streams that the ${opener} opens`, () => {
        it('carry the head, and bytes both ways', async () => {
          await using pair = await openPair(transport)
          const { near, far, head } = await openStream(pair, opener, other, { service: 'web' })
          assert.deepEqual(head, { service: 'web' })
          far.pipe(far)
          near.end('hello')
          assert.equal(await text(near), 'hello')
        })

        it('stay readable after their own end', async () => {
          await using pair = await openPair(transport)
          const { near, far } = await openStream(pair, opener, other)
          near.end('question')
          assert.equal(await text(far), 'question')
          far.write('a late ')
          far.end('answer')
          assert.equal(await text(near), 'a late answer')
          await Promise.all([closed(near), closed(far)])
          assert.equal(pair[opener].link.streamCount, 0)
          assert.equal(pair[other].link.streamCount, 0)
        })

        it('hold back the source while nobody reads, and deliver everything once somebody does', async () => {
          await using pair = await openPair(transport)
          const { near, far } = await openStream(pair, opener, other)
          const chunk = randomBytes(64 * 1024)
          const total = 64
          let taken = 0
          const source = Readable.from(
            (function* () {
              for (; taken < total; taken++) yield chunk
            })(),
          )
          const sent = pipeline(source, near)
          // The window, and what the stream itself buffers; beyond that the source must wait.
          const bound = (256 + 128 + 3 * 64) / 64
          await settled(() => far.readableLength === 256 * 1024)
          assert.ok(taken <= bound, `${taken} chunks were taken from the source`)
          const received = await buffer(far)
          await sent
          assert.equal(received.length, total * chunk.length)
          assert.ok(received.subarray(-chunk.length).equals(chunk))
        })

        it('fail at the other end with the code they are destroyed with', async () => {
          await using pair = await openPair(transport)
          const { near, far } = await openStream(pair, opener, other)
          const failed = once(far, 'error')
          near.destroy(new LinkError('unreachable', 'nothing listens on port 25565'))
          const [error] = await failed
          assert.ok(error instanceof LinkError)
          assert.deepEqual([error.code, error.message], ['unreachable', 'nothing listens on port 25565'])
          assert.equal(pair[other].link.streamCount, 0)
        })

        it('do not tell the other end the text of a foreign error', async () => {
          await using pair = await openPair(transport)
          const { near, far } = await openStream(pair, opener, other)
          const failed = once(far, 'error')
          near.destroy(new Error('connect ECONNREFUSED 10.0.0.7:5432 with password hunter2'))
          const [error] = await failed
          assert.equal(error.code, 'closed')
          assert.doesNotMatch(error.message, /hunter2|10\.0/)
        })

        it('run beside each other without mixing their bytes', async () => {
          await using pair = await openPair(transport)
          const count = 50
          const serve = (async () => {
            for (let n = 0; n < count; n++) {
              const { stream } = await pair[other].streams.next()
              void pipeline(stream, stream)
            }
          })()
          const results = await Promise.all(
            Array.from({ length: count }, async (_, n) => {
              const content = randomBytes(1 + n * 7919)
              const stream = pair[opener].link.open(n)
              const echoed = buffer(stream)
              for (let at = 0; at < content.length; at += 5000) stream.write(content.subarray(at, at + 5000))
              stream.end()
              return digest(await echoed) === digest(content)
            }),
          )
          await serve
          assert.ok(results.every(Boolean))
        })

        it('are refused once the other end drains, while open ones finish', async () => {
          await using pair = await openPair(transport)
          const { near, far } = await openStream(pair, opener, other)
          pair[other].link.drain()
          pair[other].link.send('drained')
          await pair[opener].messages.next()
          assert.equal(pair[opener].link.draining, true)
          const [error] = await once(pair[opener].link.open('one more'), 'error')
          assert.equal(error.code, 'refused')
          far.pipe(far)
          near.end('still here')
          assert.equal(await text(near), 'still here')
        })
      })
    }
  })
}

async function openStream(
  pair: TestPair,
  opener: 'dialler' | 'acceptor',
  other: 'dialler' | 'acceptor',
  sent: unknown = null,
): Promise<{ near: LinkStream; far: LinkStream; head: unknown }> {
  const near = pair[opener].link.open(sent)
  const { stream: far, head } = await pair[other].streams.next()
  return { near, far, head }
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

async function closed(stream: LinkStream): Promise<void> {
  if (!stream.closed) await once(stream, 'close')
}

/** Turns of the event loop until `condition` holds; the generous bound only ends a test that fails. */
async function settled(condition: () => boolean): Promise<void> {
  const end = performance.now() + patienceMs
  while (!condition() && performance.now() < end) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(condition(), 'the condition never held')
}
