import { queryOptions } from '@tanstack/react-query'

/** As many as the panel tells of a schedule that is saved. */
const nextRunsShown = 5
const staleMs = 30_000

export type NextRuns = { moments: readonly Date[] } | { problem: 'cron' | 'timeZone' | 'never' }

/** When a pattern that is not saved yet would run next. What computes it is loaded when somebody first asks. */
export const nextRunsQuery = (cron: string, timeZone: string) =>
  queryOptions({
    queryKey: ['next-runs', cron, timeZone],
    queryFn: () => nextRuns(cron, timeZone),
    staleTime: staleMs,
    gcTime: staleMs,
  })

async function nextRuns(cron: string, timeZone: string): Promise<NextRuns> {
  if (!isTimeZone(timeZone)) return { problem: 'timeZone' }
  const { Cron } = await import('croner')
  try {
    // The panel reads patterns the same way.
    const moments = new Cron(cron, { timezone: timeZone, paused: true, mode: '5-part' }).nextRuns(nextRunsShown)
    return moments.length === 0 ? { problem: 'never' } : { moments }
  } catch {
    return { problem: 'cron' }
  }
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return name !== ''
  } catch {
    return false
  }
}
