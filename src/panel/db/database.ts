import { AsyncLocalStorage } from 'node:async_hooks'
import { Kysely, type Transaction } from 'kysely'
import type { Log } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'
import { copyBeforeUpgrade } from './before-upgrade.ts'
import { migrate } from './migrate.ts'
import { migrations } from './migrations/index.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'
import type { Tables } from './tables.ts'
import { isSerializationFailure, isUniqueViolation } from './violations.ts'

export type DatabaseConfig = { kind: 'sqlite'; file: string } | { kind: 'postgres'; url: Secret }

/** What a query needs: the whole database, or the transaction it must be part of. */
export type Store = Kysely<Tables> | Transaction<Tables>

export interface Database extends AsyncDisposable {
  readonly kysely: Kysely<Tables>
  readonly dialect: 'sqlite' | 'postgres'
  /**
   * Runs `work` as one serialisable transaction: all of it happens, or none. On PostgreSQL it runs again when another
   * transaction got in its way, so `work` does nothing but queries. Inside it only `trx` may be used: `kysely` throws there,
   * where it would otherwise wait for the transaction that waits for it.
   */
  transact<T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T>
}

/**
 * Opens the database and brings it up to date; two panels may do so at the same moment. Refuses a database that a newer
 * Pharos has written. Of a SQLite file a copy is kept before it moves forward.
 * @param queried told how long each query took, for measuring
 */
export async function openDatabase(
  config: DatabaseConfig,
  log: Log,
  queried?: (ms: number) => void,
): Promise<Database> {
  const inside = new AsyncLocalStorage<true>()
  const guard = (): void => {
    if (inside.getStore()) throw new Error('A query inside transact() must use its trx')
  }
  if (config.kind === 'sqlite') await copyBeforeUpgrade(config.file, migrations, log)
  const dialect = config.kind === 'sqlite' ? await openSqlite(config.file, guard) : openPostgres(config.url, guard, log)
  const kysely = new Kysely<Tables>({
    dialect,
    ...(queried ? { log: ({ queryDurationMillis }) => queried(queryDurationMillis) } : {}),
  })
  const transaction = (): ReturnType<typeof kysely.transaction> =>
    config.kind === 'sqlite' ? kysely.transaction() : kysely.transaction().setIsolationLevel('serializable')

  try {
    await migrate(kysely, config.kind, migrations)
  } catch (error) {
    await kysely.destroy()
    throw error
  }
  return {
    kysely,
    dialect: config.kind,
    async transact(work) {
      guard()
      for (let attempt = 1; ; attempt++) {
        try {
          // The connection is taken outside of `inside`, everything that `work` does happens within it.
          return await transaction().execute((trx) => inside.run(true, () => work(trx)))
        } catch (error) {
          // A rival may also show as a unique violation: trying again finds its row by the checks that come before the write.
          const rival = isSerializationFailure(error) || (config.kind === 'postgres' && isUniqueViolation(error))
          if (!rival || attempt === serializationAttemptsMax) throw error
          await new Promise((resolve) => setTimeout(resolve, Math.random() * retryPauseMs * attempt))
        }
      }
    },
    [Symbol.asyncDispose]: () => kysely.destroy(),
  }
}

/** How often a transaction is tried while others get in its way: ten rivals for one row all get their turn. */
const serializationAttemptsMax = 12

/** The pause before another try grows by up to this much each time, in milliseconds, at random so that rivals part. */
const retryPauseMs = 10
