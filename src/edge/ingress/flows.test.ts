import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FlowLimits, Flows } from './flows.ts'

const limits: FlowLimits = {
  flowsMax: 6,
  flowsPerTunnelMax: 4,
  flowsPerAgentMax: 100,
  flowsPerSourceMax: 2,
  newFlowsPerPrefixPerSecond: 1,
  newFlowsPerPrefixBurst: 3,
  newFlowsPerTunnelPerSecond: 1,
  newFlowsPerTunnelBurst: 100,
  flowIdleMs: 100,
  unprovenFlowIdleMs: 10,
}

const firstAgent = {}

/** `begin` with the names of the flows that ended. */
function book(changed: Partial<FlowLimits> = {}) {
  const flows = new Flows({ ...limits, ...changed })
  const ended: string[] = []
  const begin = (name: string, address: string, { tunnel = 't', agent = firstAgent, now = 0 } = {}) =>
    flows.begin(tunnel, agent, address, now, () => ended.push(name))
  return { flows, ended, begin }
}

test('one source has only so many flows, and gets room again when one has ended', () => {
  const { flows, begin } = book()
  const first = begin('a', '10.0.0.1')
  assert.ok(first && begin('b', '10.0.0.1'))
  assert.equal(begin('c', '10.0.0.1'), undefined)
  assert.ok(begin('d', '10.0.0.2'), 'a neighbour has its own')
  flows.forget(first)
  flows.forget(first)
  assert.ok(begin('e', '10.0.0.1', { now: 2000 }))
})

test('the addresses of one IPv6 network are one source', () => {
  const { begin } = book()
  assert.ok(begin('a', '2001:db8::1') && begin('b', '2001:db8::2'))
  assert.equal(begin('c', '2001:db8::3'), undefined)
})

test('a prefix begins only so many flows a second, whatever addresses it makes up', () => {
  const { begin } = book()
  assert.ok(begin('a', '10.0.0.1') && begin('b', '10.0.0.2') && begin('c', '10.0.0.3'))
  assert.equal(begin('d', '10.0.0.4'), undefined)
  assert.ok(begin('e', '10.0.1.1'), 'another prefix is not touched')
  assert.ok(begin('f', '10.0.0.5', { now: 1000, tunnel: 'u' }))
})

test('a tunnel gets only so many new flows a second', () => {
  const { begin } = book({ newFlowsPerTunnelBurst: 2 })
  assert.ok(begin('a', '10.0.1.1') && begin('b', '10.0.2.1'))
  assert.equal(begin('c', '10.0.3.1'), undefined)
  assert.ok(begin('d', '10.0.3.1', { tunnel: 'other' }))
})

test('where there is no room the oldest flow that nobody has proven makes it; proven ones stay', () => {
  const { flows, begin, ended } = book()
  const players = ['10.0.1.1', '10.0.2.1'].map((address) => {
    const flow = begin('player', address)
    assert.ok(flow)
    flows.answered(flow)
    flows.heard(flow, 1)
    return flow
  })
  for (let network = 3; network < 20; network++) assert.ok(begin(`forged ${network}`, `10.0.${network}.1`))
  assert.equal(flows.count, limits.flowsPerTunnelMax)
  assert.deepEqual(ended.slice(0, 2), ['forged 3', 'forged 4'])
  assert.ok(!ended.includes('player'))
  assert.deepEqual(
    players.map(({ state }) => state),
    ['proven', 'proven'],
  )
})

test('the tunnels of one agent together leave streams of its link free, and another agent is not touched', () => {
  const { flows, begin, ended } = book({ flowsPerAgentMax: 3, flowsMax: 100 })
  const player = begin('player', '10.0.1.1', { tunnel: 'a' })
  assert.ok(player)
  flows.answered(player)
  flows.heard(player, 1)
  for (const [index, tunnel] of ['a', 'b', 'c', 'd'].entries())
    assert.ok(begin(`forged ${tunnel}`, `10.0.${index + 2}.1`, { tunnel }))
  assert.deepEqual(ended, ['forged a', 'forged b'])
  assert.equal(flows.count, 3)
  assert.ok(begin('elsewhere', '10.0.9.1', { tunnel: 'e', agent: {} }))
  assert.deepEqual([ended.length, flows.count], [2, 4])
  for (const tunnel of ['x', 'y', 'z']) begin(`more of ${tunnel}`, `10.1.${tunnel.charCodeAt(0)}.1`, { tunnel })
  assert.ok(!ended.includes('player') && !ended.includes('elsewhere'))
})

test('when all are proven a new one is refused, in the tunnel and on the whole edge', () => {
  const { flows, begin } = book()
  for (let network = 1; network <= limits.flowsMax; network++) {
    const flow = begin('player', `10.0.${network}.1`, { tunnel: network <= 4 ? 'full' : 'other' })
    assert.ok(flow)
    flows.answered(flow)
    flows.heard(flow, 1)
  }
  assert.equal(begin('late', '10.0.9.1', { tunnel: 'full' }), undefined)
  assert.equal(begin('late', '10.0.10.1', { tunnel: 'third' }), undefined)
})

test('an unanswered visitor proves nothing by sending more', () => {
  const { flows, begin, ended } = book()
  const flow = begin('forged', '10.0.0.1')
  assert.ok(flow)
  flows.heard(flow, 5)
  flows.heard(flow, 6)
  assert.equal(flow.state, 'new')
  flows.expire(16)
  assert.deepEqual(ended, ['forged'])
})

test('a flow ends when its visitor is silent, however much the service sends', () => {
  const { flows, begin, ended } = book()
  const flow = begin('gone', '10.0.0.1')
  assert.ok(flow)
  flows.answered(flow)
  flows.heard(flow, 50)
  flows.answered(flow)
  flows.expire(149)
  assert.deepEqual(ended, [])
  flows.expire(150)
  assert.deepEqual(ended, ['gone'])
  assert.equal(flows.count, 0)
})
