import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BodyReader } from './ingress/http-body.ts'
import { HttpRefusal, parseRequestHead, parseResponseHead } from './ingress/http-head.ts'

const chunked = { kind: 'chunked' } as const

/** Feeds the pieces one after the other; what was passed on, and what was left over. */
function read(reader: BodyReader, pieces: Buffer[]): { passed: string; left: string } {
  const passed: Buffer[] = []
  const left: Buffer[] = []
  for (const piece of pieces) {
    const taken = reader.read(piece, (part) => passed.push(Buffer.from(part)))
    left.push(piece.subarray(taken))
  }
  return { passed: Buffer.concat(passed).toString('latin1'), left: Buffer.concat(left).toString('latin1') }
}

function cut(text: string, places: number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((from, index) => bytes.subarray(from, [...at, bytes.length][index]))
}

test('a chunked body means the same however the network cuts it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), { maxLength: 6 }),
      fc.array(fc.nat(400), { maxLength: 30 }),
      fc.boolean(),
      (parts, places, dropTrailers) => {
        const body = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')
        const trailers = 'X-Forwarded-For: 6.6.6.6\r\nY: z\r\n'
        const reader = new BodyReader(chunked, { dropTrailers })
        const { passed, left } = read(reader, cut(`${body}0\r\n${trailers}\r\nGET / HTTP/1.1`, places))
        assert.equal(passed, `${body}0\r\n${dropTrailers ? '' : trailers}\r\n`)
        assert.equal(left, 'GET / HTTP/1.1')
        assert.equal(reader.done, true)
        const unframed = new BodyReader(chunked, { dropTrailers, unframe: true })
        const inside = read(unframed, cut(`${body}0\r\n${trailers}\r\nGET / HTTP/1.1`, places))
        assert.deepEqual([inside.passed, unframed.trailers], [parts.join(''), trailers])
        assert.equal(inside.left, 'GET / HTTP/1.1')
      },
    ),
  )
})

test('a counted body takes exactly its bytes', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.array(fc.nat(400), { maxLength: 20 }), (bytes, places) => {
      const reader = new BodyReader(bytes === 0 ? { kind: 'none' } : { kind: 'length', bytes }, { dropTrailers: true })
      const { passed, left } = read(reader, cut(`${'b'.repeat(bytes)}next`, places))
      assert.deepEqual([passed.length, left, reader.done], [bytes, 'next', true])
    }),
  )
})

test('arbitrary bytes are refused or read, never anything else', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', maxLength: 300 }), (text) => {
      for (const parse of [
        () => parseRequestHead(text),
        () => parseResponseHead(text, 'GET'),
        () => read(new BodyReader(chunked, { dropTrailers: true }), [Buffer.from(text)]),
      ]) {
        try {
          parse()
        } catch (error) {
          assert.ok(error instanceof HttpRefusal, String(error))
        }
      }
    }),
  )
})

test('what is passed on reads the same a second time', () => {
  const name = fc.constantFrom(
    'Host',
    'X-A',
    'Connection',
    'Content-Length',
    'Transfer-Encoding',
    'Upgrade',
    'TE',
    'X-Forwarded-For',
    'Cookie',
  )
  const value = fc.constantFrom(
    'a.b',
    'close',
    'upgrade',
    'chunked',
    '3',
    '0',
    'websocket',
    'x-a',
    '',
    ' padded ',
    'x, y',
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 6 }), (fields) => {
      const line = 'POST /p HTTP/1.1'
      let first: ReturnType<typeof parseRequestHead>
      try {
        first = parseRequestHead([line, 'Host: h.x', ...fields.map(([key, text]) => `${key}: ${text}`)].join('\r\n'))
      } catch (error) {
        assert.ok(error instanceof HttpRefusal)
        return
      }
      const second = parseRequestHead(`${line}\r\n${first.fields}`.slice(0, -2))
      assert.deepEqual([second.body, second.host, second.fields], [first.body, first.host, first.fields])
    }),
  )
})
