import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import type { EdgeProbe } from '../../agent/index.ts'
import { ApiError } from '../../client/index.ts'
import { judge } from './edges.ts'
import { ok as fine } from './finding.ts'
import { keyFinding } from './panel.ts'
import { certificateFinding, nameFinding, portFinding, tlsAdvice } from './way.ts'

const edge = { host: 'edge.test', port: 4680 }
const tcp = fine('edge-tcp', 'edge.test:4680', 'takes connections')
const linked = (udpMs: number | null = 5): EdgeProbe => ({ ok: true, linkMs: 20, slug: 'acme', udpMs })
const failed = (code: 'lost' | 'refused' | 'unauthorized', reason = 'it failed'): EdgeProbe => ({
  ok: false,
  code,
  reason,
})

/** What was found, as `edge-link ok`. */
const states = (...args: Parameters<typeof judge>): string[] =>
  judge(...args).map(({ check, state }) => `${check} ${state}`)

describe('of the ways to an edge', () => {
  test('all of them may be open', () => {
    assert.deepEqual(states(edge, tcp, linked(), [linked(null), linked(null)]), [
      'edge-tcp ok',
      'edge-link ok',
      'edge-websocket ok',
      'edge-udp ok',
    ])
  })

  test('that for datagrams may be closed, which costs games and calls alone', () => {
    const found = judge(edge, tcp, linked(null), [linked(null), linked(null)])
    const udp = found.find(({ check }) => check === 'edge-udp')
    assert.equal(udp?.state, 'warning')
    assert.match(udp?.next ?? '', /Let UDP to port 4680 out/)
  })

  test('the direct one may be closed while WebSockets get through: that is a warning', () => {
    const closed = { ...tcp, state: 'blocked' } as const
    assert.deepEqual(states(edge, closed, failed('lost'), [failed('lost'), linked(null)]), [
      'edge-tcp warning',
      'edge-link warning',
      'edge-websocket ok',
    ])
  })

  test('none may be open: then tunnels cannot work, and the next move is named', () => {
    const found = judge(edge, tcp, failed('lost', 'nothing came'), [failed('lost'), failed('lost')])
    assert.partialDeepStrictEqual(found[1], { check: 'edge-link', state: 'blocked', next: 'Let TCP to port 4680 out.' })
    const replaced = judge(edge, tcp, failed('refused', 'not the pinned one'), [failed('lost'), failed('lost')])
    assert.match(replaced[1]?.next ?? '', /answers in its place/)
  })

  test('a refused key is not taken for a closed way', () => {
    const [, link] = judge(edge, tcp, failed('unauthorized', 'no such key'), [failed('lost'), failed('lost')])
    assert.equal(link?.state, 'blocked')
    assert.match(link?.message ?? '', /refuses the API key: no such key/)
  })
})

describe('the next move is named', () => {
  test('for a name that does not exist', async () => {
    assert.partialDeepStrictEqual(await nameFinding('panel-dns', `${'x'.repeat(70)}.invalid`), { state: 'blocked' })
    assert.equal((await nameFinding('panel-dns', '[::1]')).state, 'ok')
  })

  test('for a port where nothing listens, and for one that does not speak TLS', async (t) => {
    const server = createServer((socket) => socket.on('error', () => undefined).end('hello')).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    assert.equal((await portFinding('panel-tcp', '127.0.0.1', port)).state, 'ok')
    const tls = await certificateFinding('panel-tls', '127.0.0.1', port)
    assert.equal(tls.state, 'blocked')
    assert.match(tls.next ?? '', /Check that the port speaks TLS/)
    const nobody = await portFinding('panel-tcp', '127.0.0.1', 1)
    assert.match(nobody.message, /nothing listens there/)
  })

  test('for certificates of every sort', () => {
    assert.match(tlsAdvice('CERT_HAS_EXPIRED'), /renew/)
    assert.match(tlsAdvice('DEPTH_ZERO_SELF_SIGNED_CERT'), /NODE_EXTRA_CA_CERTS/)
    assert.match(tlsAdvice('ERR_TLS_CERT_ALTNAME_INVALID'), /another name/)
  })

  test('for what answers in place of a panel', () => {
    assert.equal(keyFinding(new URL('http://panel.test'), new Error('Unexpected token <')).state, 'blocked')
    const refused = keyFinding(new URL('http://panel.test'), new ApiError('unauthorized', 'no such key'))
    assert.match(refused.next ?? '', /pharos use http:\/\/panel\.test/)
    assert.equal(keyFinding(new URL('http://panel.test'), new ApiError('forbidden', 'not yours')).state, 'warning')
  })
})
