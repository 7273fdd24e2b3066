import { AppError } from '../../contract/errors.ts'
import { sourceOf } from '../../lib/address.ts'
import { addressesMax } from '../access/index.ts'
import type { Rates } from '../rates/index.ts'
import { attemptsPerAccount, attemptsPerAccountAndAddress, attemptsPerAddress, attemptWindowMs } from './limits.ts'

/** Counts wrong passwords and secrets. Each try counts until it turns out to be right, so tries at the same time count too. */
export interface Attempts {
  /** Rejects with `rate_limited` when there were too many; resolves to what to call when the try was right. `account`: an e-mail address or a user's id. `mostForAccount`: from everywhere. */
  begin(address: string, account: string | null, mostForAccount?: number): Promise<() => void>
}

export function createAttempts(rates: Pick<Rates, 'limit'>): Attempts {
  const counts = rates.limit({ name: 'attempts', windowMs: attemptWindowMs, keysMax: 3 * addressesMax })
  return {
    async begin(address, account, mostForAccount = attemptsPerAccount) {
      const from = sourceOf(address)
      const limits: [key: string, most: number][] = [[`from ${from}`, attemptsPerAddress]]
      if (account !== null)
        limits.push([`for ${account}`, mostForAccount], [`for ${account} from ${from}`, attemptsPerAccountAndAddress])
      const counted: string[] = []
      const giveBack = (): void => {
        for (const key of counted) counts.giveBack(key)
      }
      for (const [key, most] of limits) {
        const taken = await counts.take(key, most)
        if (!taken.allowed) {
          giveBack()
          throw new AppError(
            'rate_limited',
            `Too many attempts. Try again in ${Math.ceil(taken.resetSeconds / 60)} minutes.`,
            {
              retryAfterSeconds: taken.resetSeconds,
            },
          )
        }
        counted.push(key)
      }
      return giveBack
    },
  }
}
