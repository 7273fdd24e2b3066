import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Cron } from 'croner'
import fc from 'fast-check'
import { readCron } from '../../web/schedules/cron.ts'
import { cronWords } from '../../web/schedules/cron-words.ts'

/** Pattern, English, German. */
const sentences: readonly [string, string, string][] = [
  ['* * * * *', 'Every minute.', 'Jede Minute.'],
  ['*/15 * * * *', 'Every 15 minutes.', 'Alle 15 Minuten.'],
  ['0,30 * * * *', 'Every 30 minutes.', 'Alle 30 Minuten.'],
  ['0 * * * *', 'Every hour, on the hour.', 'Zu jeder vollen Stunde.'],
  ['5 * * * *', 'Every hour at minute 5.', 'Jede Stunde zur Minute 5.'],
  ['5,35 * * * *', 'Every hour at minutes 5 and 35.', 'Jede Stunde zu den Minuten 5 und 35.'],
  // Seven does not divide an hour: from minute 56 it is four to the next.
  ['*/20,5 * * * *', 'Every hour at minutes 0, 5, 20 and 40.', 'Jede Stunde zu den Minuten 0, 5, 20 und 40.'],
  ['30 4 * * *', 'Every day at 04:30.', 'Jeden Tag um 04:30 Uhr.'],
  ['30 4,16 * * *', 'Every day at 04:30 and 16:30.', 'Jeden Tag um 04:30 und 16:30 Uhr.'],
  ['0 */6 * * *', 'Every day at 00:00, 06:00, 12:00 and 18:00.', 'Jeden Tag um 00:00, 06:00, 12:00 und 18:00 Uhr.'],
  ['0 */2 * * *', 'Every 2 hours, on the hour.', 'Alle 2 Stunden zur vollen Stunde.'],
  ['5 */2 * * *', 'Every 2 hours at minute 5.', 'Alle 2 Stunden zur Minute 5.'],
  ['* 4 * * *', 'Every minute from 04:00 to 04:59.', 'Jede Minute von 04:00 bis 04:59 Uhr.'],
  ['*/20 1,5,9 * * *', 'Every 20 minutes in the hours 1, 5 and 9.', 'Alle 20 Minuten in den Stunden 1, 5 und 9.'],
  [
    '5,10 1,5,9,11 * * *',
    'At minutes 5 and 10 of the hours 1, 5, 9 and 11.',
    'Zu den Minuten 5 und 10 der Stunden 1, 5, 9 und 11.',
  ],
  [
    '0 8-17 * * mon-fri',
    'Every hour from 08:00 to 17:00, Monday to Friday.',
    'Jede Stunde von 08:00 bis 17:00 Uhr, von Montag bis Freitag.',
  ],
  [
    '*/15 8-17 * * 1-5',
    'Every 15 minutes from 08:00 to 17:45, Monday to Friday.',
    'Alle 15 Minuten von 08:00 bis 17:45 Uhr, von Montag bis Freitag.',
  ],
  ['0 0 * * 0', 'On Sundays at 00:00.', 'Sonntags um 00:00 Uhr.'],
  ['0 0 * * 7', 'On Sundays at 00:00.', 'Sonntags um 00:00 Uhr.'],
  ['0 0 * * SUN', 'On Sundays at 00:00.', 'Sonntags um 00:00 Uhr.'],
  ['0 9 * * 1,3,5', 'On Mondays, Wednesdays and Fridays at 09:00.', 'Montags, mittwochs und freitags um 09:00 Uhr.'],
  ['0 0 1 * *', 'On the 1st of every month at 00:00.', 'Am 1. jedes Monats um 00:00 Uhr.'],
  ['0 0 ? * 1', 'On Mondays at 00:00.', 'Montags um 00:00 Uhr.'],
  [
    '0 9 2,11,22,23 * *',
    'On the 2nd, 11th, 22nd and 23rd of every month at 09:00.',
    'Am 2., 11., 22. und 23. jedes Monats um 09:00 Uhr.',
  ],
  ['0 0 1-7 * *', 'From the 1st to the 7th of every month at 00:00.', 'Vom 1. bis zum 7. jedes Monats um 00:00 Uhr.'],
  [
    '0 0 */2 * *',
    'On every 2nd day from the 1st of every month at 00:00.',
    'An jedem 2. Tag ab dem 1. jedes Monats um 00:00 Uhr.',
  ],
  ['0 0 1 1 *', 'On the 1st of January at 00:00.', 'Am 1. Januar um 00:00 Uhr.'],
  [
    '0 0 1,15 jan,jul *',
    'On the 1st and 15th of January and July at 00:00.',
    'Am 1. und 15. im Januar und Juli um 00:00 Uhr.',
  ],
  [
    '0 0 1 3-10 *',
    'On the 1st of every month from March to October at 00:00.',
    'Am 1. jedes Monats von März bis Oktober um 00:00 Uhr.',
  ],
  ['30 4 * 12 *', 'Every day in December at 04:30.', 'Jeden Tag im Dezember um 04:30 Uhr.'],
  ['*/5 * * 6 *', 'Every 5 minutes, in June.', 'Alle 5 Minuten, im Juni.'],
  [
    '0 12 * 3-10 sat,sun',
    'On Saturdays and Sundays from March to October at 12:00.',
    'Samstags und sonntags von März bis Oktober um 12:00 Uhr.',
  ],
  ['@hourly', 'Every hour, on the hour.', 'Zu jeder vollen Stunde.'],
  ['@daily', 'Every day at 00:00.', 'Jeden Tag um 00:00 Uhr.'],
  ['@weekly', 'On Sundays at 00:00.', 'Sonntags um 00:00 Uhr.'],
  ['@monthly', 'On the 1st of every month at 00:00.', 'Am 1. jedes Monats um 00:00 Uhr.'],
  ['@yearly', 'On the 1st of January at 00:00.', 'Am 1. Januar um 00:00 Uhr.'],
]

describe('cron in words', () => {
  for (const [pattern, english, german] of sentences)
    test(`says ${pattern}`, () => {
      assert.equal(cronWords(pattern, 'en'), english)
      assert.equal(cronWords(pattern, 'de'), german)
    })

  test('a day counts that either the date or the weekday picks, when both are restricted', () => {
    assert.equal(cronWords('0 0 13 * 5', 'en'), 'On the 13th of every month and also on Fridays at 00:00.')
    assert.equal(cronWords('0 0 13 * 5', 'de'), 'Am 13. jedes Monats und außerdem freitags um 00:00 Uhr.')
    for (const pattern of ['0 0 1-31 * 5', '0 0 13 * 0-6', '0 0 * * 1-7'])
      assert.equal(cronWords(pattern, 'en'), 'Every day at 00:00.', pattern)
  })

  test('says nothing of what it does not understand', () => {
    const foreign = ['0 0 L * *', '0 0 15W * *', '0 0 * * 5#2', '@reboot', '0 0 * * * *']
    const wrong = ['', '* * * *', '60 * * * *', '0 24 * * *', '0 0 0 * *', '0 0 * 13 *', '0 0 * * 8', '*/0 * * * *']
    const odd = [
      '5/10 * * * *',
      '5-3 * * * *',
      '0 0 * * fri-mon',
      '*/61 * * * *',
      'a b c d e',
      ', * * * *',
      '1,, * * * *',
    ]
    for (const pattern of [...foreign, ...wrong, ...odd]) assert.equal(cronWords(pattern, 'en'), null, pattern)
  })

  test('says nothing where a sentence would list more than people read', () => {
    assert.equal(cronWords('1-30 * * * *', 'en'), null)
    assert.equal(cronWords('0 0 1,3,4,6,8,9,11,13,15,17,19,20,22 * *', 'de'), null)
  })

  test('reads every pattern as the schedules do, moment by moment', () => {
    const field = (least: number, most: number) => {
      const value = fc.integer({ min: least, max: most })
      const range = fc.tuple(value, value).map(([one, other]) => [Math.min(one, other), Math.max(one, other)].join('-'))
      const step = fc.integer({ min: 1, max: most - least })
      const part = fc.oneof(
        value.map(String),
        range,
        fc.tuple(range, step).map(([some, each]) => `${some}/${each}`),
        step.map((each) => `*/${each}`),
      )
      return fc.oneof(
        { weight: 2, arbitrary: fc.constant('*') },
        fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(',')),
      )
    }
    const patterns = fc
      .tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
      .map((fields) => fields.join(' '))
    fc.assert(
      fc.property(patterns, fc.integer({ min: 0, max: 366 * 24 * 60 }), (pattern, minute) => {
        const at = new Date(Date.UTC(2028, 0, 1, 0, minute))
        const cron = new Cron(pattern, { timezone: 'UTC', paused: true, mode: '5-part' })
        assert.equal(picks(pattern, at), cron.match(at), `${pattern} at ${at.toISOString()}`)
      }),
      { numRuns: 2000 },
    )
  })
})

function picks(pattern: string, at: Date): boolean {
  const fields = readCron(pattern)
  assert.ok(fields, pattern)
  const { minutes, hours, dates, months, weekdays, daysBy } = fields
  const onDate = dates.includes(at.getUTCDate())
  const onWeekday = weekdays.includes(at.getUTCDay() || 7)
  const onDay = { all: true, dates: onDate, weekdays: onWeekday, either: onDate || onWeekday }[daysBy]
  return (
    minutes.includes(at.getUTCMinutes()) &&
    hours.includes(at.getUTCHours()) &&
    months.includes(at.getUTCMonth() + 1) &&
    onDay
  )
}
