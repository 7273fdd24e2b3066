import { disableAfterFailures, disableAfterMs, retryAfterMaxMs, retryMs } from './limits.ts'

/** When a delivery that has failed `attempts` times is tried again, ms since 1970; null: it is given up. */
export function nextAttempt(attempts: number, now: number, retryAfterMs: number | null): number | null {
  const pause = retryMs[attempts - 1]
  if (pause === undefined) return null
  return now + Math.max(pause, Math.min(retryAfterMs ?? 0, retryAfterMaxMs))
}

/** Whether a webhook has failed for so long that nobody can be there any more. */
export const isHopeless = (failingSince: number, failures: number, now: number): boolean =>
  failures >= disableAfterFailures && now - failingSince >= disableAfterMs
