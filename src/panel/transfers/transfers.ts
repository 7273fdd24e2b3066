import { type Client, createClient } from '../../client/index.ts'
import { AppError, conflict, notFound } from '../../contract/errors.ts'
import type { NodeFeature } from '../../contract/node-protocol.ts'
import { nodeTransferOperations } from '../../contract/node-transfers.ts'
import type { Resources } from '../../contract/template.ts'
import { linkSend } from '../../http/index.ts'
import { newId, newUuid } from '../../lib/ids.ts'
import { isUniqueViolation, type Store, type TransferRow } from '../db/index.ts'
import { answerOf, type LiveNode, listNodes, nodeById } from '../nodes/index.ts'
import {
  machineOf,
  rankMachines,
  refusalOf,
  type ServerDetail,
  standingServersOf,
  whatLacks,
  wishOf,
} from '../servers/index.ts'
import { keptTemplate } from '../templates/index.ts'
import { Cancelled, Carrier, LetGo } from './carry.ts'
import {
  adoptTimeoutMs,
  databaseReadMaxMs,
  leaseMs,
  lookEveryMs,
  rememberedMs,
  renewMs,
  transfersPerNodeMax,
} from './limits.ts'
import {
  comingTo,
  forgetEnded,
  forgetLeftoversOf,
  insertTransfer,
  lastTransferOf,
  leftovers,
  markCancel,
  markCleared,
  openTransfers,
  releaseLeases,
  saveProgress,
  takeLease,
  transferById,
} from './store.ts'
import type { TransfersOptions, TransfersWorld } from './world.ts'

export interface Drained {
  started: TransferRow[]
  refused: { id: string; name: string; reason: string }[]
}

/**
 * Moves servers between nodes. Each transfer is a row that says how far it is; a panel leases it, carries it on and lets it go when it ends, and
 * where that panel dies another one, or the same after its restart, goes on. Nothing waits for anything that may never come: a node
 * that is away is waited for so long, and what it has left is cleared away whenever it is back.
 */
export class Transfers implements AsyncDisposable {
  readonly #world: TransfersWorld
  readonly #carried = new Map<string, { row: TransferRow; stopping: AbortController; done: Promise<void> }>()
  readonly #stops: (() => void)[]
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void> | null = null
  #again = false
  #stopped = false

  private constructor(options: TransfersOptions) {
    this.#world = {
      ...options,
      panel: newUuid(),
      client: clientsWaiting(adoptTimeoutMs),
      patientClient: clientsWaiting(databaseReadMaxMs),
    }
    this.#timer = setInterval(() => this.#look(), lookEveryMs).unref()
    this.#stops = [
      options.nodes.observe({
        up: async () => this.#look(),
        removed: async (trx, nodeId) => {
          const coming = (await openTransfers(trx)).find(({ to_node }) => to_node === nodeId)
          if (coming) throw conflict('A server is being moved to this node: cancel that, or wait for its end.')
          await forgetLeftoversOf(trx, nodeId)
        },
      }),
      options.changes.on((change) => {
        if (change.of === 'server') this.#look()
      }),
    ]
  }

  /** Goes on with what a panel before this one has begun. */
  static async open(options: TransfersOptions): Promise<Transfers> {
    if (options.db.dialect === 'sqlite') await releaseLeases(options.db.kysely)
    const transfers = new Transfers(options)
    transfers.#look()
    return transfers
  }

  /** Queues a move. Throws `not_found` for a server that is gone, `conflict` where no node takes it or it is moving already. */
  async begin(
    serverId: string,
    wanted: { node?: string | undefined; start?: boolean | undefined },
  ): Promise<TransferRow> {
    const { db, clock, changes, servers, obstacles, databases } = this.#world
    const server = await servers.detail(serverId)
    if (!server) throw notFound(`Server ${serverId}`)
    for (const obstacle of [...obstacles, databases.obstacle.bind(databases)]) {
      const why = await obstacle(server)
      if (why !== null) throw conflict(why)
    }
    const feature = (await databases.of(serverId, server.node_id)).length > 0 ? 'wholeTransfers' : 'transfers'
    try {
      const row = await db.transact(async (trx) => {
        const to = await this.#target(trx, server, { node: wanted.node, feature })
        const made: TransferRow = {
          ...{ id: newId('tr'), server_id: serverId, from_node: server.node_id, to_node: to },
          ...{ stage: 'waiting', start: wanted.start === undefined ? 2 : wanted.start ? 1 : 0, cancel: 0, attempts: 0 },
          ...{ bytes_done: 0, bytes_total: 0, message: null, panel: null, leased_until: 0, leftover: 0 },
          ...{ created_at: clock.now(), ended_at: null },
        }
        await insertTransfer(trx, made)
        return made
      })
      await changes.publish({ of: 'server', id: serverId })
      return row
    } catch (error) {
      if (!isUniqueViolation(error)) throw error
      throw conflict(`${server.name} is being moved already: wait for the end of that, or cancel it.`)
    }
  }

  async last(serverId: string): Promise<TransferRow | null> {
    return (await lastTransferOf(this.#world.db.kysely, serverId)) ?? null
  }

  /** Oldest first. */
  open(): Promise<TransferRow[]> {
    return openTransfers(this.#world.db.kysely)
  }

  /** The server stays where it is. Throws `conflict` where it is not moving, or has gone over. */
  async cancel(serverId: string): Promise<void> {
    const { db, changes, servers } = this.#world
    const server = await servers.detail(serverId)
    if (!server) throw notFound(`Server ${serverId}`)
    const row = await lastTransferOf(db.kysely, serverId)
    if (!row || !(await markCancel(db.kysely, row.id))) throw conflict(`${server.name} is not being moved.`)
    await changes.publish({ of: 'server', id: serverId })
  }

  /** Puts the node into maintenance and moves everything away that can go. Throws `not_found`. */
  async drain(nodeId: string): Promise<Drained> {
    const { nodes, db } = this.#world
    await nodes.update(nodeId, { maintenance: true })
    const drained: Drained = { started: [], refused: [] }
    for (const { id, name } of await standingServersOf(db.kysely, nodeId)) {
      try {
        drained.started.push(await this.begin(id, {}))
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        const under = await this.last(id)
        if (under?.ended_at === null) drained.started.push(under)
        else drained.refused.push({ id, name, reason: error.message })
      }
    }
    return drained
  }

  /** What is under way goes on with the next panel. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    for (const stop of this.#stops) stop()
    for (const { stopping } of this.#carried.values()) stopping.abort(new LetGo())
    await Promise.all([this.#looking, ...[...this.#carried.values()].map(({ done }) => done)])
  }

  /** The id of the node that shall take it. What waits to come to a node counts as if it were there. */
  async #target(
    trx: Store,
    server: ServerDetail,
    { node: wanted, feature }: { node: string | undefined; feature: NodeFeature },
  ): Promise<string> {
    const { nodes } = this.#world
    const template = await keptTemplate(trx, server.template_hash)
    const wish = wishOf(server, template)
    const coming = await comingTo(trx)
    const machines = (await listNodes(trx)).map((row) => {
      const machine = machineOf(row, nodes.online(row.id)?.facts ?? null)
      const more = coming.get(row.id)
      return more ? { ...machine, promised: sum(machine.promised, more) } : machine
    })
    const others = machines.filter(({ id }) => id !== server.node_id && nodes.online(id)?.knows(feature) !== false)
    nodes.online(server.node_id)?.mustKnow(feature)
    if (wanted === undefined) {
      const [best] = rankMachines(others, wish)
      if (best) return best.id
      throw conflict(others.length === 0 ? 'There is no other node: add one first.' : refusalOf(others, wish))
    }
    if (wanted === server.node_id) throw conflict(`${server.name} is on node ${server.node_name} already.`)
    const target = machines.find(({ id }) => id === wanted)
    if (!target) throw notFound(`Node ${wanted}`)
    nodes.online(wanted)?.mustKnow(feature)
    const lacks = whatLacks(target, wish)
    if (lacks.length > 0) throw conflict(`Node ${target.name} cannot take ${server.name}: ${lacks.join(', ')}.`)
    return target.id
  }

  /** Looks soon for what there is to do, and once more if that is asked for meanwhile. */
  #look(): void {
    this.#again = true
    if (this.#stopped) return
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = null
      if (this.#again) this.#look()
    })
  }

  async #lookNow(): Promise<void> {
    const { db, clock, log } = this.#world
    while (this.#again && !this.#stopped) {
      this.#again = false
      try {
        const rows = await openTransfers(db.kysely)
        for (const row of rows) if (row.cancel === 1) this.#carried.get(row.id)?.stopping.abort(new Cancelled())
        for (const row of rows) if (this.#mayBegin(row, rows)) await this.#take(row)
        await this.#clear()
        await forgetEnded(db.kysely, clock.now() - rememberedMs)
      } catch (error) {
        log.warn({ err: error }, 'could not look after transfers')
      }
    }
  }

  /** What has begun goes on whatever else there is; others wait for room at both nodes. */
  #mayBegin(row: TransferRow, all: readonly TransferRow[]): boolean {
    if (this.#stopped || this.#carried.has(row.id)) return false
    if (row.stage !== 'waiting' || row.cancel === 1) return true
    const busy = (node: string): number =>
      all.filter(
        (other) =>
          (other.stage !== 'waiting' || this.#carried.has(other.id)) &&
          (other.from_node === node || other.to_node === node),
      ).length
    return busy(row.from_node) < transfersPerNodeMax && busy(row.to_node) < transfersPerNodeMax
  }

  async #take(row: TransferRow): Promise<void> {
    const { db, clock, panel, servers } = this.#world
    const now = clock.now()
    if (!(await takeLease(db.kysely, row.id, panel, now, now + leaseMs))) return
    const fresh = await transferById(db.kysely, row.id)
    if (!fresh || fresh.ended_at !== null) return
    const stopping = new AbortController()
    const carried = { row: fresh, stopping, done: Promise.resolve() }
    this.#carried.set(row.id, carried)
    const carrier = new Carrier(this.#world, fresh, stopping.signal)
    const renewing = setInterval(() => void this.#renew(row.id, stopping), renewMs)
    carried.done = carrier
      .run()
      .finally(async () => {
        clearInterval(renewing)
        this.#carried.delete(row.id)
        servers.world.states.move(row.from_node, row.server_id, null)
        // Whoever is next need not wait for the end of the lease.
        if (this.#stopped) await saveProgress(db.kysely, { id: row.id, panel }, { leased_until: 0 })
        this.#look()
      })
      .catch((error: unknown) => this.#world.log.warn({ err: error }, 'a transfer was not let go in good order'))
  }

  async #renew(id: string, stopping: AbortController): Promise<void> {
    const { db, clock, panel } = this.#world
    const still = await saveProgress(db.kysely, { id, panel }, { leased_until: clock.now() + leaseMs }).catch(
      () => true,
    )
    if (!still && this.#carried.get(id)?.stopping === stopping) stopping.abort(new LetGo())
  }

  /**
   * Has the node on which a server is not, or no longer, remove what it has of it. The node where it is has been told first that it
   * is its own: only what is still held by the transfer is ever removed.
   */
  async #clear(): Promise<void> {
    const { db, nodes, client, servers, log } = this.#world
    for (const row of await leftovers(db.kysely)) {
      if (this.#stopped) return
      const done = row.stage === 'done'
      const node = nodes.online(done ? row.from_node : row.to_node)
      if (!node) {
        if (!(await nodeById(db.kysely, done ? row.from_node : row.to_node))) await markCleared(db.kysely, row.id)
        continue
      }
      try {
        if (await servers.detail(row.server_id)) await servers.push(row.server_id)
        const params = { transfer: row.id, server: row.server_id }
        await answerOf(node.name, client(node).discardTransfer({ params }))
        await markCleared(db.kysely, row.id)
      } catch (error) {
        log.info(
          { err: error, transfer: row.id, node: node.name },
          'what a transfer left could not be cleared away yet',
        )
      }
    }
  }
}

/** A client of each node, which waits so long for an answer. */
function clientsWaiting(ms: number): (node: LiveNode) => Client<typeof nodeTransferOperations> {
  const clients = new WeakMap<LiveNode, Client<typeof nodeTransferOperations>>()
  return (node) => {
    const known = clients.get(node)
    if (known) return known
    const send = linkSend(() => node.link, ms)
    const made = createClient(nodeTransferOperations, { baseUrl: '', send, checkReplies: true })
    clients.set(node, made)
    return made
  }
}

const sum = (left: Resources, right: Resources): Resources => ({
  memory: left.memory + right.memory,
  disk: left.disk + right.disk,
  cpu: left.cpu + right.cpu,
})
