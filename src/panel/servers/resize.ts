import { conflict } from '../../contract/errors.ts'
import type { ServerRow, Store } from '../db/index.ts'
import { nodeWithServers } from '../nodes/index.ts'
import { type Changed, changeServer } from './change.ts'
import { left, machineOf } from './placement.ts'
import type { Pusher } from './push.ts'
import type { ServerChange } from './store.ts'
import type { ServersWorld } from './world.ts'

/** What of a server an administrator sizes. */
export type Size = Pick<ServerChange, 'memory' | 'disk' | 'cpu' | 'allocation_limit'>

/**
 * Gives a server other limits: all of them, and what `along` writes in the same transaction, or none. Throws `conflict` where
 * its node has not that much memory left to promise.
 */
export function resizeServer(
  world: ServersWorld,
  pusher: Pusher,
  serverId: string,
  size: { [K in keyof Size]?: Size[K] | undefined },
  along: (trx: Store, row: ServerRow) => Promise<void>,
): Promise<Changed<ServerRow>> {
  const given: Size = Object.fromEntries(Object.entries(size).filter(([, value]) => value !== undefined))
  return changeServer(world, pusher, serverId, async (trx, row) => {
    if (given.memory !== undefined && given.memory > row.memory) await mustFit(world, trx, row, given.memory)
    await along(trx, row)
    return { set: given, result: { ...row, ...given } }
  })
}

/** A node that is away cannot say what it has; whoever decides this then decides without it. */
async function mustFit({ nodes }: ServersWorld, trx: Store, row: ServerRow, memory: number): Promise<void> {
  const facts = nodes.online(row.node_id)?.facts
  const node = facts && (await nodeWithServers(trx, row.node_id))
  if (!node) return
  const most = left(machineOf(node, facts), 'memory') + row.memory
  if (memory > most)
    throw conflict(`Node ${node.name} has ${Math.max(0, most)} MiB for ${row.name}, which ${memory} MiB is more than.`)
}
