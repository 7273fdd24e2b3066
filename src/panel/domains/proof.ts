import type { DomainState } from '../../contract/api/domains.ts'

/**
 * How a domain fares, by what is kept of it.
 *
 *   pending ──found──▶ active ──missing──▶ warned ──missing, graceMs later──▶ off
 *                        ▲                   │                                 │
 *                        └──────found────────┴────────────found────────────────┘
 *
 * `found` is refused while another workspace has a name that overlaps. `unknown`, a DNS that does not answer, changes nothing until the last
 * proof is older than `staleMs`.
 */
export interface ProofState {
  /** Whether the workspace has the name: it is served. */
  held: boolean
  /** When the proof was seen last, ms since 1970; null until it was for the first time. */
  provedAt: number | null
  /** Since when it is gone. */
  lostAt: number | null
  offWhy: string | null
}

export type Finding = 'found' | 'missing' | 'unknown'

/** How long a domain is served on after its proof has gone, ms: a weekend in which somebody mends the zone. */
export const graceMs = 3 * 86_400_000

/** A proof that could not be looked at for so long counts as gone, ms. */
export const staleMs = 7 * 86_400_000

/** How long nobody looks by itself at a domain that is not proved, ms. */
export const pendingMs = 30 * 86_400_000

export function stateOf({ held, provedAt, lostAt }: ProofState): DomainState {
  if (!held) return provedAt === null ? 'pending' : 'off'
  return lostAt === null ? 'active' : 'warned'
}

/** What one look at the DNS makes of it. */
export function judge(state: ProofState, finding: Finding, now: number): ProofState {
  if (finding === 'found') return { held: true, provedAt: now, lostAt: null, offWhy: null }
  if (!state.held) return state
  const stale = state.provedAt === null || now - state.provedAt >= staleMs
  if (finding === 'unknown' && !stale) return state
  const lostAt = state.lostAt ?? now
  if (now - lostAt < graceMs) return { ...state, lostAt }
  return { ...state, held: false, lostAt, offWhy: 'The ownership record has been missing for three days' }
}

/**
 * How long until the next look, ms; null: only when somebody asks.
 * @param since how long ago the domain was added, ms
 * @param chance from 0 to below 1: looks are spread out
 */
export function pauseUntilNext(state: ProofState, finding: Finding, since: number, chance: number): number | null {
  const pause = plainPause(state, finding, since)
  return pause === null ? null : Math.round(pause * (0.9 + 0.2 * chance))
}

function plainPause(state: ProofState, finding: Finding, since: number): number | null {
  switch (stateOf(state)) {
    case 'active':
      return finding === 'found' ? day : 10 * minute
    case 'warned':
      return hour
    case 'off':
      return null
    case 'pending':
      // People set the record and look: at first it is found within a minute.
      if (since < hour) return minute
      if (since < day) return 10 * minute
      return since < pendingMs ? 6 * hour : null
  }
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
