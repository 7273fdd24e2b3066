import { notFound } from '../../contract/errors.ts'
import type { Change, ServerRow, Store } from '../db/index.ts'
import type { Pusher } from './push.ts'
import { applyChange, type ServerChange, standingServer } from './store.ts'
import type { ServersWorld } from './world.ts'

/** What a transaction decided about a server. */
export interface Decision<T> {
  /** Columns of the server itself. */
  set?: ServerChange
  result: T
  /** What else is no longer as it was; told before the node is. */
  news?: readonly Change[]
}

export interface Changed<T> {
  result: T
  /** Whether the node has taken it. A node that is away, or does not listen now, learns it later. */
  reached: boolean
}

/**
 * Changes what a server should be: the panel owns that. `decide` runs inside the transaction with the server's row and does
 * nothing but queries. Afterwards everybody is told, the server's node last. Throws `not_found` for a server that is gone.
 */
export async function changeServer<T>(
  { db, changes, nodes, log }: Pick<ServersWorld, 'db' | 'changes' | 'nodes' | 'log'>,
  pusher: Pusher,
  serverId: string,
  decide: (trx: Store, row: ServerRow) => Promise<Decision<T>>,
): Promise<Changed<T>> {
  const { nodeId, decision } = await db.transact(async (trx) => {
    const row = await standingServer(trx, serverId)
    if (!row) throw notFound(`Server ${serverId}`)
    const decided = await decide(trx, row)
    await applyChange(trx, serverId, decided.set ?? {})
    return { nodeId: row.node_id, decision: decided }
  })
  for (const change of decision.news ?? []) await changes.publish(change)
  await changes.publish({ of: 'server', id: serverId })
  const { result } = decision
  if (!nodes.online(nodeId)) return { result, reached: false }
  try {
    await pusher.push(serverId)
    return { result, reached: true }
  } catch (error) {
    log.warn({ server: serverId, err: error }, 'the node has not taken a change of a server yet')
    return { result, reached: false }
  }
}
