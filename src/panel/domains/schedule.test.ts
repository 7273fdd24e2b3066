import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dutyOf, methodFor, nextLook, nextTry, renewalIn, renewalTime } from './schedule.ts'

const row = {
  ...{ domain_id: 'dom', certificate: null, key: null, expires_at: null, renew_at: null },
  ...{
    order_url: null,
    order_key: null,
    order_began_at: null,
    failures: 0,
    problem: null,
    reason: null,
    detail: null,
    next_at: 100,
  },
}

test('nothing is ordered before its time, twice, or while an order is under way', () => {
  assert.equal(dutyOf(row, 99), 'nothing')
  assert.equal(dutyOf({ ...row, next_at: null }, 1e15), 'nothing')
  assert.equal(dutyOf(row, 100), 'order')
  assert.equal(dutyOf({ ...row, order_url: 'https://ca.example/1' }, 100), 'go on with the order')
  const issued = { ...row, certificate: 'PEM', renew_at: 200 }
  assert.equal(dutyOf(issued, 150), 'ask when to renew')
  assert.equal(dutyOf(issued, 200), 'order')
})

test('a wildcard is validated by the DNS alone; other names by the other way after each failure', () => {
  assert.equal(methodFor(true, 'http-01', 0), 'dns-01')
  assert.deepEqual(
    [0, 1, 2].map((failures) => methodFor(false, 'auto', failures)),
    ['http-01', 'tls-alpn-01', 'http-01'],
  )
  assert.equal(methodFor(false, 'tls-alpn-01', 0), 'tls-alpn-01')
})

test('the pauses after failures grow to a day, and an authority may ask for longer ones', () => {
  const pauses = [1, 2, 3, 4, 5, 6, 60].map((failures) => nextTry(failures, 0, null))
  assert.deepEqual(pauses, [60_000, 900_000, 3_600_000, 21_600_000, 86_400_000, 86_400_000, 86_400_000])
  assert.equal(nextTry(1, 0, 7_200_000), 7_200_000)
})

test('certificates that were made together are renewed after two thirds of their life, one after the other', () => {
  const [early, late] = [renewalTime(0, 90, 0), renewalTime(0, 90, 0.999)]
  assert.ok(early > 50 && late < 70 && early < late, `${early} ${late}`)
  // The authority may want it earlier, not later.
  assert.equal(renewalIn({ start: 10, end: 20 }, 60, 0.5), 15)
  assert.equal(renewalIn({ start: 70, end: 80 }, 60, 0.5), 60)
  assert.equal(nextLook(1e12, 0), 21_600_000)
  assert.equal(nextLook(5, 0), 5)
})
