import { answerOf, type LiveNode } from '../nodes/index.ts'
import { pushesAtOnce, reconcileEveryMs, strangersLoggedMax } from './limits.ts'
import type { Pusher } from './push.ts'
import { serversOfNode } from './store.ts'
import type { ServersWorld } from './world.ts'

/**
 * Brings a node to what the database says, when it comes back and every now and then while it stays: specs it has not or has
 * in an older revision, deletions it has missed. What it has and the panel does not know is never touched: it may belong to a
 * database that was restored from an older copy. Resolves when the node's link has ended; never rejects.
 */
export async function keepReconciled(world: ServersWorld, pusher: Pusher, node: LiveNode): Promise<void> {
  const named = new Set<string>()
  while (!node.signal.aborted) {
    await reconcile(world, pusher, node, named)
    await world.clock.sleep(reconcileEveryMs, node.signal).catch(() => undefined)
  }
}

async function reconcile({ db, log }: ServersWorld, pusher: Pusher, node: LiveNode, named: Set<string>): Promise<void> {
  try {
    const has = new Map((await answerOf(node.name, node.client.servers({}))).map((state) => [state.id, state.revision]))
    const rows = await serversOfNode(db.kysely, node.id)
    const known = new Set(rows.map(({ id }) => id))
    const strangers = [...has.keys()].filter((id) => !known.has(id) && !named.has(id))
    for (const id of strangers) named.add(id)
    if (strangers.length > 0)
      log.warn(
        { node: node.name, servers: strangers.slice(0, strangersLoggedMax), count: strangers.length },
        'the node has servers that the panel does not know; they are left alone',
      )
    const stale = rows.filter(({ id, revision, deleted_at }) => deleted_at !== null || (has.get(id) ?? 0) < revision)
    await inBatches(stale, pushesAtOnce, async ({ id, deleted_at }) => {
      if (deleted_at !== null) await pusher.finishDeletion(id)
      else await pusher.push(id)
    })
  } catch (error) {
    if (!node.signal.aborted) log.warn({ node: node.name, err: error }, 'could not bring the node up to date')
  }
}

/** One failure stops nobody else's turn; the first of them is thrown at the end. */
async function inBatches<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const failures: unknown[] = []
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift())
      await work(item).catch((error: unknown) => failures.push(error))
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  if (failures.length > 0) throw failures[0]
}
