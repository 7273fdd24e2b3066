import { conflict, forbidden, notFound } from '../../contract/errors.ts'
import type { ServerState } from '../../contract/node.ts'
import type { PowerAction } from '../../contract/power.ts'
import type { RuntimeKind } from '../../contract/template.ts'
import type { Signal } from '../../lib/signals.ts'
import type { Caller, ServerAccess, WorkspaceMembership } from '../access/index.ts'
import type { ServerRow, Store } from '../db/index.ts'
import { answerOf, type NodeClient } from '../nodes/index.ts'
import { keptTemplate } from '../templates/index.ts'
import { mustAllowPower, mustAllowReinstall } from './can.ts'
import { type Changed, changeServer, type Decision } from './change.ts'
import { createServer } from './create.ts'
import { deleteServer } from './delete.ts'
import { ServerDetails } from './details.ts'
import { allServers, type Page } from './list.ts'
import { NodeReports } from './observe.ts'
import { Pusher } from './push.ts'
import { keepReconciled } from './reconcile.ts'
import { resizeServer } from './resize.ts'
import { changeRuntime } from './runtime.ts'
import { type ServerNews, ServerStates } from './states.ts'
import { type Status, statusOf } from './status.ts'
import { removeDeletedServersOf, type ServerDetail, serverDetail } from './store.ts'
import { statusNow } from './view.ts'
import type { ServersWorld } from './world.ts'

type NewServerInput = Parameters<typeof createServer>[4]

/** The servers: what may be done to them, and what is known of them. Who may do it has been decided before. */
export class Servers implements AsyncDisposable {
  readonly #world: ServersWorld
  readonly #pusher: Pusher
  /** What replies show of servers. */
  readonly details: ServerDetails
  readonly #stopObserving: () => void
  readonly #running = new Set<Promise<void>>()

  constructor(options: Omit<ServersWorld, 'states'>) {
    const world = { ...options, states: new ServerStates(options.clock) }
    const reports = new NodeReports(world)
    this.#world = world
    this.#pusher = new Pusher(world)
    this.details = new ServerDetails(world)
    this.#stopObserving = world.nodes.observe({
      up: async (node) => this.#track(keepReconciled(world, this.#pusher, node)),
      event: (node, event) => reports.take(node, event),
      down: (node) => world.states.away(node),
      removed: (trx, nodeId) => removeDeletedServersOf(trx, nodeId),
    })
  }

  /** What the handlers and the other slices read from. */
  get world(): ServersWorld {
    return this.#world
  }

  get news(): Signal<ServerNews> {
    return this.#world.states.news
  }

  create(caller: Caller, workspace: WorkspaceMembership, input: NewServerInput): Promise<string> {
    return createServer(this.#world, this.#pusher, caller, workspace, input)
  }

  /** Only its owner, and the owners and admins of its workspace. True where the node has already removed it. */
  async delete({ row, isOwner }: ServerAccess): Promise<boolean> {
    if (!isOwner) throw forbidden(`Only the owner of ${row.name} and the admins of its workspace can delete it.`)
    await this.mustStay(row.id)
    return deleteServer(this.#world, this.#pusher, row.id, { wait: true })
  }

  /** Accepted at once; what is so already succeeds. */
  power({ row }: ServerAccess, action: PowerAction): Promise<void> {
    return this.#ask(
      row.id,
      (server) => mustAllowPower(server.name, action, this.#statusOf(server)),
      (client) => client.power({ params: { server: row.id }, body: { action } }),
    )
  }

  reinstall({ row }: ServerAccess): Promise<void> {
    return this.#ask(
      row.id,
      (server) => mustAllowReinstall(server.name, this.#statusOf(server)),
      (client) => client.reinstall({ params: { server: row.id } }),
    )
  }

  /** See `changeServer`. */
  change<T>(serverId: string, decide: (trx: Store, row: ServerRow) => Promise<Decision<T>>): Promise<Changed<T>> {
    return changeServer(this.#world, this.#pusher, serverId, decide)
  }

  async update(
    { row }: ServerAccess,
    change: {
      name?: string | undefined
      restartOnCrash?: boolean | undefined
      restartOnHang?: boolean | undefined
      wakeOnConnect?: { enabled?: boolean | undefined; idleMinutes?: number | undefined } | undefined
      runtime?: RuntimeKind | undefined
      image?: string | null | undefined
    },
    by: { instanceAdmin: boolean },
  ): Promise<void> {
    const { enabled, idleMinutes } = change.wakeOnConnect ?? {}
    await this.change(row.id, async (trx, now) => ({
      set: {
        ...(change.runtime === undefined && change.image === undefined
          ? {}
          : changeRuntime(
              await keptTemplate(trx, now.template_hash),
              now,
              change,
              this.#world.nodes.online(now.node_id),
              by,
            )),
        ...(change.name === undefined ? {} : { name: change.name }),
        ...(change.restartOnCrash === undefined ? {} : { restart_on_crash: change.restartOnCrash ? 1 : 0 }),
        ...(change.restartOnHang === undefined ? {} : { restart_on_hang: change.restartOnHang ? 1 : 0 }),
        ...(enabled === undefined ? {} : { wake_on_connect: this.#wakes(now, enabled) ? 1 : 0 }),
        ...(idleMinutes === undefined ? {} : { idle_minutes: idleMinutes }),
      },
      result: null,
    }))
  }

  /** Gives it other limits. Throws `conflict` where its node has not that much memory left. */
  resize(
    serverId: string,
    size: Parameters<typeof resizeServer>[3],
    along: Parameters<typeof resizeServer>[4],
  ): Promise<Changed<ServerRow>> {
    return resizeServer(this.#world, this.#pusher, serverId, size, along)
  }

  /** A suspended server is stopped and stays so. Felt at once everywhere; a node that is away stops it when it comes back. */
  async suspend(serverId: string, suspended: boolean): Promise<Changed<ServerRow>> {
    const { clock, states } = this.#world
    const changed = await this.change(serverId, async (_trx, row) => {
      const suspendedAt = suspended ? (row.suspended_at ?? clock.now()) : null
      return { set: { suspended_at: suspendedAt }, result: { ...row, suspended_at: suspendedAt } }
    })
    states.suspend(changed.result.node_id, serverId, suspended)
    return changed
  }

  /** Throws `conflict` while the server is on its way to another node. */
  async mustStay(serverId: string): Promise<void> {
    const row = await this.detail(serverId)
    if (row?.transfer_id)
      throw conflict(`${row.name} is being moved to another node: wait until that has finished, or have it cancelled.`)
  }

  /** Sends the server's spec to its node as it is in the database now. Throws `conflict` where the node is away or refuses. */
  push(serverId: string): Promise<void> {
    return this.#pusher.push(serverId)
  }

  /** Null where there is no such server, or it is being deleted. */
  async detail(serverId: string): Promise<ServerDetail | null> {
    const row = await serverDetail(this.#world.db.kysely, serverId)
    return row && row.deleted_at === null ? row : null
  }

  /** Servers of everybody, oldest first. */
  page(asked: { limit?: number | undefined; cursor?: string | undefined }): Promise<Page> {
    return allServers(this.#world.db, asked)
  }

  /** The server's status now. What access remembers of the row may be older than what the node said, so that is not used. */
  async status({ id, node_id, suspended_at, transfer_id }: ServerAccess['row']): Promise<Status> {
    const live = this.#world.nodes.online(node_id)
    const state = this.#world.states.of(node_id, id)
    if (live && state)
      return statusOf({
        suspended: suspended_at !== null,
        moving: transfer_id === null ? null : this.#world.states.movingWords(id),
        nodeName: live.name,
        nodeOnline: true,
        state,
        reported: true,
      })
    const detail = await serverDetail(this.#world.db.kysely, id)
    if (!detail) throw notFound(`Server ${id}`)
    return this.#statusOf(detail)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopObserving()
    this.details[Symbol.dispose]()
    await this.#pusher[Symbol.asyncDispose]()
    await Promise.allSettled([...this.#running])
  }

  /** Asks the server's node, once `check` has not refused; what `check` says comes before words about the node. */
  async #ask(
    serverId: string,
    check: (server: ServerDetail) => void,
    request: (client: NodeClient) => Promise<ServerState>,
  ): Promise<void> {
    const server = await serverDetail(this.#world.db.kysely, serverId)
    if (!server || server.deleted_at !== null) throw notFound(`Server ${serverId}`)
    check(server)
    const node = this.#world.nodes.need({ id: server.node_id, name: server.node_name })
    const state = await answerOf(node.name, request(node.client))
    if (state.id !== serverId) throw conflict(`Node ${node.name} answered for another server than ${server.name}.`)
    this.#world.states.offer(node, state, server.suspended_at !== null)
  }

  /** Throws `conflict` where the server's node is too old to wake it. One that is away is asked when it is back. */
  #wakes({ node_id }: ServerRow, enabled: boolean): boolean {
    if (enabled) this.#world.nodes.online(node_id)?.mustKnow('wakeOnConnect')
    return enabled
  }

  #statusOf(row: Parameters<typeof statusNow>[1]): Status {
    return statusNow(this.#world, row)
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work.finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }
}
