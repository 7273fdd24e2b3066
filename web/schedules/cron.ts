/** What a cron pattern picks, as sets in ascending order. Days of the week count from Monday, 1, to Sunday, 7. */
export interface CronFields {
  minutes: readonly number[]
  hours: readonly number[]
  dates: readonly number[]
  months: readonly number[]
  weekdays: readonly number[]
  /** Whether days of the month, days of the week, or either of the two decide on which day it is. */
  daysBy: 'all' | 'dates' | 'weekdays' | 'either'
}

/**
 * Reads a pattern of five fields, or a nickname such as `@daily`. Null for what is none, and for what only some programs know,
 * such as `L`, `W` and `#`: that is for the panel to judge.
 */
export function readCron(pattern: string): CronFields | null {
  const text = pattern.trim().toLowerCase()
  const parts = (nicknames[text] ?? text).split(/\s+/)
  if (parts.length !== 5) return null
  const [minute = '', hour = '', date = '', month = '', weekday = ''] = parts.map((part) => part.replaceAll('?', '*'))
  const minutes = readField(minute, 0, 59)
  const hours = readField(hour, 0, 23)
  const dates = readField(date, 1, 31)
  const months = readField(named(month, monthNames, 1), 1, 12)
  const days = readField(named(weekday, weekdayNames, 0), 0, 7)
  if (!minutes || !hours || !dates || !months || !days) return null
  const weekdays = ascending(days.map((day) => (day === 0 ? 7 : day)))
  return { minutes, hours, dates, months, weekdays, daysBy: daysBy(date === '*', weekday === '*', dates, weekdays) }
}

const nicknames: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
}
const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const weekdayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** Where neither of the two is a bare `*`, a day counts that either of them picks: so cron has always done. */
function daysBy(
  everyDate: boolean,
  everyWeekday: boolean,
  dates: readonly number[],
  weekdays: readonly number[],
): CronFields['daysBy'] {
  const [allDates, allWeekdays] = [dates.length === 31, weekdays.length === 7]
  if (everyWeekday) return everyDate || allDates ? 'all' : 'dates'
  if (everyDate) return allWeekdays ? 'all' : 'weekdays'
  return allDates || allWeekdays ? 'all' : 'either'
}

const named = (field: string, names: readonly string[], first: number): string =>
  field.replace(/\b[a-z]{3}\b/g, (name) => (names.includes(name) ? String(names.indexOf(name) + first) : name))

/** A list of `*`, `5`, `1-5`, with a step behind `*` and ranges. */
function readField(field: string, least: number, most: number): number[] | null {
  const values: number[] = []
  for (const part of field.split(',')) {
    const match = /^(?:(\*)|(\d{1,3})(?:-(\d{1,3}))?)(?:\/(\d{1,3}))?$/.exec(part)
    if (!match) return null
    const [, star, first, last, stepText] = match
    if (stepText !== undefined && !star && last === undefined) return null
    const from = star ? least : Number(first)
    // A week has seven days, though Sunday may be 0 or 7.
    const to = star ? (most === 7 ? 6 : most) : Number(last ?? first)
    const step = Number(stepText ?? 1)
    if (from < least || to > most || from > to || step < 1 || step > most - least + 1) return null
    for (let value = from; value <= to; value += step) values.push(value)
  }
  return ascending(values)
}

const ascending = (values: readonly number[]): number[] => [...new Set(values)].sort((left, right) => left - right)
