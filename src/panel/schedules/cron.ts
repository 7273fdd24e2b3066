import { Cron } from 'croner'

/** When a schedule runs: five fields or a nickname, in an IANA time zone. */
export interface Timing {
  cron: string
  timeZone: string
}

/** The first `count` moments after `after`, in ms since 1970; fewer where there are no more. Throws for what is no timing. */
export function runsAfter(timing: Timing, after: number, count: number): number[] {
  return cronOf(timing)
    .nextRuns(count, new Date(after))
    .map((date) => date.getTime())
}

/** The newest `count` moments up to and including `until`, newest first. */
export function runsUntil(timing: Timing, until: number, count: number): number[] {
  // Asked from a minute later, because the pattern's own moment does not count as before itself.
  return cronOf(timing)
    .previousRuns(count + 1, new Date(until + minuteMs))
    .map((date) => date.getTime())
    .filter((moment) => moment <= until)
    .slice(0, count)
}

/** Why it is no timing, by field; null where it is one that will come. */
export function timingProblem(timing: Timing, now: number): { field: keyof Timing; problem: string } | null {
  if (!isTimeZone(timing.timeZone)) return { field: 'timeZone', problem: 'is not a time zone that this panel knows' }
  try {
    if (runsAfter(timing, now, 1).length === 0) return { field: 'cron', problem: 'never comes' }
  } catch {
    return { field: 'cron', problem: 'is not a cron pattern' }
  }
  return null
}

const minuteMs = 60_000

/**
 * In the hour that daylight saving skips, a fixed time runs at the first moment after it; in the hour that comes twice, it
 * runs the first time alone. What runs every hour or every few minutes goes by real time through both.
 */
const cronOf = ({ cron, timeZone }: Timing): Cron =>
  new Cron(cron, { timezone: timeZone, paused: true, mode: '5-part' })

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
