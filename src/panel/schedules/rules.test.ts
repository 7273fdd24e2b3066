import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ScheduleTask } from '../../contract/api/schedules.ts'
import { runsAfter, runsUntil, timingProblem } from './cron.ts'
import { missedWords, verdictOf } from './due.ts'
import { lateMaxMs, missedCountedMax } from './limits.ts'
import { begun, concluded, ended, entered, interrupted, mustStop, permissionOf } from './progress.ts'

const at = (iso: string): number => Date.parse(iso)
const isoOf = (moments: number[]): string[] => moments.map((moment) => new Date(moment).toISOString().slice(0, 16))
const after = (cron: string, timeZone: string, from: string, count: number): string[] =>
  isoOf(runsAfter({ cron, timeZone }, at(from), count))
const minuteMs = 60_000

describe('when a schedule runs', () => {
  test('goes by the local time of its zone through the year', () => {
    assert.deepEqual(after('30 4 * * *', 'Europe/Berlin', '2026-01-31T23:00Z', 1), ['2026-02-01T03:30'])
    assert.deepEqual(after('30 4 * * *', 'Europe/Berlin', '2026-06-30T23:00Z', 1), ['2026-07-01T02:30'])
    assert.deepEqual(after('0 0 1 1 *', 'Asia/Kolkata', '2026-06-01T00:00Z', 1), ['2026-12-31T18:30'])
  })
  test('in the hour that daylight saving skips, runs once, at the first moment after it', () => {
    assert.deepEqual(after('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00Z', 3), [
      '2026-03-28T01:30',
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ])
    assert.deepEqual(after('15 2 * * *', 'America/New_York', '2026-03-07T12:00Z', 2), [
      '2026-03-08T07:00',
      '2026-03-09T06:15',
    ])
  })
  test('in the hour that comes twice, runs once, the first time', () => {
    assert.deepEqual(after('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', 2), [
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ])
    assert.deepEqual(after('30 1 * * *', 'America/New_York', '2026-10-31T12:00Z', 2), [
      '2026-11-01T05:30',
      '2026-11-02T06:30',
    ])
    // Half an hour comes twice there.
    assert.deepEqual(after('45 1 * * *', 'Australia/Lord_Howe', '2026-04-04T00:00Z', 2), [
      '2026-04-04T14:45',
      '2026-04-05T15:15',
    ])
  })
  test('every half hour goes by real time through both', () => {
    assert.deepEqual(after('*/30 * * * *', 'Europe/Berlin', '2026-03-29T00:00Z', 4), [
      '2026-03-29T00:30',
      '2026-03-29T01:00',
      '2026-03-29T01:30',
      '2026-03-29T02:00',
    ])
    assert.deepEqual(after('*/30 * * * *', 'Europe/Berlin', '2026-10-25T00:00Z', 4), [
      '2026-10-25T00:30',
      '2026-10-25T01:00',
      '2026-10-25T01:30',
      '2026-10-25T02:00',
    ])
  })
  test('a fixed time comes exactly once on every day of the year, whatever the zone', () => {
    const zones = [
      'Europe/Berlin',
      'America/New_York',
      'Australia/Lord_Howe',
      'America/St_Johns',
      'Africa/Cairo',
      'UTC',
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 23 }),
        fc.integer({ min: 0, max: 59 }),
        (timeZone, hour, minute) => {
          const runs = runsAfter({ cron: `${minute} ${hour} * * *`, timeZone }, at('2026-01-01T12:00Z'), 364)
          const day = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' })
          assert.equal(new Set(runs.map((run) => day.format(run))).size, 364)
        },
      ),
      { numRuns: 12 },
    )
  })
  test('is strictly after the moment asked about, and what came until then includes it', () => {
    const timing = { cron: '0 * * * *', timeZone: 'UTC' }
    const noon = at('2026-06-01T12:00Z')
    assert.deepEqual(isoOf(runsAfter(timing, noon, 1)), ['2026-06-01T13:00'])
    assert.deepEqual(isoOf(runsAfter(timing, noon - 1, 1)), ['2026-06-01T12:00'])
    assert.deepEqual(isoOf(runsUntil(timing, noon, 2)), ['2026-06-01T12:00', '2026-06-01T11:00'])
    assert.deepEqual(isoOf(runsUntil(timing, noon - 1, 1)), ['2026-06-01T11:00'])
    assert.deepEqual(isoOf(runsUntil({ cron: '* * * * *', timeZone: 'UTC' }, noon + 59_999, 2)), [
      '2026-06-01T12:00',
      '2026-06-01T11:59',
    ])
  })
  test('refuses what is no pattern, what never comes, and what is no time zone', () => {
    const problem = (cron: string, timeZone = 'UTC') => timingProblem({ cron, timeZone }, at('2026-01-01T00:00Z'))
    assert.equal(problem('0 0 29 2 *'), null)
    assert.equal(problem('@daily'), null)
    assert.deepEqual(problem('0 0 30 2 *'), { field: 'cron', problem: 'never comes' })
    for (const cron of ['60 * * * *', '* * * * * *', '* * * *', 'a b c d e', '*/0 * * * *', ''])
      assert.deepEqual(problem(cron), { field: 'cron', problem: 'is not a cron pattern' }, cron)
    for (const zone of ['Mars/Olympus', 'Europe', '', '../etc/passwd'])
      assert.equal(problem('* * * * *', zone)?.field, 'timeZone', zone)
  })
})

describe('what becomes of moments that have come', () => {
  const hourly = { cron: '0 * * * *', timeZone: 'UTC' }
  const noon = at('2026-06-01T12:00Z')
  const one = at('2026-06-01T13:00Z')

  test('on time: it runs, and the next one is due', () => {
    for (const policy of ['skip', 'run_once'] as const)
      assert.deepEqual(verdictOf(hourly, policy, noon, noon + 900), {
        run: { dueAt: noon, late: false },
        missed: null,
        nextRunAt: one,
      })
  })
  test('a little late is on time: an upgrade of the panel costs no run', () => {
    const { run } = verdictOf(hourly, 'skip', noon, noon + lateMaxMs)
    assert.deepEqual(run, { dueAt: noon, late: false })
  })
  test('too late: skip records it, run_once runs it late', () => {
    const late = noon + lateMaxMs + 1
    assert.deepEqual(verdictOf(hourly, 'skip', noon, late), {
      run: null,
      missed: { dueAt: noon, count: 1 },
      nextRunAt: one,
    })
    assert.deepEqual(verdictOf(hourly, 'run_once', noon, late), {
      run: { dueAt: noon, late: true },
      missed: null,
      nextRunAt: one,
    })
  })
  test('many missed: all are accounted for, and at most one runs', () => {
    const late = noon + 5 * 60 * minuteMs + 30 * minuteMs
    assert.deepEqual(verdictOf(hourly, 'skip', noon, late).missed, { dueAt: at('2026-06-01T17:00Z'), count: 6 })
    const once = verdictOf(hourly, 'run_once', noon, late)
    assert.deepEqual(once.run, { dueAt: at('2026-06-01T17:00Z'), late: true })
    assert.deepEqual(once.missed, { dueAt: at('2026-06-01T16:00Z'), count: 5 })
  })
  test('those before one that is on time were missed, whatever the policy', () => {
    for (const policy of ['skip', 'run_once'] as const) {
      const { run, missed } = verdictOf(hourly, policy, noon, one + minuteMs)
      assert.deepEqual(run, { dueAt: one, late: false })
      assert.deepEqual(missed, { dueAt: noon, count: 1 })
    }
  })
  test('counts no further than it says after a year away, and does so at once', () => {
    const everyMinute = { cron: '* * * * *', timeZone: 'Europe/Berlin' }
    const { missed } = verdictOf(everyMinute, 'skip', noon, noon + 365 * 24 * 60 * minuteMs)
    assert.equal(missed?.count, missedCountedMax)
    const weeks = verdictOf(hourly, 'skip', noon, noon + 90 * 24 * 60 * minuteMs + 30 * minuteMs)
    assert.equal(weeks.missed?.count, missedCountedMax + 1)
    assert.match(missedWords(missedCountedMax + 1), /at least/)
  })
  test('a moment that the pattern no longer has still counts', () => {
    const verdict = verdictOf({ cron: '30 3 1 1 *', timeZone: 'UTC' }, 'skip', noon, noon + 500)
    assert.deepEqual(verdict.run, { dueAt: noon, late: false })
  })
})

describe('how far a run has come', () => {
  const task = (continueOnFailure = false): ScheduleTask => ({
    kind: 'command',
    command: 'say hi',
    delaySeconds: 0,
    continueOnFailure,
  })
  const states = (results: ReturnType<typeof begun>) => results.map(({ state }) => state)

  test('ends as done when every task is', () => {
    const done = ended(entered(begun([task()]), 0, 'running', 1), 0, null, 2)
    assert.deepEqual(concluded(done), {
      state: 'done',
      message: null,
      results: [{ task: task(), state: 'done', message: null, startedAt: 1, endedAt: 2 }],
    })
  })
  test('stops after a failure, unless the task says to go on; either way the run has failed', () => {
    const stopped = ended(begun([task(), task()]), 0, 'no', 2)
    assert.ok(mustStop(stopped))
    assert.deepEqual(states(concluded(stopped).results), ['failed', 'not_run'])
    const went = ended(ended(begun([task(true), task()]), 0, 'no', 2), 1, null, 3)
    assert.ok(!mustStop(went))
    assert.deepEqual([concluded(went).state, concluded(went).message], ['failed', 'Task 1 failed: no'])
  })
  test('says at which task it was interrupted, and whether that may have happened', () => {
    const first = ended(begun([task(), task(), task()]), 0, null, 2)
    const during = interrupted(entered(first, 1, 'running', 3), 9)
    assert.deepEqual(states(during.results), ['done', 'interrupted', 'not_run'])
    assert.match(during.message ?? '', /during task 2, which may have happened/)
    const before = interrupted(entered(first, 1, 'waiting', 3), 9)
    assert.deepEqual(states(before.results), ['done', 'not_run', 'not_run'])
    assert.match(before.message ?? '', /before task 2\./)
  })
  test('a task needs what the same act by hand needs', () => {
    assert.equal(permissionOf(task()), 'console.write')
    const rest = { delaySeconds: 0, continueOnFailure: false }
    assert.equal(permissionOf({ kind: 'power', action: 'kill', ...rest }), 'control.kill')
    assert.equal(permissionOf({ kind: 'wait', until: 'offline', timeoutSeconds: 1, ...rest }), null)
  })
})
