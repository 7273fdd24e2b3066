import { notFound } from '../../contract/errors.ts'
import { allocationsOf } from '../network/index.ts'
import { deletionWaitMs } from './limits.ts'
import type { Pusher } from './push.ts'
import { markDeleted } from './store.ts'
import type { ServersWorld } from './world.ts'

/**
 * Takes the server away from everybody at once, closes its tunnels, and has its node remove it; a node that is away does
 * so when it comes back. True where the node has already done it. Throws `not_found` where somebody else was quicker.
 */
export async function deleteServer(
  { db, changes, tunnels, clock }: ServersWorld,
  pusher: Pusher,
  serverId: string,
  { wait }: { wait: boolean },
): Promise<boolean> {
  const closed = await db.transact(async (trx) => {
    if (!(await markDeleted(trx, serverId, clock.now()))) throw notFound(`Server ${serverId}`)
    const dropped: (string | null)[] = []
    for (const { id } of await allocationsOf(trx, [serverId])) dropped.push(await tunnels.dropForAllocation(trx, id))
    return dropped.filter((id) => id !== null)
  })
  await changes.publish({ of: 'server', id: serverId })
  for (const id of closed) await changes.publish({ of: 'tunnel', id })
  const finished = pusher.finishDeletion(serverId)
  return wait ? within(deletionWaitMs, finished) : false
}

async function within(ms: number, finished: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([finished, late])
  } finally {
    clearTimeout(timer)
  }
}
