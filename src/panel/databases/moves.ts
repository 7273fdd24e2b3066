import { createClient } from '../../client/index.ts'
import { nodeDatabaseOperations, sizesAtOnceMax } from '../../contract/node-databases.ts'
import { linkSend } from '../../http/index.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Sealer } from '../../lib/seal.ts'
import type { Secret } from '../../lib/secret.ts'
import type { GameDatabase } from '../../mysql/index.ts'
import type { Database, Store } from '../db/index.ts'
import { answerOf, type LiveNode } from '../nodes/index.ts'
import { sealedFor } from './names.ts'
import { databasesOf, moveDatabase } from './store.ts'

/** A database on the node of its server, which goes where that goes. Its name, its account and its password stay. */
export interface MovableDatabase extends GameDatabase {
  id: string
  /** As its owner calls it. */
  name: string
  password: Secret
}

/** What transfers need of the databases of a server. Those on a shared host stay where they are. */
export class MovableDatabases {
  readonly #options: { db: Database; clock: Clock; sealer: Sealer }

  constructor(options: { db: Database; clock: Clock; sealer: Sealer }) {
    this.#options = options
  }

  /** Those on this node, oldest first. While the server is held for a transfer there are no others, and none of them changes. */
  async of(serverId: string, nodeId: string): Promise<MovableDatabase[]> {
    const rows = await databasesOf(this.#options.db.kysely, serverId)
    return rows
      .filter(({ node_id }) => node_id === nodeId)
      .map(({ id, name, real_name: database, username: user, remote, password }) => ({
        ...{ id, name, database, user, remote, password: this.#options.sealer.open(password, sealedFor(id)) },
      }))
  }

  /** Why the server cannot leave its node now, or null. Asked again in the transaction that holds it. */
  async obstacle(
    { id, name }: { id: string; name: string },
    db: Store = this.#options.db.kysely,
  ): Promise<string | null> {
    const now = this.#options.clock.now()
    const busy = (await databasesOf(db, id)).find(
      ({ node_id, state, busy_until }) => node_id !== null && (state !== 'ready' || busy_until > now),
    )
    return busy ? `Database ${busy.name} of ${name} is being made, changed or deleted: try again in a moment.` : null
  }

  /** Bytes that they take, as far as their node says. */
  async bytesOf(databases: readonly MovableDatabase[], { name, link }: LiveNode): Promise<number> {
    const client = createClient(nodeDatabaseOperations, { baseUrl: '', send: linkSend(() => link), checkReplies: true })
    let bytes = 0
    for (let from = 0; from < databases.length; from += sizesAtOnceMax) {
      const some = databases.slice(from, from + sizesAtOnceMax).map(({ database }) => database)
      const { sizes } = await answerOf(name, client.databaseSizes({ body: { databases: some } }))
      for (const one of sizes) bytes += one.bytes
    }
    return bytes
  }

  /** In the transaction that hands the server over. False where it is not as it was when it was copied. */
  moved(
    trx: Store,
    { id }: MovableDatabase,
    from: string,
    to: { nodeId: string; host: string; port: number },
  ): Promise<boolean> {
    return moveDatabase(trx, id, from, to)
  }
}
