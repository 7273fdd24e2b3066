import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CaptureSettings } from '../../contract/tunnel-capture.ts'
import { systemClock } from '../../lib/clock.ts'
import { parseRequestHead } from '../ingress/http-head.ts'
import type { KeptRequest } from './seen-request.ts'
import { Traffic } from './traffic.ts'
import type { TunnelTraffic } from './tunnel-traffic.ts'

const hour = 3_600_000

function testTraffic(closer: DisposableStack, bounds: ConstructorParameters<typeof Traffic>[1] = {}) {
  let now = Date.UTC(2026, 0, 1)
  const traffic = closer.use(new Traffic({ ...systemClock, now: () => now }, bounds))
  return {
    traffic,
    pass: (ms: number) => {
      now += ms
    },
  }
}

function begin(tunnel: TunnelTraffic, target = '/', fields = ''): KeptRequest {
  const head = parseRequestHead(`POST ${target} HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: chunked${fields}`)
  const start = { head, protocol: 'HTTP/1.1', scheme: 'http', webSocket: false, grpc: false, replayOf: null } as const
  return tunnel.begin({ ...start, framing: null }, '192.0.2.1', null)
}

const count = (tunnel: TunnelTraffic): number => tunnel.list(1000, null).requests.length
const full = (more: object = {}) => CaptureSettings.parse({ mode: 'full', ...more })

test('a flood of requests keeps as many as it may, and forgets them after their time', () => {
  using closer = new DisposableStack()
  const { traffic, pass } = testTraffic(closer)
  const tunnel = traffic.of('tun_1', 'wsp_1')
  for (let n = 0; n < 1_000; n++) begin(tunnel, `/${n}`)
  assert.equal(count(tunnel), 200)
  assert.equal(tunnel.list(1, null).requests[0]?.target, '/999')
  pass(hour)
  traffic.sweep()
  assert.deepEqual([count(tunnel), traffic.bytes, traffic.find('tun_1')], [0, 0, undefined])
})

test('large heads and bodies, in crumbs or not, take no more than they may', () => {
  using closer = new DisposableStack()
  const { traffic } = testTraffic(closer)
  const tunnel = traffic.of('tun_1', 'wsp_1')
  tunnel.configure(full({ bytes: 1024 * 1024, requests: 1_000 }))
  const crumb = Buffer.from('x')
  for (let n = 0; n < 100; n++) {
    const request = begin(tunnel, `/${'t'.repeat(10_000)}`, `\r\nX-Long: ${'v'.repeat(10_000)}`)
    for (let crumbs = 0; crumbs < 1_000; crumbs++) request.requestBody(crumb)
    request.requestBody(Buffer.alloc(10 * 1024 * 1024))
    request.answered(200, () => 'A: b\r\n', null)
    request.responseBody(Buffer.alloc(1024 * 1024))
    assert.ok(tunnel.bytes <= 1024 * 1024, String(tunnel.bytes))
  }
  assert.ok(count(tunnel) > 3)
  const newest = tunnel.list(1, null).requests[0]
  const { request, response } = tunnel.read(newest?.id ?? '') ?? assert.fail()
  assert.deepEqual(
    [request?.body.bytes, request?.body.cut, Buffer.from(request?.body.base64 ?? '', 'base64').length],
    [10 * 1024 * 1024 + 1_000, true, 65_536],
  )
  assert.equal(response?.body.bytes, 1024 * 1024)
})

test('where an edge is full, whoever has most makes room', () => {
  using closer = new DisposableStack()
  const { traffic } = testTraffic(closer, { workspaceBytesMax: 800_000, edgeBytesMax: 1_000_000 })
  const modest = traffic.of('tun_modest', 'wsp_modest')
  for (let n = 0; n < 100; n++) begin(modest)
  for (let n = 0; n < 50; n++) {
    const greedy = traffic.of(`tun_${n}`, 'wsp_greedy')
    greedy.configure(full())
    for (let requests = 0; requests < 20; requests++) begin(greedy).requestBody(Buffer.alloc(20_000))
    assert.ok(traffic.bytes <= 1_000_000, String(traffic.bytes))
  }
  assert.equal(count(modest), 100)
})

test('what was let go of grows no more, and takes no memory with it', () => {
  using closer = new DisposableStack()
  const { traffic } = testTraffic(closer)
  const tunnel = traffic.of('tun_1', 'wsp_1')
  tunnel.configure(full())
  const [gone, bare] = [begin(tunnel), begin(tunnel)]
  gone.requestBody(Buffer.from('kept'))
  tunnel.configure(CaptureSettings.parse({}))
  const { bytes } = traffic
  for (const request of [gone, bare]) {
    request.requestBody(Buffer.alloc(10_000))
    request.answered(200, () => assert.fail('nobody wants its fields'), null)
    request.responseBody(Buffer.alloc(10_000))
  }
  assert.equal(traffic.bytes, bytes)
  assert.equal(tunnel.erase('all'), 2)
  gone.end()
  assert.deepEqual([traffic.bytes, count(tunnel)], [0, 0])
})

test('a tunnel that is not open is forgotten when its owner’s wishes cannot be known, an open one is not', () => {
  using closer = new DisposableStack()
  const { traffic } = testTraffic(closer)
  const [open, closed] = [traffic.of('tun_open', 'wsp_1'), traffic.of('tun_closed', 'wsp_1')]
  begin(open)
  begin(closed)
  traffic.forgetAllBut(new Set(['tun_open']))
  assert.deepEqual([count(open), count(closed)], [1, 0])
})

test('ids of before an edge began anew, and of other tunnels, name nothing', () => {
  using closer = new DisposableStack()
  const { traffic } = testTraffic(closer)
  const [own, other] = [traffic.of('tun_1', 'wsp_1'), traffic.of('tun_2', 'wsp_2')]
  const id = own.idOf(begin(own))
  begin(other)
  assert.ok(own.read(id))
  for (const wrong of [other.idOf(begin(other)), id.slice(1), `${id}0`, `${id.slice(0, 10)}-1`, '', '0'.repeat(11)])
    assert.equal(own.read(wrong), null, wrong)
  assert.equal(own.cut(id), false)
})
