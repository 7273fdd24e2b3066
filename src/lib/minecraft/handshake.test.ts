import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { handshakePacket, loginPacket, packet, varInt } from '../testing/minecraft.ts'
import { disconnectPacket, legacyPacket, readStatusPacket, statusPacket } from './answer.ts'
import { handshakeBytesMax, readHandshake, readVarInt } from './handshake.ts'
import { readLogin } from './login.ts'

const host = 'survival.acme.example.org'

function refusal(input: Buffer): string {
  const reading = readHandshake(input)
  assert.equal(reading.state, 'refused')
  return reading.reason
}

describe('a handshake is read', () => {
  test('for each thing that a client may be about to do', () => {
    for (const [next, intent] of [
      [1, 'status'],
      [2, 'login'],
      [3, 'transfer'],
    ] as const) {
      const input = handshakePacket({ host, next, protocolVersion: 765 })
      assert.deepEqual(readHandshake(Buffer.concat([input, Buffer.from('more')])), {
        state: 'complete',
        handshake: { protocolVersion: 765, host, intent },
        bytes: input.length,
      })
    }
  })

  test('from tools that name no version', () => {
    const reading = readHandshake(handshakePacket({ host, next: 1, protocolVersion: -1 }))
    assert.equal(reading.state === 'complete' && reading.handshake.protocolVersion, -1)
  })

  test('without the marks of mods and the dot of an SRV record', () => {
    for (const suffix of ['\0FML\0', '\0FML2\0', '\0FML3\0', '.', '.\0FML\0', '\0FORGE', '///'])
      assert.equal(
        (readHandshake(handshakePacket({ host: `${host}${suffix}` })) as { handshake: { host: string } }).handshake
          .host,
        suffix === '///' ? `${host}///` : host,
      )
  })

  test('only once it is complete', () => {
    for (const name of [host, 'a'.repeat(255), 'ä'.repeat(120)]) {
      const input = handshakePacket({ host: name })
      for (let length = 0; length < input.length; length++)
        assert.deepEqual(readHandshake(input.subarray(0, length)).state, 'incomplete')
      assert.equal(readHandshake(input).state, 'complete')
    }
  })

  test('of 254 bytes, which begins as an old ping does', () => {
    const input = handshakePacket({ host: 'a'.repeat(254 - 8), protocolVersion: 765 })
    assert.deepEqual([...input.subarray(0, 3)], [0xfe, 0x01, 0x00])
    assert.deepEqual(readHandshake(input.subarray(0, 1)), { state: 'incomplete', perhapsLegacy: true })
    assert.deepEqual(readHandshake(input.subarray(0, 2)), { state: 'incomplete', perhapsLegacy: true })
    assert.deepEqual(readHandshake(input.subarray(0, 3)), { state: 'incomplete', perhapsLegacy: false })
    assert.equal(readHandshake(input).state, 'complete')
  })
})

test('the ping of a game older than 1.7 is told apart', () => {
  assert.deepEqual(readHandshake(Buffer.from('fe01fa000b004d0043', 'hex')), { state: 'legacy' })
  assert.deepEqual(readHandshake(Buffer.from([0xfe])), { state: 'incomplete', perhapsLegacy: true })
  const answer = legacyPacket()
  assert.equal(answer[0], 0xff)
  assert.equal(answer.readUInt16BE(1) * 2, answer.length - 3)
  assert.deepEqual(answer.subarray(3).swap16().toString('utf16le').split('\0').slice(0, 2), ['§1', '127'])
})

describe('refused are', () => {
  test('other protocols, at their first bytes', () => {
    for (const bytes of [
      'GET / HTTP/1.1\r\n',
      'SSH-2.0-x\r\n',
      '\x16\x03\x01\x02\x00\x01',
      '\x00',
      '\xff\xff\xff\xff\xff',
    ])
      refusal(Buffer.from(bytes, 'latin1'))
  })

  test('handshakes that announce more than they may have', () => {
    assert.match(refusal(varInt(handshakeBytesMax + 1)), /larger than 1024 bytes/)
    assert.match(refusal(Buffer.from('ffffff7f', 'hex')), /no length/)
    assert.match(refusal(varInt(0)), /no length/)
  })

  test('fields that do not fit', () => {
    assert.match(refusal(handshakePacket({ host, next: 4 })), /malformed/)
    assert.match(refusal(handshakePacket({ host, next: 0 })), /malformed/)
    assert.match(refusal(handshakePacket({ host, trailing: Buffer.from([0]) })), /malformed/)
    assert.match(refusal(handshakePacket({ host, hostLength: 900 })), /malformed/)
    assert.match(refusal(handshakePacket({ host, hostLength: -1 })), /malformed/)
    assert.match(refusal(handshakePacket({ host, number: 1 })), /not a handshake/)
    assert.match(refusal(Buffer.from('0300ffff', 'hex')), /malformed/)
  })
})

test('a number is read up to 32 bits and no further', () => {
  assert.deepEqual(readVarInt(Buffer.from('ffffffff0f', 'hex'), 0), { value: -1, end: 5 })
  assert.deepEqual(readVarInt(Buffer.from('ffffffff07', 'hex'), 0), { value: 2 ** 31 - 1, end: 5 })
  assert.equal(readVarInt(Buffer.from('ffffffff1f', 'hex'), 0), 'invalid')
  assert.equal(readVarInt(Buffer.from('ffffffffff01', 'hex'), 0), 'invalid')
  assert.equal(readVarInt(Buffer.from('ffff', 'hex'), 0), 'incomplete')
  assert.equal(readVarInt(Buffer.from('808080', 'hex'), 0, 3), 'invalid')
})

test('what is said in the place of a game holds nothing that the game takes for formatting', () => {
  const words = { title: '§lLoud', message: '§cred§r "x"\x07 <b>' }
  for (const answer of [statusPacket(words), disconnectPacket(words)]) {
    const length = readVarInt(answer, 0)
    assert.ok(typeof length === 'object' && length.value === answer.length - length.end)
    assert.equal(answer[length.end], 0)
    const textLength = readVarInt(answer, length.end + 1)
    assert.ok(typeof textLength === 'object')
    const json = answer.toString('utf8', textLength.end)
    assert.equal(Buffer.byteLength(json), textLength.value)
    assert.doesNotMatch(JSON.stringify(JSON.parse(json)), /§|\\u0007/)
  }
})

test('after a status request come its packet and a ping, and nothing else', () => {
  const ping = Buffer.from('09010102030405060708', 'hex')
  assert.deepEqual(readStatusPacket(Buffer.from('0100', 'hex')), { kind: 'status', end: 2 })
  assert.deepEqual(readStatusPacket(Buffer.concat([ping, ping])), { kind: 'ping', pong: ping, end: 10 })
  for (let length = 0; length < ping.length; length++)
    assert.equal(readStatusPacket(ping.subarray(0, length)).kind, 'incomplete')
  for (const bytes of ['0101', '0900010203040506070809', '0a00', 'ff01', '00'])
    assert.equal(readStatusPacket(Buffer.from(bytes, 'hex')).kind, 'other')
})

describe('who logs in is read', () => {
  test('whatever a version appends to the name, and only once the packet is complete', () => {
    for (const more of ['', '00', '01'.repeat(600)]) {
      const input = packet(0, Buffer.concat([varInt(3), Buffer.from('Bob'), Buffer.from(more, 'hex')]))
      for (let length = 0; length < input.length; length += 7)
        assert.equal(readLogin(input.subarray(0, length)).state, 'incomplete')
      assert.deepEqual(readLogin(Buffer.concat([input, Buffer.from('rest')])), { state: 'complete', player: 'Bob' })
    }
  })

  test('and refused where it is no name, or no such packet', () => {
    for (const name of ['', 'a'.repeat(17), 'Bob\n', '<b>', '§cBob', 'Bob\x1b[2J'])
      assert.equal(readLogin(loginPacket(name)).state, 'refused', name)
    for (const bytes of ['0301', '00', 'ffff7f', '0200ff', '0400ff4242', '0300054242'])
      assert.equal(readLogin(Buffer.from(bytes, 'hex')).state, 'refused', bytes)
  })
})

describe('whatever arrives', () => {
  test('reading it never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const input = Buffer.from(bytes)
        readHandshake(input)
        readHandshake(Buffer.concat([varInt(input.length + 1), Buffer.from([0]), input]))
        readStatusPacket(input)
        readLogin(input)
        readLogin(Buffer.concat([varInt(input.length + 1), Buffer.from([0]), input]))
      }),
    )
  })

  test('more bytes never change what was decided, and it is decided within its limit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 1100 }), fc.nat(1100), (bytes, length) => {
        const input = Buffer.concat([varInt(length), Buffer.from(bytes), Buffer.alloc(handshakeBytesMax + 3)])
        const whole = readHandshake(input)
        assert.notEqual(whole.state, 'incomplete')
        for (let part = 0; part < input.length; part += 37) {
          const reading = readHandshake(input.subarray(0, part))
          if (reading.state !== 'incomplete') assert.deepEqual(reading, whole)
        }
      }),
    )
  })
})
