import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { LinkError, splice } from './index.ts'
import { listen, openPair, transportNames } from './testing/pairs.ts'

for (const transport of transportNames) {
  describe(`a socket joined to a stream over ${transport}`, () => {
    it('carries everything both ways, half-closed first by the asker', async () => {
      await using world = await openJoined(transport, async (service) => {
        const question = await buffer(service)
        service.end(question)
      })
      const content = randomBytes(3_000_000)
      world.visitor.end(content)
      assert.ok((await buffer(world.visitor)).equals(content))
      assert.equal(await world.result, null)
    })

    it('holds back a service whose visitor does not read', async () => {
      let written = 0
      await using world = await openJoined(transport, async (service) => {
        const chunk = Buffer.alloc(256 * 1024)
        const more = (): void => {
          while (written < 200 && !service.destroyed) {
            written += 1
            if (!service.write(chunk)) return
          }
          if (written === 200) service.end()
        }
        service.on('drain', more)
        more()
      })
      world.visitor.pause()
      // Windows and the buffers of three sockets hold a few megabytes; the rest of the 50 waits at its source.
      let before = -1
      while (before !== written) {
        before = written
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      assert.ok(written < 200, `${written} chunks were taken`)
      assert.equal((await buffer(world.visitor)).length, 200 * 256 * 1024)
    })

    it('ends the visitor when the stream is reset, and the stream when the visitor breaks off', async () => {
      await using first = await openJoined(transport, async (service) => void service.resetAndDestroy())
      first.visitor.resume()
      await over(first.visitor)
      assert.ok((await first.result) instanceof Error)

      await using second = await openJoined(transport, async () => undefined)
      second.visitor.write('hello')
      await once(second.service, 'data')
      second.visitor.resetAndDestroy()
      await over(second.service)
      assert.ok((await second.result) instanceof Error)
    })
  })
}

it('says what broke', async () => {
  await using pair = await openPair('memory')
  const near = pair.dialler.link.open(null)
  const { stream: far } = await pair.acceptor.streams.next()
  const other = pair.dialler.link.open(null)
  const joined = splice(near, other)
  far.destroy(new LinkError('unreachable', 'nothing listens there'))
  assert.deepEqual(await joined, new LinkError('unreachable', 'nothing listens there'))
  assert.equal(await text(far).catch((error) => error.code), 'unreachable')
})

/** The other side has ended it, in an orderly way or not. */
async function over(socket: Socket): Promise<void> {
  if (socket.destroyed || socket.readableEnded) return
  await Promise.race([once(socket, 'end'), once(socket, 'close')])
}

interface Joined extends AsyncDisposable {
  visitor: Socket
  service: Socket
  result: Promise<Error | null>
}

/** visitor → edge end → link → agent end → service, as an edge and an agent do it. */
async function openJoined(
  transport: (typeof transportNames)[number],
  serve: (service: Socket) => Promise<void>,
): Promise<Joined> {
  await using cleanup = new AsyncDisposableStack()
  const arrived = Promise.withResolvers<Socket>()
  const origin = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    arrived.resolve(socket)
    void serve(socket)
  })
  const originPort = await listen(origin)
  cleanup.defer(() => void origin.close())
  const onStream = (stream: Parameters<typeof splice>[0]): void => {
    void splice(stream, connect({ port: originPort, host: '127.0.0.1', allowHalfOpen: true }))
  }
  const pair = cleanup.use(await openPair(transport, { onStream }))
  const result = Promise.withResolvers<Error | null>()
  const edge = createServer({ allowHalfOpen: true }, (socket) => {
    result.resolve(splice(socket, pair.acceptor.link.open(null)))
  })
  const port = await listen(edge)
  cleanup.defer(() => void edge.close())
  const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  visitor.on('error', () => undefined)
  cleanup.defer(() => void visitor.destroy())
  const service = await arrived.promise
  cleanup.defer(() => void service.destroy())
  const keep = cleanup.move()
  return { visitor, service, result: result.promise, [Symbol.asyncDispose]: () => keep.disposeAsync() }
}
