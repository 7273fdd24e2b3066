import assert from 'node:assert/strict'
import { test } from 'node:test'
import { graceMs, judge, type ProofState, pauseUntilNext, staleMs, stateOf } from './proof.ts'

const now = Date.UTC(2026, 5, 3, 10)
const fresh: ProofState = { held: false, provedAt: null, lostAt: null, offWhy: null }
const active = judge(fresh, 'found', now)

test('a claim is served from its first proof on, and not before', () => {
  assert.equal(stateOf(fresh), 'pending')
  for (const finding of ['missing', 'unknown'] as const) assert.deepEqual(judge(fresh, finding, now), fresh)
  assert.equal(stateOf(active), 'active')
})

test('a lost proof is warned of, and costs the domain after its grace, not a moment before', () => {
  const warned = judge(active, 'missing', now + 1000)
  assert.equal(stateOf(warned), 'warned')
  assert.equal(warned.lostAt, now + 1000)
  assert.equal(stateOf(judge(warned, 'missing', now + 1000 + graceMs - 1)), 'warned')
  const off = judge(warned, 'missing', now + 1000 + graceMs)
  assert.equal(stateOf(off), 'off')
  assert.match(off.offWhy ?? '', /three days/)
  assert.equal(stateOf(judge(off, 'missing', now + 2 * graceMs)), 'off')
})

test('a proof that comes back ends the warning, and brings back what was off', () => {
  const warned = judge(active, 'missing', now + 1000)
  for (const state of [warned, judge(warned, 'missing', now + 1000 + graceMs)])
    assert.deepEqual(judge(state, 'found', now + 2000), {
      held: true,
      provedAt: now + 2000,
      lostAt: null,
      offWhy: null,
    })
})

test('a DNS that does not answer changes nothing for a week, neither for better nor for worse', () => {
  assert.deepEqual(judge(active, 'unknown', now + staleMs - 1), active)
  const warned = judge(active, 'missing', now + 1000)
  assert.deepEqual(judge(warned, 'unknown', now + 2 * graceMs), warned)
  assert.equal(stateOf(judge(active, 'unknown', now + staleMs)), 'warned')
})

test('nobody looks for ever at what is never proved, and soon again at what was just added or lost', () => {
  const day = 86_400_000
  assert.ok((pauseUntilNext(fresh, 'missing', 0, 0.5) ?? 0) <= 60_000)
  assert.equal(pauseUntilNext(fresh, 'missing', 31 * day, 0.5), null)
  assert.equal(pauseUntilNext(active, 'found', 0, 0.5), day)
  assert.ok((pauseUntilNext(active, 'unknown', 0, 0.5) ?? day) < day)
  assert.ok((pauseUntilNext(judge(active, 'missing', now), 'missing', 0, 0.5) ?? day) <= 3_600_000)
})
