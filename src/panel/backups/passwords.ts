import { randomBytes } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { Sealer } from '../../lib/seal.ts'
import { Secret } from '../../lib/secret.ts'
import type { Database } from '../db/index.ts'
import { insertRepository, repositoryOf } from './store.ts'

/** Of a password in base64url: as strong as the keys that it opens. */
const passwordBytes = 32

/** The passwords of servers' repositories of incremental backups: random, sealed in the database, known to nobody. */
export class Passwords {
  readonly #db: Database
  readonly #clock: Clock
  readonly #sealer: Sealer

  constructor({ db, clock, sealer }: { db: Database; clock: Clock; sealer: Sealer }) {
    this.#db = db
    this.#clock = clock
    this.#sealer = sealer
  }

  /** The server's; made where there is none yet. Of two callers at once both get the same. */
  async of(serverId: string): Promise<Secret> {
    const { kysely } = this.#db
    const known = await repositoryOf(kysely, serverId)
    if (known) return this.#sealer.open(known.password, purposeOf(serverId))
    const fresh = new Secret(randomBytes(passwordBytes).toString('base64url'))
    const password = this.#sealer.seal(fresh, purposeOf(serverId))
    await insertRepository(kysely, { server_id: serverId, password, created_at: this.#clock.now() })
    const kept = await repositoryOf(kysely, serverId)
    if (!kept) throw new Error('the password of a repository was not kept')
    return this.#sealer.open(kept.password, purposeOf(serverId))
  }
}

const purposeOf = (serverId: string): string => `${serverId} repository`
