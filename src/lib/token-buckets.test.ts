import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBuckets } from './token-buckets.ts'

test('a burst is allowed, then so many a second, for each key by itself', () => {
  const buckets = new TokenBuckets({ perSecond: 2, burst: 3, keysMax: 10 })
  const taken = (key: string, now: number): boolean[] => Array.from({ length: 4 }, () => buckets.take(key, now))
  assert.deepEqual(taken('a', 0), [true, true, true, false])
  assert.deepEqual(taken('b', 0), [true, true, true, false])
  assert.deepEqual(taken('a', 499), [false, false, false, false])
  assert.deepEqual(taken('a', 1000), [true, true, false, false])
  assert.deepEqual(taken('a', 1_000_000), [true, true, true, false])
})

test('keys without end cost no more memory than the limit, and the busy one is not forgotten', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1, keysMax: 100 })
  assert.ok(buckets.take('busy', 0))
  for (let key = 0; key < 10_000; key++) {
    buckets.take(`made up ${key}`, 0)
    assert.equal(buckets.take('busy', 0), false)
  }
  assert.equal(buckets.size, 100)
})
