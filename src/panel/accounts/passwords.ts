import { hash, verify } from '@node-rs/argon2'
import { AppError } from '../../contract/errors.ts'
import { newSecret } from '../../lib/secret.ts'
import { argon2Options, hashesAtOnceMax, hashesWaitingMax } from './limits.ts'

/** Hashes passwords, a few at a time. */
export interface Passwords {
  hash(password: string): Promise<string>
  /** With `null` for an account that does not exist it takes as long and answers false. */
  matches(storedHash: string | null, password: string): Promise<boolean>
}

export function createPasswords(): Passwords {
  let running = 0
  const waiting: (() => void)[] = []
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= hashesAtOnceMax) {
      if (waiting.length >= hashesWaitingMax)
        throw new AppError(
          'rate_limited',
          'Too many people are signing in at this moment. Try again in a few seconds.',
          {
            retryAfterSeconds: 2,
          },
        )
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
  let decoy: Promise<string> | undefined
  return {
    hash: (password) => inTurn(() => hash(password, argon2Options)),
    async matches(storedHash, password) {
      decoy ??= hash(newSecret('decoy'), argon2Options)
      const against = storedHash ?? (await decoy)
      const same = await inTurn(() => verify(against, password))
      return same && storedHash !== null
    },
  }
}
