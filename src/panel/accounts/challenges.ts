import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Sealer } from '../../lib/seal.ts'
import { Secret } from '../../lib/secret.ts'
import type { Database, Store } from '../db/index.ts'
import { challengeLifetimeMs } from './limits.ts'

/** Somebody was sent to a provider, from the browser that holds what `browser` is the hash of. */
const atProvider = { provider: z.string(), browser: z.string(), nonce: z.string(), verifier: z.string() } as const

/** What a challenge says, by what it is for. */
const claimsOf = {
  /**
   * Somebody knew the password, or is linked to an identity at a provider. `passwordMark` tells that password: a new one ends the
   * challenge, as unlinking does.
   */
  'second-factor': z.strictObject({
    userId: z.string(),
    passwordMark: z.string(),
    identity: z.string().nullable().default(null),
  }),
  'new-passkey': z.strictObject({ userId: z.string(), origin: z.string() }),
  'passkey-sign-in': z.strictObject({ origin: z.string() }),
  /** `next`: where to go then. */
  'provider-sign-in': z.strictObject({ ...atProvider, next: z.string().nullable() }),
  'provider-link': z.strictObject({ ...atProvider, userId: z.string() }),
} as const

export type ChallengeKind = keyof typeof claimsOf
type Claims<K extends ChallengeKind> = z.output<(typeof claimsOf)[K]>

/**
 * Short-lived questions that are answered once. They are sealed text and not rows: asking costs nothing, however often
 * strangers do it; only answered ones are written down.
 */
export interface Challenges {
  issue<K extends ChallengeKind>(kind: K, claims: Claims<K>): { text: string; expiresAt: number }
  /** Null for one that is not ours, is for something else, or has run out. */
  read<K extends ChallengeKind>(kind: K, text: string): Challenge<K> | null
  /** False where it has been answered before. Part of the transaction that lets somebody in. */
  use(trx: Store, challenge: Challenge<ChallengeKind>): Promise<boolean>
  /** Forgets those that nobody could answer any more. */
  forgetExpired(): Promise<void>
}

export interface Challenge<K extends ChallengeKind> {
  readonly id: string
  readonly expiresAt: number
  readonly claims: Claims<K>
}

export function createChallenges(options: { database: Database; clock: Clock; sealer: Sealer }): Challenges {
  const { database, clock, sealer } = options
  const purpose = (kind: ChallengeKind): string => `challenge ${kind}`
  return {
    issue(kind, claims) {
      const expiresAt = clock.now() + challengeLifetimeMs
      const content = JSON.stringify({ id: newId('chl'), expiresAt, claims })
      return { text: sealer.seal(new Secret(content), purpose(kind)), expiresAt }
    },
    read<K extends ChallengeKind>(kind: K, text: string) {
      const content = opened(sealer, text, purpose(kind))
      if (content === null) return null
      const { id, expiresAt, claims } = Envelope.parse(JSON.parse(content))
      // The table's schema for this kind gives the claims of this kind.
      return expiresAt <= clock.now() ? null : { id, expiresAt, claims: claimsOf[kind].parse(claims) as Claims<K> }
    },
    async use(trx, { id, expiresAt }) {
      const { numInsertedOrUpdatedRows } = await trx
        .insertInto('used_challenges')
        .values({ id, expires_at: expiresAt })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirstOrThrow()
      return numInsertedOrUpdatedRows === 1n
    },
    async forgetExpired() {
      await database.kysely.deleteFrom('used_challenges').where('expires_at', '<=', clock.now()).execute()
    },
  }
}

const Envelope = z.strictObject({ id: z.string(), expiresAt: z.number(), claims: z.unknown() })

function opened(sealer: Sealer, text: string, purpose: string): string | null {
  try {
    return sealer.open(text, purpose).reveal()
  } catch {
    // Whatever is wrong with it, it is no challenge of ours.
    return null
  }
}
