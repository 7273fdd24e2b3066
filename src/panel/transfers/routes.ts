import type { z } from 'zod'
import type { drainOperations, Transfer, transferOperations } from '../../contract/api/transfers.ts'
import type { Handlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database, TransferRow } from '../db/index.ts'
import { nodeById } from '../nodes/index.ts'
import type { Servers } from '../servers/index.ts'
import { percentOf } from './carry.ts'
import type { Transfers } from './transfers.ts'

interface Parts {
  db: Database
  servers: Servers
  transfers: Transfers
}

export function transferHandlers(parts: Parts): Handlers<typeof transferOperations, PanelContexts> {
  const { transfers } = parts
  return {
    transferServer: async ({ params, body }) => viewOf(parts, await transfers.begin(keyOf(params.serverId), body)),
    serverTransfer: async ({ server }) => {
      const last = await transfers.last(server.row.id)
      return { transfer: last && (await viewOf(parts, last)) }
    },
    cancelTransfer: async ({ params }) => {
      await transfers.cancel(keyOf(params.serverId))
      return { message: 'Transfer cancelled: the server stays where it is' }
    },
  }
}

export function drainHandlers(parts: Parts): Handlers<typeof drainOperations, PanelContexts> {
  const { transfers } = parts
  const all = (rows: readonly TransferRow[]) => Promise.all(rows.map((row) => viewOf(parts, row)))
  return {
    transfers: async () => ({ transfers: await all(await transfers.open()) }),
    drainNode: async ({ params }) => {
      const { started, refused } = await transfers.drain(params.node)
      return {
        transfers: await all(started),
        refused: refused.map(({ id, name, reason }) => ({ server: `servers/${id}`, name, reason })),
      }
    },
  }
}

/** An administrator's path names the server in either form. */
const keyOf = (serverId: string): string => serverId.replace(/^servers\//, '')

async function viewOf({ db, servers }: Parts, row: TransferRow): Promise<z.input<typeof Transfer>> {
  const [server, from, to] = await Promise.all([
    servers.detail(row.server_id),
    nodeById(db.kysely, row.from_node),
    nodeById(db.kysely, row.to_node),
  ])
  return {
    id: row.id,
    server: { id: `servers/${row.server_id}`, name: server?.name ?? row.server_id },
    from: { id: row.from_node, name: from?.name ?? row.from_node },
    to: { id: row.to_node, name: to?.name ?? row.to_node },
    stage: row.stage,
    percent: percentOf(row),
    bytesDone: row.bytes_done,
    bytesTotal: row.bytes_total,
    attempts: row.attempts,
    message: row.message,
    createdAt: isoTime(row.created_at),
    endedAt: row.ended_at === null ? null : isoTime(row.ended_at),
  }
}
