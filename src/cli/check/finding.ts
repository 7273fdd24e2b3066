/** One thing that was looked at. The fields are what `pharos check --json` prints. */
export interface Finding {
  /** What was looked at: `panel-dns`. */
  check: string
  /** At what: `panel.example.org`. */
  subject: string
  /** `warning`: it works, but not as well as it could. */
  state: 'ok' | 'warning' | 'blocked'
  message: string
  /** What to do; null where there is nothing to do. */
  next: string | null
  /** How long it took, ms; null where that says nothing. */
  ms: number | null
}

type Rest = Partial<Pick<Finding, 'next' | 'ms'>>

export const ok = (check: string, subject: string, message: string, rest: Rest = {}): Finding =>
  finding('ok', check, subject, message, rest)
export const warning = (check: string, subject: string, message: string, rest: Rest = {}): Finding =>
  finding('warning', check, subject, message, rest)
export const blocked = (check: string, subject: string, message: string, rest: Rest = {}): Finding =>
  finding('blocked', check, subject, message, rest)

function finding(state: Finding['state'], check: string, subject: string, message: string, rest: Rest): Finding {
  const { next = null, ms = null } = rest
  return { check, subject, state, message, next, ms: ms === null ? null : Math.round(ms) }
}
