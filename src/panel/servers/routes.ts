import { serverOperations } from '../../contract/api/servers.ts'
import { notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import { serverPermissions } from '../../contract/permissions.ts'
import type { PanelContexts } from '../access/index.ts'
import { allocationsOf } from '../network/index.ts'
import type { Described } from './details.ts'
import { visibleServers } from './list.ts'
import type { Servers } from './servers.ts'
import { serverView, summaryView } from './view.ts'

const { consoleLog, consoleCommand, ...own } = serverOperations

/** The operations on servers themselves; the console has the others of the document's group. */
export const ownServerOperations = own

export function serverHandlers(servers: Servers): Handlers<typeof ownServerOperations, PanelContexts> {
  const { world } = servers
  const view = (id: string, described: Described | null) => {
    if (!described) throw notFound(`Server ${id}`)
    return serverView(world, described)
  }
  /** At once where it is remembered. */
  const viewOf = (id: string) => {
    const described = servers.details.of(id)
    return described instanceof Promise ? described.then((read) => view(id, read)) : view(id, described)
  }
  return {
    servers: async ({ caller, query, request }) => {
      const page = await visibleServers(world, caller, query)
      if (page.nextCursor) request.setHeader('X-Next-Cursor', page.nextCursor)
      const ports = Map.groupBy(
        await allocationsOf(
          world.db.kysely,
          page.servers.map(({ id }) => id),
        ),
        (allocation) => allocation.server_id,
      )
      return page.servers.map((row) => summaryView(world, row, ports.get(row.id) ?? []))
    },
    createServer: async ({ caller, workspace, body }) => viewOf(await servers.create(caller, workspace, body)),
    server: ({ server }) => viewOf(server.row.id),
    power: async ({ server, body }) => {
      await servers.power(server, body.action)
      return { message: `Server ${body.action} initiated` }
    },
    deleteServer: async ({ server }) => {
      const done = await servers.delete(server)
      return { message: done ? 'Server deleted successfully' : 'Server deletion initiated: its node finishes it' }
    },
    updateServer: async ({ caller, server, body }) => {
      await servers.update(server, body, caller)
      return viewOf(server.row.id)
    },
    reinstall: async ({ server }) => {
      await servers.reinstall(server)
      return { message: 'Server reinstall initiated' }
    },
    permissions: ({ server }) => ({
      permissions: serverPermissions.filter((permission) => server.permissions.has(permission)),
      isOwner: server.isOwner,
    }),
  }
}
