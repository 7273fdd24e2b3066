import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import type { LinkStream } from '../link/index.ts'
import { type CountingPlane, countingPlane } from './testing/counting-plane.ts'
import { http2Visitor } from './testing/http2-client.ts'
import {
  endHeaders,
  endStream,
  fields,
  frame,
  frameTypes,
  frameVisitor,
  number,
  request,
} from './testing/http2-frames.ts'
import { eventually, handAgent, type TestEdge, testEdge } from './testing/world.ts'

const host = 'web.acme.localhost'

/** What one stream may hold at the edge: what is held back for a slow reader, and the piece that came before it was stopped, bytes. */
const heldPerStreamMax = 2 * 262_144

interface World {
  edge: TestEdge
  plane: CountingPlane
  /** The requests at the service, each with a way of its own. */
  streams: LinkStream[]
}

/** An edge whose service does what `serve` says with the stream of each request. */
async function world(closer: AsyncDisposableStack, serve: (stream: LinkStream) => void, limits = {}): Promise<World> {
  const plane = countingPlane()
  const streams: LinkStream[] = []
  const edge = await testEdge(closer, {}, { controlPlane: plane.start, reportEveryMs: 10, limits })
  const agent = await handAgent(closer, edge, 'acme', (stream) => {
    streams.push(stream)
    stream.on('error', () => undefined)
    serve(stream)
  })
  await agent.open({ kind: 'http', name: 'web' })
  return { edge, plane, streams }
}

/** Resolves with the number once it stands still: nobody tells that nothing more will come. */
async function settled(value: () => number): Promise<number> {
  let last = -1
  for (let quiet = 0; quiet < 8; ) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    quiet = value() === last ? quiet + 1 : 0
    last = value()
  }
  return last
}

/** Answers with more than anybody wants, as fast as it is taken. */
function endless(stream: LinkStream): void {
  stream.once('data', () => {
    stream.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
    const more = (): void => {
      while (!stream.destroyed && stream.write(Buffer.alloc(65_536)));
    }
    stream.on('drain', more)
    more()
  })
}

describe('what the edge holds, counted at its meters, is bounded', () => {
  test('for visitors that ask for much and read nothing', async () => {
    await using closer = new AsyncDisposableStack()
    const { edge, plane } = await world(closer, endless)
    const visitor = await frameVisitor(closer, edge.httpPort)
    const asked = 40
    for (let index = 0; index < asked; index++)
      visitor.send(frame('headers', endHeaders | endStream, 2 * index + 1, fields(request(host))))
    await eventually(() => (plane.counter('web')?.bytesOut ?? 0) > asked, 'all are asked')
    const held = await settled(() => plane.counter('web')?.bytesOut ?? 0)
    // 64 KiB of each stream, and of the connection, is what HTTP/2 lets anybody send unasked.
    assert.ok(held <= asked * heldPerStreamMax, `${held} bytes are held for ${asked} requests`)
  })

  test('for visitors that open their windows by a byte at a time, or never', async () => {
    await using closer = new AsyncDisposableStack()
    const { edge, plane, streams } = await world(closer, endless)
    const visitor = await frameVisitor(closer, edge.httpPort)
    const asked = 20
    // SETTINGS_INITIAL_WINDOW_SIZE 0: not a byte of an answer may be sent.
    visitor.send(frame('settings', 0, 0, Buffer.concat([Buffer.from([0, 4]), number(0)])))
    for (let index = 0; index < asked; index++)
      visitor.send(frame('headers', endHeaders | endStream, 2 * index + 1, fields(request(host))))
    await eventually(() => streams.length === asked, 'all are asked')
    const before = await settled(() => plane.counter('web')?.bytesOut ?? 0)
    for (let round = 0; round < 200; round++) visitor.send(frame('windowUpdate', 0, 1, number(1)))
    await visitor.until(({ type, stream }) => type === frameTypes.data && stream === 1)
    const after = await settled(() => plane.counter('web')?.bytesOut ?? 0)
    assert.ok(before <= asked * heldPerStreamMax && after <= asked * heldPerStreamMax, `${before}, then ${after}`)
  })

  test('for bodies that the service does not read', async () => {
    await using closer = new AsyncDisposableStack()
    const { edge, plane, streams } = await world(closer, (stream) => stream.pause())
    const visitor = http2Visitor(closer, edge.httpPort)
    await once(visitor, 'remoteSettings')
    const asked = 20
    for (let index = 0; index < asked; index++) {
      const stream = visitor.request({ ':authority': host, ':method': 'POST' })
      stream.on('error', () => undefined)
      const more = (): void => {
        while (!stream.destroyed && stream.write(Buffer.alloc(65_536)));
      }
      stream.on('drain', more)
      more()
    }
    await eventually(() => streams.length === asked, 'all are asked')
    // What the link has in flight for streams that nobody reads is the link's own bound.
    const linked = asked * 1_048_576
    const taken = await settled(() => plane.counter('web')?.bytesIn ?? 0)
    assert.ok(taken <= asked * heldPerStreamMax + linked, `${taken} bytes were taken for ${asked} requests`)
    for (const stream of streams) stream.destroy()
  })

  test('by what is refused: too many requests at once, heads that are too large', async () => {
    await using closer = new AsyncDisposableStack()
    const { edge, streams } = await world(closer, () => undefined, {
      http2StreamsPerConnectionMax: 10,
      http2RejectedStreamsMax: 50,
      http2HeadBytesMax: 8_192,
    })
    const flood = await frameVisitor(closer, edge.httpPort)
    for (let index = 0; index < 500; index++)
      flood.send(frame('headers', endHeaders | endStream, 2 * index + 1, fields(request(host))))
    // Refused one by one, or all at once with the connection.
    await Promise.race([flood.ended, flood.until(({ type, stream }) => type === frameTypes.reset && stream === 999)])
    assert.ok(streams.length <= 10, `${streams.length} reached the service`)
    // Not even agreed to before, as the edge's settings want it.
    const visitor = await frameVisitor(closer, edge.httpPort)
    visitor.send(
      frame('headers', endHeaders | endStream, 1, fields([...request(host), ['x-large', 'y'.repeat(10_000)]])),
    )
    await visitor.until(({ payload }) => payload.includes('the request head is larger than 8192 bytes'))
  })

  test('and given back with the connection', async () => {
    await using closer = new AsyncDisposableStack()
    const { edge, streams } = await world(closer, endless, { visitorsPerAddressMax: 12 })
    for (let round = 0; round < 3; round++) {
      const { length } = streams
      const visitor = await frameVisitor(closer, edge.httpPort)
      for (let index = 0; index < 10; index++)
        visitor.send(frame('headers', endHeaders | endStream, 2 * index + 1, fields(request(host))))
      await eventually(() => streams.length === length + 10, 'all are asked')
      // A frame on stream 0 that has no business there ends the connection.
      visitor.send(frame('data', 0, 0, Buffer.from('x')))
      await eventually(() => streams.every(({ destroyed }) => destroyed), 'the ways to the service are closed')
    }
  })
})
