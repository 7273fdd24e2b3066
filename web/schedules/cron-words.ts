import { type CronFields, readCron } from './cron.ts'

/**
 * A cron pattern as a sentence: `30 4 * * 1` → `On Mondays at 04:30.` Null where it is no pattern, or where a sentence would
 * be no easier to read than the pattern: then the next runs say it better.
 */
export function cronWords(pattern: string, language: keyof typeof grammars): string | null {
  const fields = readCron(pattern)
  if (!fields) return null
  const times = timesOf(fields)
  const days = daysOf(fields)
  if (!times || !days) return null
  const sentence = grammars[language].sentence(times, days)
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`
}

/** When within a day. Clock times are `04:30`. */
type Times =
  | { kind: 'clock'; times: string[] }
  | { kind: 'minutes'; step: number }
  | { kind: 'minutesBetween'; step: number; from: string; to: string }
  | { kind: 'minutesInHours'; step: number; hours: readonly number[] }
  | { kind: 'hourly'; minutes: readonly number[] }
  | { kind: 'hours'; step: number; minutes: readonly number[] }
  | { kind: 'hourlyBetween'; from: string; to: string }
  | { kind: 'minutesOfHours'; minutes: readonly number[]; hours: readonly number[] }

/** On which days. `months` is null for all. */
interface Days {
  dates: Picked | { kind: 'step'; step: number } | null
  weekdays: Picked | null
  months: Picked | null
}
type Picked = { kind: 'some'; values: readonly number[] } | { kind: 'range'; from: number; to: number }

/** More clock times than this are told by their rule. */
const clockTimesMax = 6
/** A longer list is nothing that people read. */
const listedMax = 12

function timesOf({ minutes, hours }: CronFields): Times | null {
  const step = stepOf(minutes, 0, 60)
  const everyHour = hours.length === 24
  const [firstHour = 0] = hours
  const lastHour = hours.at(-1) ?? 0
  const lastMinute = minutes.at(-1) ?? 0
  const [firstMinute = 0] = minutes
  if (everyHour && step) return { kind: 'minutes', step }
  if (minutes.length > listedMax && !step) return null
  if (everyHour) return { kind: 'hourly', minutes }
  if (minutes.length * hours.length <= clockTimesMax)
    return { kind: 'clock', times: hours.flatMap((hour) => minutes.map((minute) => clock(hour, minute))) }
  const joined = isRange(hours)
  if (step && joined)
    return { kind: 'minutesBetween', step, from: clock(firstHour, 0), to: clock(lastHour, lastMinute) }
  const hourStep = stepOf(hours, 0, 24)
  if (hourStep && minutes.length <= listedMax) return { kind: 'hours', step: hourStep, minutes }
  if (minutes.length === 1 && joined)
    return { kind: 'hourlyBetween', from: clock(firstHour, firstMinute), to: clock(lastHour, firstMinute) }
  if (hours.length > listedMax) return null
  if (step) return { kind: 'minutesInHours', step, hours }
  return { kind: 'minutesOfHours', minutes, hours }
}

function daysOf({ dates, weekdays, months, daysBy }: CronFields): Days | null {
  const picked = {
    dates: daysBy === 'dates' || daysBy === 'either' ? pickDates(dates) : null,
    weekdays: daysBy === 'weekdays' || daysBy === 'either' ? pick(weekdays) : null,
    months: months.length === 12 ? null : pick(months),
  }
  const tooLong = Object.values(picked).some((some) => some?.kind === 'some' && some.values.length > listedMax)
  return tooLong ? null : picked
}

/** Every second or third day of the month is told by its rule. */
function pickDates(dates: readonly number[]): Days['dates'] {
  const step = (dates[1] ?? 0) - 1
  const byRule = step > 1 && dates.length > clockTimesMax && dates.every((date, at) => date === 1 + at * step)
  return byRule && 1 + dates.length * step > 31 ? { kind: 'step', step } : pick(dates)
}

/** Three or more in a row are a range. */
function pick(values: readonly number[]): Picked {
  const [from = 0] = values
  return values.length >= 3 && isRange(values)
    ? { kind: 'range', from, to: values.at(-1) ?? from }
    : { kind: 'some', values }
}

const isRange = (values: readonly number[]): boolean =>
  values.every((value, position) => value === (values[0] ?? 0) + position)

/** `n` where the values are every n-th one, around the clock; null otherwise. A single one is no step. */
function stepOf(values: readonly number[], first: number, size: number): number | null {
  const step = size / values.length
  if (values.length < 2 || !Number.isInteger(step)) return null
  return values.every((value, position) => value === first + position * step) ? step : null
}

const clock = (hour: number, minute: number): string =>
  `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`

/** How a language says it. `sentence` begins in lower case and ends without a full stop. */
interface Grammar {
  sentence(times: Times, days: Days): string
}

const listIn = (tag: string) => {
  const format = new Intl.ListFormat(tag)
  return (items: readonly (string | number)[]): string => format.format(items.map(String))
}
/** January 2024 began with a Monday. */
const namesIn = (tag: string) => {
  const weekday = new Intl.DateTimeFormat(tag, { weekday: 'long', timeZone: 'UTC' })
  const month = new Intl.DateTimeFormat(tag, { month: 'long', timeZone: 'UTC' })
  return {
    weekday: (day: number) => weekday.format(Date.UTC(2024, 0, day)),
    month: (number: number) => month.format(Date.UTC(2024, number - 1, 1)),
  }
}

function english(): Grammar {
  const list = listIn('en-GB')
  const { weekday, month } = namesIn('en-GB')
  const ordinal = (day: number): string => {
    const ending = day > 10 && day < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th')
    return `${day}${ending}`
  }
  const atMinutes = (minutes: readonly number[]): string =>
    `at minute${minutes.length === 1 ? '' : 's'} ${list(minutes)}`
  const everyMinutes = (step: number): string => (step === 1 ? 'every minute' : `every ${step} minutes`)
  const onTheHour = (minutes: readonly number[]): string =>
    minutes.length === 1 && minutes[0] === 0 ? ', on the hour' : ` ${atMinutes(minutes)}`
  const time = (times: Times): string => {
    switch (times.kind) {
      case 'clock':
        return `at ${list(times.times)}`
      case 'minutes':
        return everyMinutes(times.step)
      case 'minutesBetween':
        return `${everyMinutes(times.step)} from ${times.from} to ${times.to}`
      case 'minutesInHours':
        return `${everyMinutes(times.step)} in the hours ${list(times.hours)}`
      case 'hourly':
        return `every hour${onTheHour(times.minutes)}`
      case 'hours':
        return `every ${times.step} hours${onTheHour(times.minutes)}`
      case 'hourlyBetween':
        return `every hour from ${times.from} to ${times.to}`
      case 'minutesOfHours':
        return `${atMinutes(times.minutes)} of the hours ${list(times.hours)}`
    }
  }
  const inMonths = (months: Picked): string =>
    months.kind === 'range'
      ? `from ${month(months.from)} to ${month(months.to)}`
      : `in ${list(months.values.map(month))}`
  const ofMonths = (months: Picked | null): string => {
    if (!months) return 'of every month'
    return months.kind === 'range' ? `of every month ${inMonths(months)}` : `of ${list(months.values.map(month))}`
  }
  const onDates = (dates: NonNullable<Days['dates']>, months: Picked | null): string => {
    switch (dates.kind) {
      case 'range':
        return `from the ${ordinal(dates.from)} to the ${ordinal(dates.to)} ${ofMonths(months)}`
      case 'step':
        return `on every ${ordinal(dates.step)} day from the 1st ${ofMonths(months)}`
      case 'some':
        return `on the ${list(dates.values.map(ordinal))} ${ofMonths(months)}`
    }
  }
  const onWeekdays = (weekdays: Picked, months: Picked | null): string => {
    const rest = months ? ` ${inMonths(months)}` : ''
    return weekdays.kind === 'range'
      ? `${weekday(weekdays.from)} to ${weekday(weekdays.to)}${rest}`
      : `on ${list(weekdays.values.map((day) => `${weekday(day)}s`))}${rest}`
  }
  return {
    sentence(times, { dates, weekdays, months }) {
      const either = [dates && onDates(dates, months), weekdays && onWeekdays(weekdays, months)].filter(Boolean)
      const day = either.join(' and also ')
      const word = time(times)
      if (times.kind === 'clock') return `${day || (months ? `every day ${inMonths(months)}` : 'every day')} ${word}`
      const rest = day || (months ? inMonths(months) : '')
      return rest ? `${word}, ${rest}` : word
    },
  }
}

function german(): Grammar {
  const list = listIn('de')
  const { weekday, month } = namesIn('de')
  const atMinutes = (minutes: readonly number[]): string =>
    minutes.length === 1 ? `zur Minute ${minutes[0]}` : `zu den Minuten ${list(minutes)}`
  const everyMinutes = (step: number): string => (step === 1 ? 'jede Minute' : `alle ${step} Minuten`)
  const isFull = (minutes: readonly number[]): boolean => minutes.length === 1 && minutes[0] === 0
  const time = (times: Times): string => {
    switch (times.kind) {
      case 'clock':
        return `um ${list(times.times)} Uhr`
      case 'minutes':
        return everyMinutes(times.step)
      case 'minutesBetween':
        return `${everyMinutes(times.step)} von ${times.from} bis ${times.to} Uhr`
      case 'minutesInHours':
        return `${everyMinutes(times.step)} in den Stunden ${list(times.hours)}`
      case 'hourly':
        return isFull(times.minutes) ? 'zu jeder vollen Stunde' : `jede Stunde ${atMinutes(times.minutes)}`
      case 'hours':
        return `alle ${times.step} Stunden ${isFull(times.minutes) ? 'zur vollen Stunde' : atMinutes(times.minutes)}`
      case 'hourlyBetween':
        return `jede Stunde von ${times.from} bis ${times.to} Uhr`
      case 'minutesOfHours':
        return `${atMinutes(times.minutes)} der Stunden ${list(times.hours)}`
    }
  }
  const inMonths = (months: Picked): string =>
    months.kind === 'range'
      ? `von ${month(months.from)} bis ${month(months.to)}`
      : `im ${list(months.values.map(month))}`
  const ofMonths = (months: Picked | null): string => {
    if (!months) return 'jedes Monats'
    if (months.kind === 'range') return `jedes Monats ${inMonths(months)}`
    return months.values.length === 1 ? list(months.values.map(month)) : inMonths(months)
  }
  const onDates = (dates: NonNullable<Days['dates']>, months: Picked | null): string => {
    switch (dates.kind) {
      case 'range':
        return `vom ${dates.from}. bis zum ${dates.to}. ${ofMonths(months)}`
      case 'step':
        return `an jedem ${dates.step}. Tag ab dem 1. ${ofMonths(months)}`
      case 'some':
        return `am ${list(dates.values.map((date) => `${date}.`))} ${ofMonths(months)}`
    }
  }
  const onWeekdays = (weekdays: Picked, months: Picked | null): string => {
    const rest = months ? ` ${inMonths(months)}` : ''
    return weekdays.kind === 'range'
      ? `von ${weekday(weekdays.from)} bis ${weekday(weekdays.to)}${rest}`
      : `${list(weekdays.values.map((day) => `${weekday(day).toLowerCase()}s`))}${rest}`
  }
  return {
    sentence(times, { dates, weekdays, months }) {
      const either = [dates && onDates(dates, months), weekdays && onWeekdays(weekdays, months)].filter(Boolean)
      const day = either.join(' und außerdem ')
      const word = time(times)
      if (times.kind === 'clock') return `${day || (months ? `jeden Tag ${inMonths(months)}` : 'jeden Tag')} ${word}`
      const rest = day || (months ? inMonths(months) : '')
      return rest ? `${word}, ${rest}` : word
    },
  }
}

const grammars = { en: english(), de: german() }
