import type { resourceOperations } from '../../contract/api/settings.ts'
import { notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import { type Servers, statusNow } from '../servers/index.ts'
import type { CountedThings } from './counted.ts'

const bytesPerMib = 1_048_576

/** What a server may have and use, and what it has and uses now. */
export function resourceHandlers({
  servers,
  counted,
}: {
  servers: Servers
  counted: CountedThings
}): Handlers<typeof resourceOperations, PanelContexts> {
  return {
    async resources({ server: { row } }) {
      const detail = await servers.detail(row.id)
      if (!detail) throw notFound(`Server ${row.id}`)
      const [databases, allocations, backups, schedules] = await Promise.all([
        counted.databases.count(row),
        counted.allocations.count(row),
        counted.backups.count(row),
        counted.schedules.count(row),
      ])
      const usage = servers.world.states.of(row.node_id, row.id)?.usage ?? null
      const players = servers.world.states.playersOf(row.node_id, row.id)
      return {
        databases,
        allocations,
        backups,
        schedules,
        server: { status: statusNow(servers.world, detail).status, name: detail.name },
        memory: { limit: detail.memory, current: usage && Math.ceil(usage.memoryBytes / bytesPerMib) },
        disk: { limit: detail.disk, current: usage && Math.ceil(usage.diskBytes / bytesPerMib) },
        cpu: { limit: detail.cpu, current: usage?.cpuCores ?? null },
        players: { limit: players?.max ?? null, current: players?.online ?? null },
      }
    },
  }
}
