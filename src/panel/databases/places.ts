import { createClient } from '../../client/index.ts'
import { nodeDatabaseOperations, sizesAtOnceMax } from '../../contract/node-databases.ts'
import { linkSend } from '../../http/index.ts'
import type { Sealer } from '../../lib/seal.ts'
import type { Secret } from '../../lib/secret.ts'
import { type GameDatabase, openDatabaseServer } from '../../mysql/index.ts'
import type { DatabaseHostRow } from '../db/index.ts'
import { answerOf, type LiveNode } from '../nodes/index.ts'

/** Where databases are made: a registered host, or the MariaDB of a node. Each call throws `conflict` with words for people. */
export interface Place {
  has(database: string): Promise<boolean>
  /** Resolves to where the game connects to. */
  create(what: GameDatabase, password: Secret): Promise<{ host: string; port: number }>
  setPassword(what: GameDatabase, password: Secret): Promise<void>
  drop(what: GameDatabase): Promise<void>
  sizes(databases: readonly string[]): Promise<Map<string, number>>
}

/** What the password of a host is sealed for. */
export const hostPurpose = (id: string): string => `database_hosts/${id}`

/** A server that the panel itself reaches. */
export function hostServer(
  row: Omit<DatabaseHostRow, 'id' | 'password' | 'created_at' | 'capacity'>,
  password: Secret,
) {
  const { host, port, tls } = row
  return openDatabaseServer({
    label: `Database host ${row.name}`,
    at: { host, port, tls: tls === 1 },
    user: row.username,
    password,
  })
}

export function onHost(row: DatabaseHostRow, sealer: Sealer): Place {
  const server = hostServer(row, sealer.open(row.password, hostPurpose(row.id)))
  return {
    ...server,
    async create(what, password) {
      await server.create(what, password)
      return { host: row.host, port: row.port }
    },
  }
}

export function onNode({ name, link }: LiveNode): Place {
  const client = createClient(nodeDatabaseOperations, { baseUrl: '', send: linkSend(() => link), checkReplies: true })
  const bodyOf = ({ user, remote }: GameDatabase, password: Secret) => ({ user, remote, password: password.reveal() })
  const answer = <T>(call: Promise<T>): Promise<T> => answerOf(name, call)
  return {
    has: async (database) => (await answer(client.hasDatabase({ params: { database } }))).exists,
    create: (what, password) =>
      answer(client.createDatabase({ params: { database: what.database }, body: bodyOf(what, password) })),
    async setPassword(what, password) {
      await answer(client.setDatabasePassword({ params: { database: what.database }, body: bodyOf(what, password) }))
    },
    async drop({ database, user, remote }) {
      await answer(client.dropDatabase({ params: { database }, query: { user, remote } }))
    },
    async sizes(databases) {
      const found = new Map<string, number>()
      for (let from = 0; from < databases.length; from += sizesAtOnceMax) {
        const some = databases.slice(from, from + sizesAtOnceMax)
        const { sizes } = await answer(client.databaseSizes({ body: { databases: some } }))
        for (const { database, bytes } of sizes) found.set(database, bytes)
      }
      return found
    },
  }
}
