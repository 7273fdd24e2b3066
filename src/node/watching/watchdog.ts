/**
 * Whether a running server still gives signs of life, as a pure state machine. It counts as hung once it has given some and
 * then none for its whole time; a server that never gave any is not watched, since whatever is asked may be switched off.
 *
 * ```
 *            sign                 none              none for its whole time
 * unarmed ────────▶ alive ──────────────▶ silent ──────────────────────────▶ hung
 *                     ▲  sign                │  sign                          │
 *                     └──────────────────────┴────────────────────────────────┘
 * ```
 */
export type Watched =
  | { phase: 'unarmed' }
  | { phase: 'alive'; lookedAt: number }
  | { phase: 'silent'; since: number; misses: number; lookedAt: number }
  | { phase: 'hung'; since: number }

export interface WatchdogRules {
  /** How long it may give no sign, in ms. */
  afterMs: number
  /** Whether it may be restarted at all. */
  restart: boolean
  /** When it was restarted for this reason, in this node's memory, ms since 1970. */
  restarts: readonly number[]
}

/** `report` once for each time that it hangs. */
export type WatchdogVerdict = 'nothing' | 'report' | 'restart'

/** Signs that must have failed to come in a row, whatever the clock says: one lost datagram is not the end of a server. */
const missesMin = 3

/** A node that did not look for so long was itself away (asleep, or starved): what it did not see counts for nothing, in ms. */
const blindMs = 150_000

/** Restarts within `windowMs` after which somebody should look: restarting did not cure it. */
export const hangRestartsMax = 3
const windowMs = 60 * 60_000

export const unwatched: Watched = { phase: 'unarmed' }

/** What a sign, or its absence, at `now` means. */
export function afterLook(
  state: Watched,
  sign: boolean,
  now: number,
  { afterMs, restart, restarts }: WatchdogRules,
): { next: Watched; verdict: WatchdogVerdict } {
  if (sign) return { next: { phase: 'alive', lookedAt: now }, verdict: 'nothing' }
  switch (state.phase) {
    case 'unarmed':
    case 'hung':
      return { next: state, verdict: 'nothing' }
    case 'alive':
      // Since then it may have been silent; before then it was not.
      return { next: { phase: 'silent', since: seen(state, now), misses: 1, lookedAt: now }, verdict: 'nothing' }
    case 'silent': {
      if (isBlind(state, now))
        return { next: { phase: 'silent', since: now, misses: 1, lookedAt: now }, verdict: 'nothing' }
      const silent = { ...state, misses: state.misses + 1, lookedAt: now }
      if (silent.misses < missesMin || now - state.since < afterMs) return { next: silent, verdict: 'nothing' }
      const recent = restarts.filter((at) => at <= now && now - at < windowMs)
      return {
        next: { phase: 'hung', since: state.since },
        verdict: restart && recent.length < hangRestartsMax ? 'restart' : 'report',
      }
    }
  }
}

const isBlind = (state: { lookedAt: number }, now: number): boolean =>
  now < state.lookedAt || now - state.lookedAt > blindMs
const seen = (state: { lookedAt: number }, now: number): number => (isBlind(state, now) ? now : state.lookedAt)
