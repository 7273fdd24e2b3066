import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { clientHello, helloMessage, inRecords, record, serverNameExtension, vector } from '../testing/client-hello.ts'
import { type HelloReading, helloBytesMax, helloInputBytesMax, readClientHello } from './client-hello.ts'

const name = 'mail.acme.example.org'
const grease = { type: 0x2a2a, content: Buffer.from([0]) }

function serverNameOf(reading: HelloReading): string | null {
  assert.equal(reading.state, 'complete')
  return reading.hello.serverName
}

function refusal(input: Buffer): string {
  const reading = readClientHello(input)
  assert.equal(reading.state, 'refused')
  return `${reading.alert}: ${reading.reason}`
}

/** What Node's own client sends first. */
async function realHello(options: { servername?: string; ALPNProtocols?: string[] }): Promise<Buffer> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ...options })
  client.on('error', () => undefined)
  const [socket] = await accepted
  const [first] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  client.destroy()
  server.close()
  return first
}

describe('a ClientHello is read', () => {
  test('as a real client sends it', async () => {
    const hello = await realHello({ servername: name, ALPNProtocols: ['h2', 'http/1.1'] })
    const reading = readClientHello(hello)
    assert.deepEqual(reading, { state: 'complete', hello: { serverName: name, protocols: ['h2', 'http/1.1'] } })
    const nameless = await realHello({})
    assert.deepEqual(readClientHello(nameless), { state: 'complete', hello: { serverName: null, protocols: [] } })
  })

  test('with GREASE among its extensions, suites and protocols', () => {
    const protocols = ['\x3a\x3a', 'h2']
    const reading = readClientHello(clientHello({ serverNames: [name], protocols, extensions: [grease] }))
    assert.deepEqual(reading, { state: 'complete', hello: { serverName: name, protocols } })
  })

  test('without any extensions, as clients before 2003 did', () => {
    const old = Buffer.concat([
      Buffer.from([3, 1]),
      Buffer.alloc(32),
      vector(1, Buffer.alloc(0)),
      vector(2, Buffer.from([0, 5])),
      vector(1, Buffer.from([0])),
    ])
    const input = record(Buffer.concat([Buffer.from([1]), vector(3, old)]))
    assert.equal(serverNameOf(readClientHello(input)), null)
  })

  test('from records of any size, as long as they are few', () => {
    const message = helloMessage({ serverNames: [name] })
    for (let most = Math.ceil(message.length / 64); most < message.length; most++)
      assert.equal(serverNameOf(readClientHello(inRecords(message, most))), name)
  })

  test('whatever follows in records of their own, such as early data', () => {
    const input = Buffer.concat([clientHello({ serverNames: [name] }), record(Buffer.from('early'), 23)])
    assert.equal(serverNameOf(readClientHello(input)), name)
  })

  test('only once it is complete', () => {
    for (const most of [16_384, 40]) {
      const input = inRecords(helloMessage({ serverNames: [name], protocols: ['h2'] }), most)
      for (let length = 0; length < input.length; length++)
        assert.deepEqual(readClientHello(input.subarray(0, length)), { state: 'incomplete' }, `${length} bytes`)
      assert.equal(serverNameOf(readClientHello(input)), name)
    }
  })

  test('up to 16 KiB', () => {
    const room =
      helloBytesMax - helloMessage({ serverNames: [name], extensions: [{ type: 41, content: Buffer.alloc(0) }] }).length
    const filled = (bytes: number): Buffer =>
      clientHello({ serverNames: [name], extensions: [{ type: 41, content: Buffer.alloc(bytes) }] })
    assert.equal(serverNameOf(readClientHello(filled(room))), name)
    assert.match(refusal(filled(room + 1)), /^decode_error: it is larger than 16384 bytes/)
  })
})

describe('refused are', () => {
  test('hellos that announce more than 16 KiB, at their first bytes', () => {
    assert.match(refusal(record(Buffer.from([1, 0, 0x40, 0]))), /larger than 16384 bytes/)
    assert.match(refusal(Buffer.from([22, 3, 1, 0x40, 0x01])), /^record_overflow/)
  })

  test('what is not a handshake', () => {
    assert.match(refusal(Buffer.from('GET / HTTP/1.1')), /^unexpected_message/)
    assert.match(refusal(record(Buffer.from('hello'), 23)), /^unexpected_message/)
    assert.match(refusal(record(Buffer.from([2, 0, 0, 1, 0]))), /not a ClientHello/)
    assert.match(refusal(Buffer.from([22, 2])), /unknown version/)
  })

  test('records without end that carry nothing or next to nothing', () => {
    assert.match(refusal(record(Buffer.alloc(0))), /a record is empty/)
    const message = helloMessage({ serverNames: [name] })
    assert.match(refusal(inRecords(message, 1)), /too many records/)
  })

  test('another message behind the hello in one record', () => {
    const message = helloMessage({ serverNames: [name] })
    assert.match(refusal(record(Buffer.concat([message, Buffer.from([0])]))), /something follows/)
    // Also before it has arrived.
    const announced = record(Buffer.concat([message, Buffer.alloc(10)])).subarray(0, message.length + 5)
    assert.match(refusal(announced), /something follows/)
  })

  test('two server names, in one extension or in two', () => {
    assert.match(refusal(clientHello({ serverNames: [name, 'other.example.org'] })), /more than one server/)
    const extensions = [serverNameExtension([name])]
    assert.match(refusal(clientHello({ extensions, serverNames: [name] })), /an extension appears twice/)
    assert.match(refusal(clientHello({ extensions: [grease, grease] })), /an extension appears twice/)
  })

  test('server names that are not host names', () => {
    for (const bad of ['', '.', 'a b', 'a\0b', 'a/b', 'ä.example.org', '[::1]', 'a:443', `${'a'.repeat(255)}`])
      assert.match(refusal(clientHello({ serverNames: [bad] })), /not a host name/, bad)
    assert.match(refusal(clientHello({ extensions: [serverNameExtension([name], 1)] })), /unknown kind/)
  })

  test('fields that do not fit each other', () => {
    assert.match(refusal(clientHello({ trailing: Buffer.from([0]) })), /too long/)
    assert.match(refusal(clientHello({ extensions: [{ type: 0, content: Buffer.alloc(0) }] })), /cut short/)
    assert.match(refusal(clientHello({ extensions: [{ type: 0, content: Buffer.from([0, 0]) }] })), /cut short/)
    assert.match(refusal(clientHello({ extensions: [{ type: 16, content: Buffer.from([0, 0]) }] })), /cut short/)
    assert.match(refusal(clientHello({ protocols: ['h2', ''] })), /a protocol without a name/)
  })
})

describe('whatever arrives', () => {
  const states = new Set(['incomplete', 'complete', 'refused'])

  test('reading it never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.ok(states.has(readClientHello(Buffer.from(bytes)).state))
        assert.ok(states.has(readClientHello(record(Buffer.from(bytes))).state))
        assert.ok(
          states.has(readClientHello(record(Buffer.concat([Buffer.from([1]), vector(3, Buffer.from(bytes))]))).state),
        )
      }),
    )
  })

  test('a changed byte never makes it throw, and more bytes never change what was decided', () => {
    const input = inRecords(helloMessage({ serverNames: [name], protocols: ['h2'], extensions: [grease] }), 50)
    fc.assert(
      fc.property(fc.nat(input.length - 1), fc.nat(255), fc.uint8Array({ maxLength: 20 }), (at, value, more) => {
        const changed = Buffer.from(input)
        changed[at] = value
        let decided: HelloReading | undefined
        for (let length = 0; length <= changed.length; length += 3) {
          const reading = readClientHello(changed.subarray(0, length))
          if (decided) assert.deepEqual(reading, decided)
          else if (reading.state !== 'incomplete') decided = reading
        }
        const whole = readClientHello(changed)
        if (whole.state !== 'incomplete')
          assert.deepEqual(readClientHello(Buffer.concat([changed, Buffer.from(more)])), whole)
      }),
    )
  })

  test('it is decided before it has grown beyond its limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16_384 }), fc.integer({ min: 0, max: 255 }), (most, filler) => {
        const message = Buffer.alloc(helloBytesMax, filler)
        Buffer.from([1, 0, 0x3f, 0xfc]).copy(message)
        const input = Buffer.concat([inRecords(message, most), Buffer.alloc(6, filler)])
        assert.notEqual(readClientHello(input.subarray(0, helloInputBytesMax + 1)).state, 'incomplete')
      }),
      { numRuns: 30 },
    )
  })
})
