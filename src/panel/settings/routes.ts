import type { z } from 'zod'
import type { InstanceServer, ServerLimits, settingsOperations } from '../../contract/api/settings.ts'
import { notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import { type ServerDetail, type Servers, statusNow } from '../servers/index.ts'
import type { CountedThings } from './counted.ts'
import { limitWords } from './words.ts'

/** What servers may use, and suspending them. Who may change that has been decided before: the installation's administrators. */
export function settingsHandlers({
  servers,
  counted,
}: {
  servers: Servers
  counted: CountedThings
}): Handlers<typeof settingsOperations, PanelContexts> {
  const { world } = servers
  const limitsOf = async (serverId: string): Promise<z.input<typeof ServerLimits>> => {
    const detail = await servers.detail(serverId)
    if (!detail) throw notFound(`Server ${serverId}`)
    const [backups, databases, schedules] = await Promise.all([
      counted.backups.count(detail),
      counted.databases.count(detail),
      counted.schedules.count(detail),
    ])
    return {
      ...instanceView(servers, detail),
      backups: backups.limit,
      databases: databases.limit,
      schedules: schedules.limit,
    }
  }
  return {
    async instanceServers({ query, request }) {
      const page = await servers.page(query)
      if (page.nextCursor) request.setHeader('X-Next-Cursor', page.nextCursor)
      return page.servers.map((detail) => instanceView(servers, detail))
    },
    serverLimits: ({ params }) => limitsOf(params.serverId),
    async updateServerLimits({ params, body }) {
      const { allocations, backups, databases, schedules, ...resources } = body
      const size = { ...resources, ...(allocations === undefined ? {} : { allocation_limit: allocations }) }
      const { result, reached } = await servers.resize(params.serverId, size, async (trx, row) => {
        if (backups !== undefined) await counted.backups.setLimit(trx, row, backups)
        if (databases !== undefined) await counted.databases.setLimit(trx, row, databases)
        if (schedules !== undefined) await counted.schedules.setLimit(trx, row, schedules)
      })
      const limits = await limitsOf(params.serverId)
      const capabilities = world.nodes.online(result.node_id)?.facts?.capabilities ?? null
      return {
        message: limitWords({ changed: body, status: limits.status, node: limits.node, reached, capabilities }),
        limits,
      }
    },
    async updateSuspension({ params, body }) {
      const { result, reached } = await servers.suspend(params.serverId, body.suspended)
      if (!body.suspended) return { message: `${result.name} is not suspended any more; it can be started` }
      return {
        message: reached
          ? `${result.name} is suspended and being stopped`
          : `${result.name} is suspended; its node is away and stops it when it is back`,
      }
    },
  }
}

const instanceView = ({ world }: Servers, detail: ServerDetail): z.input<typeof InstanceServer> => ({
  id: `servers/${detail.id}`,
  name: detail.name,
  status: statusNow(world, detail).status,
  suspended: detail.suspended_at !== null,
  workspace: detail.workspace_slug,
  owner: detail.owner_email,
  node: detail.node_name,
  memory: detail.memory,
  disk: detail.disk,
  cpu: detail.cpu,
  allocations: detail.allocation_limit,
})
