import assert from 'node:assert/strict'
import { test } from 'node:test'
import { afterCrash, crashesMax } from './crash-policy.ts'

test('waits longer after each crash, then gives up and says so', () => {
  let recent: number[] = []
  let now = 1_000_000
  const pauses: (number | null)[] = []
  let message = ''
  for (let crash = 0; crash < crashesMax; crash++) {
    const verdict = afterCrash(recent, now, 'It crashed with code 1')
    pauses.push(verdict.restartAt === null ? null : verdict.restartAt - now)
    recent = verdict.recent
    message = verdict.message
    now = (verdict.restartAt ?? now) + 1000
  }
  assert.deepEqual(pauses, [5_000, 10_000, 30_000, 60_000, 120_000, null])
  assert.match(message, /stays off until you start it/)
})

test('crashes that are far apart do not add up', () => {
  let recent: number[] = []
  for (let hour = 1; hour < 20; hour++) {
    const now = hour * 3_600_000
    const verdict = afterCrash(recent, now, 'It crashed')
    assert.equal(verdict.restartAt, now + 5_000)
    recent = verdict.recent
  }
})

test('a clock that was set back does not keep a server off', () => {
  assert.equal(
    afterCrash([9_000_000, 9_000_001, 9_000_002, 9_000_003, 9_000_004], 1_000_000, 'It crashed').restartAt,
    1_005_000,
  )
})
