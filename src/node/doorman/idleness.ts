import { blindMs } from './limits.ts'

/**
 * Whether nobody has used a running server for long enough, as a pure state machine. What cannot be seen counts as use: a server
 * is put to sleep only when it is known that nobody is there.
 */
export interface Idleness {
  /** Since when it has been seen to be empty without a break; null while somebody is there, or nobody can tell. */
  emptySince: number | null
  lookedAt: number
}

/** What one look shows. `unknown` says why it cannot be known. */
export type Sight = { is: 'used' } | { is: 'empty' } | { is: 'unknown'; why: string | null }

export const beganToRun = (now: number): Idleness => ({ emptySince: null, lookedAt: now })

/** Takes in what a look at `now` shows; `asleep` once it has been empty for `idleMs`. */
export function afterLook(
  before: Idleness,
  sight: Sight,
  now: number,
  idleMs: number,
): { next: Idleness; asleep: boolean } {
  if (sight.is !== 'empty') return { next: { emptySince: null, lookedAt: now }, asleep: false }
  // The node itself was away, or its clock was set.
  const blind = now < before.lookedAt || now - before.lookedAt > blindMs
  const emptySince = blind || before.emptySince === null ? now : before.emptySince
  return { next: { emptySince, lookedAt: now }, asleep: now - emptySince >= idleMs }
}
