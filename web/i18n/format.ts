import { useMemo } from 'react'
import { type Language, useLanguage } from './language.tsx'

const KiB = 1024
const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Numbers, sizes and times as the language writes them. */
export interface Format {
  number(value: number, digits?: number): string
  percent(share: number): string
  /** 1,536 → `1.5 KiB` */
  bytes(value: number): string
  /** 125 → `2 min 5 s`; the two largest units. */
  duration(seconds: number): string
  /** `22 Nov 2026, 01:23:45` */
  time(at: string | number | Date): string
  date(at: string | number | Date): string
  /** The day of UTC, wherever it is looked at. */
  utcDate(at: string | number | Date): string
  clock(at: string | number | Date): string
  /** `3 minutes ago`, `in 2 hours` */
  relative(at: string | number | Date, now?: number): string
  list(items: readonly string[]): string
}

/** `timeZone`: in which times are told; that of the device where it is undefined. */
export function formatFor(spoken: Language, timeZone?: string): Format {
  const language = localeOf(spoken)
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 0 })
  const time = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium', timeZone })
  const date = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone })
  const utcDate = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: 'UTC' })
  const clock = new Intl.DateTimeFormat(language, { timeStyle: 'medium', timeZone })
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' })
  const list = new Intl.ListFormat(language)
  const digits = (value: number, most: number): string =>
    new Intl.NumberFormat(language, { maximumFractionDigits: most }).format(value)
  return {
    number: (value, most = 0) => (most === 0 ? number.format(value) : digits(value, most)),
    percent: (share) => new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 0 }).format(share),
    bytes(value) {
      const step = value < 1 ? 0 : Math.min(Math.floor(Math.log(value) / Math.log(KiB)), byteUnits.length - 1)
      const scaled = value / KiB ** step
      return `${digits(scaled, step === 0 || scaled >= 100 ? 0 : 1)} ${byteUnits[step]}`
    },
    duration(seconds) {
      const parts: string[] = []
      let rest = Math.max(0, Math.floor(seconds))
      for (const [size, unit] of durationUnits) {
        const count = Math.floor(rest / size)
        rest -= count * size
        if (count > 0) parts.push(`${number.format(count)} ${unit}`)
        if (parts.length === 2 || (parts.length === 1 && count === 0)) break
      }
      return parts.join(' ') || '0 s'
    },
    time: (at) => time.format(new Date(at)),
    date: (at) => date.format(new Date(at)),
    utcDate: (at) => utcDate.format(new Date(at)),
    clock: (at) => clock.format(new Date(at)),
    relative(at, now = Date.now()) {
      const seconds = (new Date(at).getTime() - now) / 1000
      for (const [size, unit] of relativeUnits)
        if (Math.abs(seconds) >= size || unit === 'second') return relative.format(Math.trunc(seconds / size), unit)
      return ''
    },
    list: (items) => list.format(items),
  }
}

/** The language as it is written where this person is: dates of Britain are not those of America. */
export const localeOf = (language: Language): string =>
  navigator.languages.find((tag) => tag.toLowerCase().split('-', 1)[0] === language) ?? language

export function useFormat(): Format {
  const { language, timeZone } = useLanguage()
  return useMemo(() => formatFor(language, timeZone), [language, timeZone])
}

const durationUnits = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const
const relativeUnits = [
  [31_557_600, 'year'],
  [2_629_800, 'month'],
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const
