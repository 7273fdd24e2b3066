import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  encodeFrame,
  type FrameHeader,
  FrameParser,
  flag,
  frameType,
  goAwayCode,
  headerBytes,
  Violation,
} from './frame.ts'

/** What a parser finds in `chunks`, data joined. */
function found(chunks: Buffer[]): string[] {
  const parser = new FrameParser()
  const events: string[] = []
  let data = ''
  for (const chunk of chunks)
    parser.push(chunk, {
      header: ({ type, flags, stream, length }) => void events.push(`${type} ${flags} ${stream} ${length}`),
      data: (_, piece) => {
        data += piece.toString('latin1')
      },
      dataEnd: ({ flags }) => {
        events.push(`end ${flags} ${data}`)
        data = ''
      },
    })
  return events
}

test('numbers on the wire are those of yamux', () => {
  assert.deepEqual(frameType, { data: 0, window: 1, ping: 2, goAway: 3 })
  assert.deepEqual(flag, { open: 1, accept: 2, end: 4, reset: 8 })
  assert.deepEqual(goAwayCode, { normal: 0, protocol: 1, internal: 2 })
  assert.equal(headerBytes, 12)
  const frame = encodeFrame({
    type: frameType.window,
    flags: flag.open | flag.end,
    stream: 0x01020304,
    length: 0xa0b0c0d0,
  })
  assert.equal(frame.toString('hex'), '000100050' + '1020304a0b0c0d0')
})

test('frames are the same in whatever pieces they arrive', () => {
  const frame = fc.record({
    type: fc.constantFrom(...Object.values(frameType)),
    flags: fc.integer({ min: 0, max: 15 }),
    stream: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    text: fc.string({ maxLength: 40, unit: fc.constantFrom('a', 'b', '\0') }),
  })
  const frames = fc.array(frame, { maxLength: 8 })
  const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(frames, sizes, (wanted, cuts) => {
      const bytes = Buffer.concat(
        wanted.flatMap(({ type, flags, stream, text }) => {
          const header: FrameHeader = { type, flags, stream, length: text.length }
          return type === frameType.data ? [encodeFrame(header), Buffer.from(text)] : [encodeFrame(header)]
        }),
      )
      const chunks: Buffer[] = []
      for (let at = 0, cut = 0; at < bytes.length; cut++) {
        const size = cuts[cut % cuts.length] ?? 1
        chunks.push(bytes.subarray(at, at + size))
        at += size
      }
      assert.deepEqual(found(chunks), found([bytes]))
      assert.equal(found([bytes]).filter((event) => !event.startsWith('end')).length, wanted.length)
    }),
  )
})

test('what is none is refused at its header', () => {
  for (const bytes of ['01', '0004', '00010010', '00018000', 'ffffffff'])
    assert.throws(() => found([Buffer.from(bytes.padEnd(24, '0'), 'hex')]), Violation, bytes)
})
