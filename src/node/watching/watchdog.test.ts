import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { afterLook, hangRestartsMax, unwatched, type WatchdogVerdict, type Watched } from './watchdog.ts'

const rules = { afterMs: 60_000, restart: true, restarts: [] as number[] }
const everyMs = 15_000

/** Looks every fifteen seconds and collects the verdicts. */
function looks(signs: readonly boolean[], with_: Partial<typeof rules> = {}, from: Watched = unwatched) {
  let state = from
  const verdicts: WatchdogVerdict[] = []
  for (const [index, sign] of signs.entries()) {
    const { next, verdict } = afterLook(state, sign, index * everyMs, { ...rules, ...with_ })
    state = next
    verdicts.push(verdict)
  }
  return { state, verdicts }
}
const no = (count: number): boolean[] => Array(count).fill(false)

test('a server that gave signs and then none for its whole time is restarted, once', () => {
  const { verdicts, state } = looks([true, ...no(8)])
  assert.deepEqual(verdicts.indexOf('restart'), 4)
  assert.equal(verdicts.filter((verdict) => verdict !== 'nothing').length, 1)
  assert.equal(state.phase, 'hung')
})

test('it is reported and left alone where nobody wants a restart', () => {
  assert.deepEqual(
    looks([true, ...no(8)], { restart: false }).verdicts.filter((one) => one !== 'nothing'),
    ['report'],
  )
})

test('a server that never gave a sign is never counted as hung', () => {
  assert.deepEqual(
    looks(no(500)).verdicts.filter((one) => one !== 'nothing'),
    [],
  )
})

test('one sign in time begins everything anew', () => {
  assert.deepEqual(
    looks([true, ...no(3), true, ...no(3), true]).verdicts.filter((one) => one !== 'nothing'),
    [],
  )
})

test('a server that recovers by itself and hangs again is told of again', () => {
  const { verdicts } = looks([true, ...no(5), true, ...no(5)], { restart: false })
  assert.equal(verdicts.filter((one) => one === 'report').length, 2)
})

test('restarting ends where it has not helped often enough, until an hour has gone by', () => {
  const restarts = Array.from({ length: hangRestartsMax }, (_, n) => n)
  assert.ok(looks([true, ...no(5)], { restarts }).verdicts.includes('report'))
  assert.ok(!looks([true, ...no(5)], { restarts }).verdicts.includes('restart'))
  assert.ok(looks([true, ...no(5)], { restarts: restarts.slice(1) }).verdicts.includes('restart'))
  assert.ok(looks([true, ...no(5)], { restarts: restarts.map((at) => at - 61 * 60_000) }).verdicts.includes('restart'))
})

test('a node that was itself away counts nothing of that time, whichever way its clock went', () => {
  const alive: Watched = { phase: 'alive', lookedAt: 0 }
  const day = 24 * 60 * 60_000
  const first = afterLook(alive, false, day, rules)
  assert.deepEqual(first.next, { phase: 'silent', since: day, misses: 1, lookedAt: day })
  const silent: Watched = { phase: 'silent', since: 0, misses: 9, lookedAt: 10_000 }
  assert.equal(afterLook(silent, false, day, rules).verdict, 'nothing')
  assert.equal(afterLook(silent, false, -day, rules).verdict, 'nothing')
})

test('one lost answer is not enough, however short the time', () => {
  const { verdicts } = looks([true, false, false], { afterMs: 1 })
  assert.deepEqual(verdicts, ['nothing', 'nothing', 'nothing'])
})

test('it never speaks of hanging while signs come, nor twice in a row', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (signs) => {
      const { verdicts } = looks(signs)
      for (const [index, sign] of signs.entries()) if (sign) assert.equal(verdicts[index], 'nothing')
      const between = verdicts.flatMap((verdict, index) => (verdict === 'nothing' ? [] : [index]))
      for (const [n, at] of between.entries()) {
        const before = between[n - 1]
        if (before !== undefined) assert.ok(signs.slice(before, at).includes(true))
      }
    }),
  )
})
