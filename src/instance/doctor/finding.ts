/** What one look at the machine has found. */
export type Finding = Found | Lack

export interface Found {
  /** Names the check: `sandbox`. Several findings may be of one check. */
  readonly check: string
  readonly state: 'ok'
  /** In words, about the thing itself: `Node.js 24.9.0`. */
  readonly found: string
}

export interface Lack {
  readonly check: string
  /** `missing`: a role that was asked for does not work without it. `limited`: it works, with less than it could. */
  readonly state: 'missing' | 'limited'
  readonly found: string
  /** What does not work, or works worse. */
  readonly cost: string
  /** What a person does about it: a command, a package or a setting. */
  readonly next: string
}

export const ok = (check: string, found: string): Found => ({ check, state: 'ok', found })
export const limited = (check: string, found: string, cost: string, next: string): Lack => ({
  ...{ check, state: 'limited', found, cost, next },
})
export const missing = (check: string, found: string, cost: string, next: string): Lack => ({
  ...{ check, state: 'missing', found, cost, next },
})
