import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  dataBytesMax,
  datagramBytesMax,
  decodeReason,
  encodeFrame,
  encodeInvite,
  encodeJson,
  encodeMove,
  encodeReason,
  encodeReceived,
  encodeWindow,
  frameType,
  initialWindowBytes,
  joinSecretBytes,
  preface,
  protocolName,
  reasonBytesMax,
  wireCode,
} from './wire.ts'

describe('the bytes of a link', () => {
  // A change here breaks every agent and node in the field: it needs another protocol name, not another expectation.
  it('are frozen', () => {
    assert.equal(protocolName, 'pharos-link/2')
    assert.equal(preface.toString('latin1'), 'PHAROS/2')
    assert.deepEqual(frameType, {
      hello: 1,
      welcome: 2,
      refuse: 3,
      open: 4,
      data: 5,
      window: 6,
      end: 7,
      reset: 8,
      ping: 9,
      pong: 10,
      message: 11,
      drain: 12,
      close: 13,
      datagram: 14,
      path: 15,
      wish: 16,
      invite: 17,
      join: 18,
      move: 19,
      retire: 20,
      received: 21,
    })
    assert.deepEqual(wireCode, {
      closed: 0,
      lost: 1,
      protocol: 2,
      refused: 3,
      unauthorized: 4,
      limit: 5,
      unreachable: 6,
      superseded: 7,
      later: 8,
    })
    assert.deepEqual(
      [initialWindowBytes, dataBytesMax, datagramBytesMax, reasonBytesMax],
      [262_144, 65_536, 65_507, 1024],
    )
    assert.equal(encodeFrame(frameType.end, 0x01020304).toString('hex'), '0700000001020304')
    assert.equal(encodeWindow(7, 0x10000).toString('hex'), '060000040000000700010000')
    assert.equal(
      encodeJson(frameType.open, 3, { a: 1 }, 100).toString('hex'),
      `0400000700000003${Buffer.from('{"a":1}').toString('hex')}`,
    )
    assert.equal(encodeMove(7, 2).toString('hex'), '130000040000000700000002')
    assert.equal(encodeReceived(0x10000).toString('hex'), '150000040000000000010000')
    const secret = Buffer.alloc(joinSecretBytes, 0xab)
    assert.equal(encodeInvite(3, secret).toString('hex'), `110000240000000000000003${'ab'.repeat(32)}`)
    assert.equal(encodeReason(frameType.reset, 5, 'limit', 'no').toString('hex'), '0800000300000005056e6f')
  })

  it('cut a reason to its limit and take control characters out of what was received', () => {
    assert.equal(encodeReason(frameType.close, 0, 'closed', 'é'.repeat(5000)).length, 8 + 1 + reasonBytesMax)
    assert.deepEqual(decodeReason(Buffer.from('\u0003a\u001b[2Jb\nc')), { code: 'refused', reason: 'a [2Jb c' })
  })

  it('read a code of the future as closed', () => {
    assert.equal(decodeReason(Buffer.of(200)).code, 'closed')
  })
})
