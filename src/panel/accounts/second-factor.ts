import type { z } from 'zod'
import type { TwoFactor } from '../../contract/api/account-security.ts'
import { conflict, forbidden } from '../../contract/errors.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { Sealer } from '../../lib/seal.ts'
import type { Changes, Database, Store } from '../db/index.ts'
import type { Attempts } from './attempts.ts'
import { hashRecoveryCode, newRecoveryCodes, newTotpSecret, readCode, stepOfCode, totpUrl } from './codes.ts'
import { codesPerAccount } from './limits.ts'
import {
  countRecoveryCodes,
  deleteTwoFactor,
  enableTwoFactor,
  findTwoFactor,
  keepUnconfirmed,
  replaceRecoveryCodes,
  spendRecoveryCode,
  spendStep,
} from './second-factor-store.ts'

/** The code that signing in with the password takes as well, where somebody has turned that on. */
export interface SecondFactor {
  state(userId: string): Promise<z.output<typeof TwoFactor>>
  isOn(userId: string): Promise<boolean>
  /** When it was turned on, in ms since 1970; null where it is not. */
  since(userId: string): Promise<number | null>
  /** A secret for an app, which counts once a code of it is confirmed. Throws `conflict` where it is on. */
  begin(user: { id: string; email: string }): Promise<{ secret: string; url: string }>
  /** Turns it on and returns the recovery codes. Throws `forbidden` for a wrong code. */
  confirm(userId: string, code: string, address: string): Promise<string[]>
  /** New recovery codes in place of the old. Throws `forbidden` for a wrong code. */
  renewRecoveryCodes(userId: string, code: string, address: string): Promise<string[]>
  /** Throws `forbidden` for a wrong code. */
  disable(userId: string, code: string, address: string): Promise<void>
  /** Turns it off without a code, for somebody who has lost it. False where it is not on. */
  reset(userId: string): Promise<boolean>
  /**
   * Uses a code up and does what it makes possible, in one transaction; null where the code is wrong or was used before. Throws
   * `rate_limited` after too many wrong ones.
   */
  prove<T>(
    userId: string,
    code: string,
    address: string,
    work: (trx: Store, kind: 'totp' | 'recovery') => Promise<T>,
  ): Promise<T | null>
}

export function createSecondFactor(options: {
  database: Database
  changes: Changes
  clock: Clock
  sealer: Sealer
  attempts: Attempts
}): SecondFactor {
  const { database, changes, clock, sealer, attempts } = options
  const sealedFor = (userId: string): string => `the second factor of ${userId}`

  /** `unconfirmed`: a secret that is not on yet is what is asked for, and recovery codes do not count. */
  const take = async (trx: Store, userId: string, typed: string, unconfirmed: boolean) => {
    const row = await findTwoFactor(trx, userId)
    if (!row || (row.enabled_at === null) !== unconfirmed) return null
    const { kind, code } = readCode(typed)
    if (kind === 'recovery')
      return !unconfirmed && (await spendRecoveryCode(trx, userId, hashRecoveryCode(code))) ? kind : null
    const step = stepOfCode(sealer.open(row.secret, sealedFor(userId)), code, clock.now())
    return step !== null && (await spendStep(trx, userId, step)) ? kind : null
  }

  const proveEither = async <T>(
    { userId, code, address, unconfirmed }: { userId: string; code: string; address: string; unconfirmed: boolean },
    work: (trx: Store, kind: 'totp' | 'recovery') => Promise<T>,
  ): Promise<T | null> => {
    const right = await attempts.begin(address, `the code of ${userId}`, codesPerAccount)
    const done = await database.transact(async (trx) => {
      const kind = await take(trx, userId, code, unconfirmed)
      return kind && { value: await work(trx, kind) }
    })
    if (!done) return null
    right()
    return done.value
  }

  const renew = async (trx: Store, userId: string): Promise<string[]> => {
    const codes = newRecoveryCodes()
    await replaceRecoveryCodes(trx, userId, codes.map(hashRecoveryCode))
    return codes
  }

  const needOn = async (userId: string): Promise<void> => {
    if ((await findTwoFactor(database.kysely, userId))?.enabled_at == null)
      throw conflict('The second factor is not turned on')
  }

  return {
    async state(userId) {
      const row = await findTwoFactor(database.kysely, userId)
      const at = row?.enabled_at ?? null
      return {
        enabled: at !== null,
        enabledAt: at === null ? null : isoTime(at),
        recoveryCodesLeft: at === null ? 0 : await countRecoveryCodes(database.kysely, userId),
      }
    },
    async isOn(userId) {
      return (await findTwoFactor(database.kysely, userId))?.enabled_at != null
    },
    async since(userId) {
      return (await findTwoFactor(database.kysely, userId))?.enabled_at ?? null
    },
    async begin({ id, email }) {
      const secret = newTotpSecret()
      await database.transact(async (trx) => {
        if ((await findTwoFactor(trx, id))?.enabled_at != null) throw alreadyOn()
        await keepUnconfirmed(trx, id, sealer.seal(secret, sealedFor(id)))
      })
      return { secret: secret.reveal(), url: totpUrl(secret, email) }
    },
    async confirm(userId, code, address) {
      const row = await findTwoFactor(database.kysely, userId)
      if (!row) throw conflict('Ask for a secret first, and add it to the app')
      if (row.enabled_at !== null) throw alreadyOn()
      const codes = await proveEither({ userId, code, address, unconfirmed: true }, async (trx) => {
        await enableTwoFactor(trx, userId, clock.now())
        return renew(trx, userId)
      })
      if (!codes)
        throw forbidden('This is not the code that the app shows now. Check that the clock of the phone is right.')
      // Who is connected by the password alone no longer may be.
      await changes.publish({ of: 'user', id: userId })
      return codes
    },
    async renewRecoveryCodes(userId, code, address) {
      await needOn(userId)
      const codes = await proveEither({ userId, code, address, unconfirmed: false }, (trx) => renew(trx, userId))
      if (!codes) throw forbidden(wrongCodeWords)
      return codes
    },
    async disable(userId, code, address) {
      await needOn(userId)
      const done = await proveEither({ userId, code, address, unconfirmed: false }, async (trx) => {
        await deleteTwoFactor(trx, userId)
        return true
      })
      if (!done) throw forbidden(wrongCodeWords)
    },
    reset: (userId) =>
      database.transact(async (trx) => {
        if ((await findTwoFactor(trx, userId))?.enabled_at == null) return false
        await deleteTwoFactor(trx, userId)
        return true
      }),
    prove: (userId, code, address, work) => proveEither({ userId, code, address, unconfirmed: false }, work),
  }
}

/** The same whether a code is wrong, of another time, or was used before. */
export const wrongCodeWords =
  'The code is wrong, or was used before. Wait for the next one of the app, or use a recovery code.'

const alreadyOn = (): Error => conflict('The second factor is turned on already. Turn it off to set it up anew.')
