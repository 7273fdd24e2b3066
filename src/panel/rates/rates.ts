import { randomBytes } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'
import type { Database } from '../db/index.ts'
import { RateLimit, type Taken } from './rate-limit.ts'
import { SharedLimit } from './shared-limit.ts'
import { Valkey } from './valkey.ts'

/** Counts events per key in windows that begin with a key's first event. */
export interface Limit {
  /** Counts one event where there is room. Answers at once wherever nobody else needs to be asked. */
  take(key: string, limit: number): Taken | Promise<Taken>
  /** Gives one event back: what was counted turned out to be harmless. */
  giveBack(key: string): void
}

export interface LimitOptions {
  /** Tells it from the other limits. */
  name: string
  windowMs: number
  /** Keys that are remembered here, and that one panel may make elsewhere within a window. */
  keysMax: number
  /** Takes several at once for later: for what happens often and need not be exact to the last one. */
  leases?: boolean
}

/** Where limits come from. */
export interface Rates extends AsyncDisposable {
  limit(options: LimitOptions): Limit
  /** In words why limits are not shared although they should be; null where they are as they should be. */
  readonly problem: string | null
}

/** Limits of this process alone, or with the URL of a Valkey or Redis those of all panels that have it. */
export async function openRates(options: {
  database: Database
  clock: Clock
  log: Log
  valkeyUrl: Secret | undefined
}): Promise<Rates> {
  const { database, clock, log, valkeyUrl } = options
  if (!valkeyUrl) return ownRates(clock)
  const secret = await readSecret(database)
  const valkey = await Valkey.open(valkeyUrl, log)
  return {
    limit: (wanted) => new SharedLimit(wanted, { clock, valkey, secret }),
    get problem() {
      return valkey.up ? null : 'Valkey does not answer: each panel limits requests and sign-ins for itself'
    },
    [Symbol.asyncDispose]: () => valkey[Symbol.asyncDispose](),
  }
}

/** Limits of this process alone. */
export const ownRates = (clock: Clock): Rates => ({
  limit: (wanted) => new RateLimit({ ...wanted, clock }),
  problem: null,
  [Symbol.asyncDispose]: async () => undefined,
})

/** The setting that holds the key under which names are hashed, the same for every panel of the database. */
const secretSetting = 'rates-key'
const secretBytes = 32

async function readSecret({ kysely }: Database): Promise<Uint8Array> {
  const value = randomBytes(secretBytes).toString('base64url')
  await kysely
    .insertInto('settings')
    .values({ key: secretSetting, value })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const row = await kysely
    .selectFrom('settings')
    .select('value')
    .where('key', '=', secretSetting)
    .executeTakeFirstOrThrow()
  return Buffer.from(row.value, 'base64url')
}
