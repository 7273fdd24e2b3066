/** Rhythms that need no pattern to be known. */
export const rhythms = ['hourly', 'daily', 'weekly', 'own'] as const
export type Rhythm = (typeof rhythms)[number]

/** The rhythm of a pattern, and what of it people choose. `time` is `04:30`, `weekday` `1` for Monday to `7` for Sunday. */
export interface Timing {
  rhythm: Rhythm
  time: string
  weekday: string
}

const usualTime = '04:30'

export function timingOf(cron: string): Timing {
  if (cron === '0 * * * *') return { rhythm: 'hourly', time: usualTime, weekday: '1' }
  const [, minute, hour, day] = /^(\d{1,2}) (\d{1,2}) \* \* (\*|[0-7])$/.exec(cron) ?? []
  if (minute === undefined || hour === undefined || Number(minute) > 59 || Number(hour) > 23)
    return { rhythm: 'own', time: usualTime, weekday: '1' }
  const time = `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`
  if (day === undefined || day === '*') return { rhythm: 'daily', time, weekday: '1' }
  return { rhythm: 'weekly', time, weekday: day === '0' ? '7' : day }
}

/** Null for one of somebody's own, which is a pattern already, and for no time. */
export function cronOf({ rhythm, time, weekday }: Timing): string | null {
  const [, hour, minute] = /^(\d{2}):(\d{2})/.exec(time) ?? []
  if (rhythm === 'own' || hour === undefined || minute === undefined) return null
  if (rhythm === 'hourly') return '0 * * * *'
  return `${Number(minute)} ${Number(hour)} * * ${rhythm === 'daily' ? '*' : weekday}`
}
