import { useMemo } from 'react'
import { localeOf } from '../i18n/format.ts'
import { useLanguage } from '../i18n/language.tsx'

/** Writes moments as the clocks of a time zone show them: `Mon 23 Nov 2026, 04:30`. An unknown zone: as those of this machine. */
export function useMoment(timeZone: string): (at: string | Date) => string {
  const { language } = useLanguage()
  return useMemo(() => {
    const format = formatIn(localeOf(language), timeZone)
    return (at) => format.format(new Date(at))
  }, [language, timeZone])
}

function formatIn(language: string, timeZone: string): Intl.DateTimeFormat {
  const options = {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  } as const
  try {
    return new Intl.DateTimeFormat(language, { ...options, timeZone })
  } catch {
    return new Intl.DateTimeFormat(language, options)
  }
}
