import { z } from 'zod'
import { AccountName, DatabaseKey, DatabasePassword, RemotePattern } from './database-names.ts'
import { Port } from './fields.ts'
import { operation } from './operation.ts'

/**
 * Panel → node: databases on the MariaDB that the node runs for the games of its machine alone. The panel decides names and
 * passwords, the node carries them out: it keeps no list of its own and hands nobody the way in.
 */

/** Where games on this machine reach their databases. */
export const DatabaseAddress = z.strictObject({ host: z.string().min(1).max(253), port: Port })
export type DatabaseAddress = z.output<typeof DatabaseAddress>

/** What a database holds, whatever order that is read in: names of all that was made in it, and every row of every table. */
export const DatabaseSum = z.strictObject({
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  objects: z.int().min(0),
  rows: z.int().min(0),
})
export type DatabaseSum = z.output<typeof DatabaseSum>

const OfDatabase = z.object({ database: DatabaseKey })
const base = { family: 'internal', access: 'peer', tag: 'Node' } as const

/** Names in one answer: a node that has more is asked in parts. */
export const sizesAtOnceMax = 100

export const nodeDatabaseOperations = {
  hasDatabase: operation({
    ...base,
    method: 'GET',
    path: '/databases/{database}',
    summary: 'Whether there is a database of this name',
    params: OfDatabase,
    reply: z.strictObject({ exists: z.boolean() }),
    errors: ['conflict'],
  }),
  createDatabase: operation({
    ...base,
    method: 'PUT',
    path: '/databases/{database}',
    summary: 'Make a database and its account; installs and starts MariaDB where that is needed',
    params: OfDatabase,
    body: z.strictObject({ user: AccountName, remote: RemotePattern, password: DatabasePassword }),
    reply: DatabaseAddress,
    errors: ['conflict'],
  }),
  setDatabasePassword: operation({
    ...base,
    method: 'PUT',
    path: '/databases/{database}/password',
    summary: 'Give its account another password, and end the connections made with the old one',
    params: OfDatabase,
    body: z.strictObject({ user: AccountName, remote: RemotePattern, password: DatabasePassword }),
    reply: z.strictObject({}),
    errors: ['conflict'],
  }),
  dropDatabase: operation({
    ...base,
    method: 'DELETE',
    path: '/databases/{database}',
    summary: 'Remove it and its account; a missing one succeeds',
    params: OfDatabase,
    query: z.object({ user: AccountName, remote: RemotePattern }),
    reply: z.strictObject({}),
    errors: ['conflict'],
  }),
  databaseSizes: operation({
    ...base,
    method: 'POST',
    path: '/databases/sizes',
    summary: 'How large these are; those that are missing are left out',
    body: z.strictObject({ databases: z.array(DatabaseKey).max(sizesAtOnceMax) }),
    reply: z.strictObject({ sizes: z.array(z.strictObject({ database: DatabaseKey, bytes: z.int() })) }),
    errors: ['conflict'],
  }),
}
