import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReadSource } from '../link/index.ts'
import { Shares } from './shares.ts'

const share = 100_000

/** Shares whose turns end when the test says so. */
function turns(contended = true) {
  const state = { contended }
  const ends: (() => void)[] = []
  const shares = new Shares({
    contended: () => state.contended,
    costPerTurn: share,
    endOfTurn: (over) => ends.push(over),
  })
  const turn = (): void => {
    for (const end of ends.splice(0)) end()
  }
  return { shares, state, turn, planned: () => ends.length }
}

function source(): ReadSource & { paused: boolean } {
  return {
    paused: false,
    pause() {
      this.paused = true
    },
    resume() {
      this.paused = false
    },
  }
}

test('one tenant at full load leaves another one its share', () => {
  const { shares, turn } = turns()
  assert.equal(shares.spend('acme', share), true)
  assert.equal(shares.spend('acme', 1), false)
  assert.equal(shares.has('acme'), false)
  assert.equal(shares.has('umbrella'), true)
  assert.equal(shares.spend('umbrella', 1), true)
  turn()
  assert.equal(shares.spend('umbrella', 1), true)
})

test('what was spent beyond a share is taken off the next ones', () => {
  const { shares, turn } = turns()
  shares.spend('acme', 3 * share)
  turn()
  assert.equal(shares.has('acme'), false)
  turn()
  assert.equal(shares.has('acme'), false)
  turn()
  turn()
  assert.equal(shares.has('acme'), true)
})

test('a thousand small acts cost as much as the bytes that pass in their time', () => {
  const { shares } = turns()
  let acts = 0
  while (shares.spend('acme', 1)) acts++
  assert.ok(acts < 50, `${acts} acts in one turn`)
})

test('sources that wait go on in the order in which they came, a few a turn, and every one of them does', () => {
  const { shares, turn } = turns()
  const sources = Array.from({ length: 10 }, source)
  shares.spend('acme', share)
  for (const waiting of sources) shares.wait('acme', waiting)
  assert.ok(sources.every(({ paused }) => paused))
  let before = 0
  for (let count = 0; count < 20; count++) {
    turn()
    const going = sources.filter(({ paused }) => !paused).length
    assert.ok(going - before <= 2, `${going - before} go on in one turn`)
    assert.deepEqual(
      sources.map(({ paused }) => !paused),
      sources.map((_, index) => index < going),
    )
    before = going
  }
  assert.equal(before, sources.length)
})

test('a source waits once, however often it is told', () => {
  const { shares, turn } = turns()
  const one = source()
  shares.spend('acme', share)
  shares.wait('acme', one)
  shares.wait('acme', one)
  turn()
  turn()
  assert.equal(one.paused, false)
  one.paused = true
  turn()
  assert.equal(one.paused, true, 'it is no business of this any more')
})

test('somebody who is alone is never stopped, and goes on at once when the other one leaves', () => {
  const { shares, state, turn } = turns(false)
  for (let count = 0; count < 10; count++) assert.equal(shares.spend('acme', share), true)
  state.contended = true
  assert.equal(shares.spend('acme', 1), false)
  const sources = Array.from({ length: 10 }, source)
  for (const waiting of sources) shares.wait('acme', waiting)
  state.contended = false
  turn()
  assert.ok(sources.every(({ paused }) => !paused))
  assert.equal(shares.has('acme'), true)
})

test('nothing is kept of a tenant that rests', () => {
  const { shares, turn, planned } = turns()
  for (let count = 0; count < 1000; count++) shares.spend(`tenant ${count}`, 1)
  turn()
  turn()
  assert.equal(planned(), 0)
})
