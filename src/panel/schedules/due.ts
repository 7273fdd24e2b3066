import { runsAfter, runsUntil, type Timing } from './cron.ts'
import { lateMaxMs, missedCountedMax } from './limits.ts'

/** What becomes of the moments that have come since the panel last looked. */
export interface Verdict {
  /** The one to run now. */
  run: { dueAt: number; late: boolean } | null
  /** Those that nobody ran: how many, and the last of them. */
  missed: { dueAt: number; count: number } | null
  /** When to look again; null for never. */
  nextRunAt: number | null
}

/**
 * `first` is the moment that is due since. The newest one runs if it is not too late for that; an older one was missed:
 * it runs all the same where the policy says so, but however many were missed, one run makes up for them.
 */
export function verdictOf(timing: Timing, policy: 'skip' | 'run_once', first: number, now: number): Verdict {
  const [nextRunAt = null] = runsAfter(timing, now, 1)
  // A pattern may have changed its meaning under a new release of the time zones: then `first` itself stands.
  const [newest = first, before = first] = runsUntil(timing, now, 2).filter((moment) => moment >= first)
  const count = countOf(timing, first, newest)
  const late = now - newest > lateMaxMs
  if (late && policy === 'skip') return { run: null, missed: { dueAt: newest, count }, nextRunAt }
  return {
    run: { dueAt: newest, late },
    missed: count > 1 ? { dueAt: before, count: count - 1 } : null,
    nextRunAt,
  }
}

/** What an entry for missed runs says. */
export function missedWords(count: number): string {
  if (count === 1) return 'The panel was not there when it was due.'
  return `The panel was not there ${count >= missedCountedMax ? 'for at least' : 'for'} ${count} runs, of which this is the last.`
}

/** How many moments from `first` to `newest`, both counted, at most `missedCountedMax` and one. */
function countOf(timing: Timing, first: number, newest: number): number {
  if (newest <= first) return 1
  return 1 + runsAfter(timing, first, missedCountedMax).filter((moment) => moment <= newest).length
}
