import { z } from 'zod'
import { RemotePattern } from '../database-names.ts'
import { displayName, Port, Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { OfServer } from './servers.ts'

/** What people call a database. An id is no name, so that a path is never in doubt. */
export const DatabaseName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$/,
    'must be 1 to 48 letters, digits, underscores and hyphens, beginning with a letter or digit',
  )
  .refine((name) => !/^db_[0-9a-z]{16}$/.test(name), 'must not look like the id of a database')

export const Database = z
  .strictObject({
    id: z.string().meta({ example: 'db_4k2j9x0q1m5v7c3d' }),
    name: z.string().meta({ example: 'minecraft_db' }),
    host: z.string().meta({ description: 'Where the game connects to', example: '127.0.0.1' }),
    port: Port.meta({ example: 3306 }),
    database: z.string().meta({ description: 'The name that the game uses', example: 's1a7ce997_minecraft_db' }),
    username: z.string().meta({ example: 's1a7ce997_4k2j9x0q1m5v' }),
    remote: z.string().meta({ description: 'The host pattern from which the account may connect', example: '%' }),
    state: z.enum(['ready', 'rotating', 'deleting']).meta({
      description:
        'While its password is being changed or it is being deleted; what was interrupted is finished by itself',
    }),
    sizeBytes: z.int().nullable().meta({ description: 'Data and indexes; null while its server does not answer' }),
    createdAt: Time,
  })
  .meta({ id: 'Database' })

const CreatedDatabase = z.strictObject({
  message: z.string().meta({ example: 'Database created' }),
  databaseId: z.string(),
  host: z.string(),
  port: Port,
  database: z.string(),
  username: z.string(),
  password: z.string(),
  remote: z.string(),
  note: z.string().nullable().meta({ description: 'What to know about this `remote`, if anything' }),
})

const Message = z.strictObject({ message: z.string() })
const OfDatabase = OfServer.extend({
  database: z.string().min(1).max(64).meta({ description: 'The database’s id or name', example: 'minecraft_db' }),
})
const base = { family: 'panel', tag: 'Databases' } as const

export const databaseOperations = {
  databases: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/databases',
    summary: 'The databases of the server, without their passwords',
    mcp: { tool: 'list_databases' },
    access: { server: 'databases.read' },
    params: OfServer,
    reply: z.array(Database),
    errors: [],
  }),
  createDatabase: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/databases',
    summary: 'Create a database and an account with a generated password',
    description:
      'On a registered database host where there is one, else on the server’s own machine. `remote` is where the account may connect from; without it: from the machine itself there, from anywhere on a registered host, which does not know from what address a game comes.',
    access: { server: 'databases.create' },
    params: OfServer,
    body: z.strictObject({ database: DatabaseName, remote: RemotePattern.optional() }),
    reply: CreatedDatabase,
    errors: ['conflict'],
  }),
  deleteDatabase: operation({
    ...base,
    method: 'DELETE',
    path: '/servers/{serverId}/databases/{database}',
    summary: 'Delete the database and its account',
    access: { server: 'databases.delete' },
    params: OfDatabase,
    reply: Message,
    errors: ['conflict'],
  }),
  rotateDatabasePassword: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/databases/{database}/rotate-password',
    summary: 'Give the account a new password; the old one stops working at once',
    access: { server: 'databases.rotate' },
    params: OfDatabase,
    reply: z.strictObject({ message: z.string(), newPassword: z.string() }),
    errors: ['conflict'],
  }),
  databasePassword: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/databases/{database}/password',
    summary: 'The password of the account',
    access: { server: 'databases.password' },
    recorded: true,
    params: OfDatabase,
    reply: z.strictObject({ password: z.string() }),
    errors: ['conflict'],
  }),
}

export const DatabaseHost = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    host: z.string().meta({ example: 'mariadb.example.org' }),
    port: Port.meta({ example: 3306 }),
    username: z.string(),
    tls: z.boolean(),
    capacity: z.int().nullable().meta({ description: 'Most databases on it; null: no limit' }),
    databases: z.int().meta({ description: 'Databases on it now' }),
    createdAt: Time,
  })
  .meta({ id: 'DatabaseHost' })

/** Its host and port are what panel and games connect to; the panel speaks TLS, with a certificate it trusts, where `tls` says so. */
const HostFields = {
  name: displayName(80),
  host: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9:._-]{0,251}[A-Za-z0-9])?$/, 'must be a host name or an address'),
  port: Port,
  username: z.string().min(1).max(80),
  password: z.string().max(256),
  tls: z.boolean(),
  capacity: z.int().min(1).max(1_000_000).nullable(),
}
const OfHost = z.object({ host: z.string() })
const hostBase = { family: 'control', tag: 'Database hosts', access: 'instance' } as const

export const databaseHostOperations = {
  databaseHosts: operation({
    ...hostBase,
    method: 'GET',
    path: '/database-hosts',
    summary: 'The MariaDB and MySQL servers for the databases of servers',
    reply: z.strictObject({ hosts: z.array(DatabaseHost) }),
    errors: [],
  }),
  createDatabaseHost: operation({
    ...hostBase,
    method: 'POST',
    path: '/database-hosts',
    summary: 'Register a server; refused unless a database and an account can be made, changed and removed there',
    body: z.strictObject({
      ...HostFields,
      port: Port.default(3306),
      tls: z.boolean().default(false),
      capacity: HostFields.capacity.default(null),
    }),
    reply: DatabaseHost,
    errors: ['conflict'],
  }),
  updateDatabaseHost: operation({
    ...hostBase,
    method: 'PATCH',
    path: '/database-hosts/{host}',
    summary: 'Change how it is reached, or its capacity; tried out before it is kept',
    params: OfHost,
    body: z
      .strictObject(HostFields)
      .partial()
      .refine((body) => Object.keys(body).length > 0, 'say at least one thing to change'),
    reply: DatabaseHost,
    errors: ['not_found', 'conflict'],
  }),
  testDatabaseHost: operation({
    ...hostBase,
    method: 'POST',
    path: '/database-hosts/{host}/test',
    summary: 'Make, change and remove a database there now',
    params: OfHost,
    reply: z.strictObject({ ok: z.literal(true), version: z.string() }),
    errors: ['not_found', 'conflict'],
  }),
  deleteDatabaseHost: operation({
    ...hostBase,
    method: 'DELETE',
    path: '/database-hosts/{host}',
    summary: 'Forget a server that has no databases of ours',
    params: OfHost,
    reply: z.strictObject({ id: z.string(), removed: z.literal(true) }),
    errors: ['not_found', 'conflict'],
  }),
}
