import type { databaseHostOperations, databaseOperations } from '../../contract/api/databases.ts'
import type { Handlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Databases } from './databases.ts'
import type { DatabaseHosts } from './hosts.ts'
import type { HostWithCount } from './store.ts'

export function databaseHandlers(databases: Databases): Handlers<typeof databaseOperations, PanelContexts> {
  return {
    databases: async ({ server }) =>
      (await databases.list(server)).map((row) => ({
        id: row.id,
        name: row.name,
        host: row.host,
        port: row.port,
        database: row.real_name,
        username: row.username,
        remote: row.remote,
        // One that has an address has been made.
        state: row.state === 'creating' ? 'ready' : row.state,
        sizeBytes: row.sizeBytes,
        createdAt: isoTime(row.created_at),
      })),
    createDatabase: async ({ server, body }) => {
      const made = await databases.create(server, body.database, body.remote)
      return {
        message: 'Database created',
        databaseId: made.id,
        host: made.host,
        port: made.port,
        database: made.real_name,
        username: made.username,
        password: made.plainPassword.reveal(),
        remote: made.remote,
        note: made.note,
      }
    },
    deleteDatabase: async ({ server, params }) => {
      const done = await databases.delete(server, params.database)
      return {
        message: done
          ? 'Database deleted successfully'
          : 'Database deletion initiated: it is finished once its database server answers',
      }
    },
    rotateDatabasePassword: async ({ server, params }) => {
      const password = await databases.rotate(server, params.database)
      return { message: 'Password rotated', newPassword: password.reveal() }
    },
    databasePassword: async ({ server, params }) => ({
      password: (await databases.password(server, params.database)).reveal(),
    }),
  }
}

export function databaseHostHandlers(hosts: DatabaseHosts): Handlers<typeof databaseHostOperations, PanelContexts> {
  return {
    databaseHosts: async () => ({ hosts: (await hosts.all()).map(hostView) }),
    createDatabaseHost: async ({ body }) => hostView(await hosts.create(body)),
    updateDatabaseHost: async ({ params, body }) => hostView(await hosts.update(params.host, body)),
    testDatabaseHost: async ({ params }) => ({ ok: true, version: (await hosts.test(params.host)).version }),
    deleteDatabaseHost: async ({ params }) => {
      await hosts.remove(params.host)
      return { id: params.host, removed: true }
    },
  }
}

const hostView = (row: HostWithCount) => ({
  id: row.id,
  name: row.name,
  host: row.host,
  port: row.port,
  username: row.username,
  tls: row.tls === 1,
  capacity: row.capacity,
  databases: row.databases,
  createdAt: isoTime(row.created_at),
})
