import { conflict } from '../../contract/errors.ts'
import type { ServerSpec } from '../../contract/node.ts'
import { specOfVersion1 } from '../../contract/node-protocol.ts'
import { Queue } from '../../lib/queue.ts'
import { allocationsOf } from '../network/index.ts'
import { answerOf, type LiveNode } from '../nodes/index.ts'
import { keptTemplate } from '../templates/index.ts'
import { deletionRetryMs } from './limits.ts'
import { specOf } from './spec.ts'
import { removeServer, serverDetail } from './store.ts'
import type { ServersWorld } from './world.ts'

/** What the node takes. Throws `conflict` where it is too old for the server. */
function forNode(spec: ServerSpec, { name, protocol }: LiveNode): ServerSpec {
  if (protocol > 1) return spec
  const older = specOfVersion1(spec)
  if (older === null) throw conflict(`Node ${name} is too old for servers of kind ${spec.template.name}: update it.`)
  // An older spec is one with fewer fields, all of which the newer reader fills in.
  return older as ServerSpec
}

/**
 * Makes nodes do what the database says: sends specs, finishes deletions. Both read the row when their turn comes and take
 * turns per server, so that a late spec never brings a deleted server back.
 */
export class Pusher implements AsyncDisposable {
  readonly #world: ServersWorld
  readonly #turns = new Map<string, { queue: Queue; waiting: number }>()
  readonly #stopping = new AbortController()
  readonly #deletions = new Set<Promise<boolean>>()

  constructor(world: ServersWorld) {
    this.#world = world
  }

  /** Sends the server's spec. Throws `conflict` where the node is away or refuses. A server that is being deleted is left alone. */
  push(serverId: string): Promise<void> {
    return this.#inTurn(serverId, async () => {
      const { db, nodes, states } = this.#world
      const row = await serverDetail(db.kysely, serverId)
      if (!row || row.deleted_at !== null) return
      const node = nodes.need({ id: row.node_id, name: row.node_name })
      const template = await keptTemplate(db.kysely, row.template_hash)
      const spec = specOf(row, template, await allocationsOf(db.kysely, [serverId]), row.public_address)
      const state = await answerOf(
        node.name,
        node.client.putServer({ params: { server: serverId }, body: forNode(spec, node) }),
      )
      const now = await serverDetail(db.kysely, serverId)
      if (now && now.deleted_at === null) return states.offer(node, state, now.suspended_at !== null)
      // Another panel deleted it meanwhile, perhaps before the spec arrived: the node must not keep what that brought back.
      await answerOf(node.name, node.client.removeServer({ params: { server: serverId } }))
    })
  }

  /**
   * Finishes a deletion: the node removes the server, then its rows go. False where the node is away: its coming back
   * finishes it. Never rejects; on a node that is here it tries until it has worked or the panel stops.
   */
  finishDeletion(serverId: string): Promise<boolean> {
    const deletion: Promise<boolean> = this.#deleteInTheEnd(serverId)
      .catch((error: unknown) => {
        this.#world.log.error({ server: serverId, err: error }, 'a deletion could not be finished')
        return false
      })
      .finally(() => this.#deletions.delete(deletion))
    this.#deletions.add(deletion)
    return deletion
  }

  /** Deletions that are not finished go on when the panel is back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await Promise.all([...this.#deletions])
  }

  async #deleteInTheEnd(serverId: string): Promise<boolean> {
    const stopping = this.#stopping.signal
    while (!stopping.aborted) {
      const outcome = await this.#inTurn(serverId, () => this.#tryDeletion(serverId))
      if (outcome === 'done') return true
      if (outcome === 'away') return false
      const either = AbortSignal.any([outcome, stopping])
      await this.#world.clock.sleep(deletionRetryMs, either).catch(() => undefined)
    }
    return false
  }

  /** The signal of the node's link is returned where another try makes sense while that lasts. */
  async #tryDeletion(serverId: string): Promise<'done' | 'away' | AbortSignal> {
    const { db, nodes, states, changes, log } = this.#world
    const row = await serverDetail(db.kysely, serverId)
    if (!row || row.deleted_at === null) return 'done'
    const node = nodes.online(row.node_id)
    if (!node) return 'away'
    try {
      await answerOf(node.name, node.client.removeServer({ params: { server: serverId } }))
      await removeServer(db.kysely, serverId)
      states.forget(row.node_id, serverId)
      await changes.publish({ of: 'server', id: serverId })
      return 'done'
    } catch (error) {
      if (node.signal.aborted) return 'away'
      log.warn({ server: serverId, node: node.name, err: error }, 'the node could not delete the server')
      return node.signal
    }
  }

  async #inTurn<T>(serverId: string, task: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(serverId) ?? { queue: new Queue(), waiting: 0 }
    this.#turns.set(serverId, turn)
    turn.waiting += 1
    try {
      return await turn.queue.run(task)
    } finally {
      turn.waiting -= 1
      if (turn.waiting === 0) this.#turns.delete(serverId)
    }
  }
}
