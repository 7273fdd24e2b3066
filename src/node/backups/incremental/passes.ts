import type { Clock } from '../../../lib/clock.ts'
import { newSecret } from '../../../lib/secret.ts'
import { passesMax, passMs } from './limits.ts'
import type { RepositoryOrder } from './repositories.ts'

/** What a pass lets through. */
export interface Admitted extends RepositoryOrder {
  server: string
  id: string
  snapshot: string
}

/** Downloads that a panel has asked for and not begun: an address must not hold a repository's password. */
export class Passes {
  readonly #clock: Clock
  readonly #passes = new Map<string, Admitted & { until: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  issue(admitted: Admitted): string {
    const now = this.#clock.now()
    for (const [pass, { until }] of this.#passes)
      if (until < now || this.#passes.size >= passesMax) this.#passes.delete(pass)
    const pass = newSecret('pass')
    this.#passes.set(pass, { ...admitted, until: now + passMs })
    return pass
  }

  /** Once. Null where it never was, or is too old. */
  redeem(pass: string): Admitted | null {
    const admitted = this.#passes.get(pass)
    this.#passes.delete(pass)
    return admitted && admitted.until >= this.#clock.now() ? admitted : null
  }
}
