import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { handshakePacket, loginPacket, statusRequest } from '../../lib/testing/minecraft.ts'
import { afterLook, beganToRun, type Sight } from './idleness.ts'
import { judge, judgeDatagram, proxyHeaderEnd, raknetMagic } from './judge.ts'
import { blindMs } from './limits.ts'
import { waitingResponse } from './waiting-page.ts'

const text = (words: string): Buffer => Buffer.from(words, 'latin1')
const page = 'GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n'

describe('what a visitor wants', () => {
  test('is clear for a web request once its head is complete, and not before', () => {
    for (let length = 1; length < page.length; length++)
      assert.deepEqual(judge(null, text(page.slice(0, length))), { is: 'unclear' }, page.slice(0, length))
    assert.deepEqual(judge(null, text(page)), { is: 'page' })
    for (const other of [
      page.replace('text/html', '*/*'),
      page.replace('GET', 'POST'),
      page.replace('Host: x', 'Upgrade: websocket'),
    ])
      assert.deepEqual(judge(null, text(other)), { is: 'request' })
  })

  test('is to talk for whatever is no web request, at its first byte', () => {
    for (const bytes of ['\x16\x03\x01', 'hello', 'GET /a b', 'GET / HTTP/2', 'OPTIONSX /', '\x00'])
      assert.deepEqual(judge(null, text(bytes)), { is: 'talk' }, bytes)
  })

  test('of a Minecraft server is to play only with a name that a player can have', () => {
    const handshake = handshakePacket({ host: 'x' })
    assert.deepEqual(judge('minecraft', handshake), { is: 'unclear' })
    assert.deepEqual(judge('minecraft', Buffer.concat([handshake, loginPacket('Bob')])), { is: 'login', player: 'Bob' })
    assert.deepEqual(judge('minecraft', Buffer.concat([handshake, loginPacket('<b>')])), { is: 'nothing' })
    assert.deepEqual(judge('minecraft', text(page)), { is: 'nothing' })
    assert.equal(
      judge('minecraft', Buffer.concat([handshakePacket({ host: 'x', next: 1 }), statusRequest])).is,
      'status',
    )
  })

  test('of a list of servers is nothing that wakes', () => {
    const connectionless = (words: string): Buffer => Buffer.concat([Buffer.alloc(4, 0xff), text(words)])
    assert.equal(judgeDatagram('source', connectionless('TSource Engine Query\0')), 'nothing')
    assert.equal(judgeDatagram('source', connectionless('q0000')), 'wake')
    assert.equal(judgeDatagram('quake3', connectionless('getstatus')), 'nothing')
    assert.equal(judgeDatagram('quake3', connectionless('getchallenge')), 'wake')
    assert.equal(judgeDatagram('teeworlds', text('xe\0\0\0\0\xff\xff\xff\xffgie3\0')), 'nothing')
    assert.equal(judgeDatagram('minecraft-bedrock', text('anything')), 'nothing')
    assert.equal(judgeDatagram('minecraft-bedrock', Buffer.concat([Buffer.from([5]), raknetMagic])), 'wake')
    assert.equal(judgeDatagram(null, Buffer.alloc(0)), 'wake')
  })

  test('begins behind the header of a proxy', () => {
    const first = 'PROXY TCP4 203.0.113.7 192.0.2.1 51000 30000\r\n'
    for (let length = 0; length < first.length; length++)
      assert.equal(proxyHeaderEnd(text(first.slice(0, length))), 'incomplete')
    assert.equal(proxyHeaderEnd(text(`${first}GET /`)), first.length)
    const second = Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'), Buffer.alloc(12)])
    for (let length = 1; length < second.length; length++)
      assert.equal(proxyHeaderEnd(second.subarray(0, length)), 'incomplete')
    assert.equal(proxyHeaderEnd(Buffer.concat([second, text('x')])), second.length)
    assert.equal(proxyHeaderEnd(text('GET / HTTP/1.1')), 0)
    assert.equal(proxyHeaderEnd(text(`PROXY ${'x'.repeat(200)}`)), 0)
  })

  test('is decided without ever throwing, whatever arrives', () => {
    const kinds = ['minecraft', 'minecraft-bedrock', 'source', 'quake3', 'teeworlds', 'luanti', null] as const
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const input = Buffer.from(bytes)
        proxyHeaderEnd(input)
        for (const kind of kinds) {
          judge(kind, input)
          judgeDatagram(kind, input)
        }
      }),
    )
  })
})

test('the waiting page shows a name as text', () => {
  const answer = waitingResponse({ name: '<script>"&', message: 'x', waits: false }).toString()
  assert.match(answer, /<h1>&lt;script&gt;&quot;&amp;<\/h1>/)
  assert.doesNotMatch(answer, /<script>/)
})

describe('a server is idle', () => {
  const idleMs = 60_000
  const looks = (...sights: [at: number, is: Sight['is']][]): boolean[] => {
    let state = beganToRun(0)
    return sights.map(([at, is]) => {
      const { next, asleep } = afterLook(state, is === 'unknown' ? { is, why: null } : { is }, at, idleMs)
      state = next
      return asleep
    })
  }

  test('once it was empty for its whole time, at every look', () => {
    assert.deepEqual(looks([0, 'empty'], [30_000, 'empty'], [59_999, 'empty'], [60_000, 'empty']), [
      false,
      false,
      false,
      true,
    ])
  })

  test('not while somebody is there, or nobody can tell', () => {
    for (const other of ['used', 'unknown'] as const)
      assert.deepEqual(looks([0, 'empty'], [30_000, other], [60_000, 'empty'], [90_000, 'empty']), [
        false,
        false,
        false,
        false,
      ])
  })

  test('not by a time in which its node was away, or by a clock that was set', () => {
    assert.deepEqual(looks([0, 'empty'], [blindMs + 1, 'empty'], [1_000_000, 'empty'], [5, 'empty']), [
      false,
      false,
      false,
      false,
    ])
  })
})
