import type { networkOperations } from '../../contract/api/network.ts'
import { conflict, notFound } from '../../contract/errors.ts'
import type { ReplyData } from '../../contract/operation.ts'
import { portRules } from '../../contract/power.ts'
import type { Clock } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { ServerAccess } from '../access/index.ts'
import type { AllocationRow, Change, Changes, Database, ServerRow, Store } from '../db/index.ts'
import { answerOf, labelsOf, type Nodes, nodeById } from '../nodes/index.ts'
import { keptTemplate } from '../templates/index.ts'
import type { Tunnels } from '../tunnels/index.ts'
import { choiceAttemptsMax, portsAskedMax } from './limits.ts'
import { freePorts } from './pool.ts'
import {
  allocationOf,
  allocationsOf,
  countAllocations,
  insertAllocation,
  movePort,
  movePrimary,
  portsTaken,
  removeAllocation,
  saveNotes,
} from './store.ts'
import { allocationView } from './view.ts'

type AllocationView = ReplyData<(typeof networkOperations)['allocations']>['allocations'][number]

/** What the network needs of the servers, which know nothing of it beyond their ports. */
export interface ServersOfNetwork {
  /** Runs `decide` in one transaction with the server's row, then tells everybody, the server's node too. Throws `not_found`. */
  change<T>(
    serverId: string,
    decide: (trx: Store, row: ServerRow) => Promise<{ result: T; news?: readonly Change[] }>,
  ): Promise<{ result: T }>
  status(row: ServerRow): Promise<{ status: keyof typeof portRules }>
}

export interface AllocationsOptions {
  db: Database
  changes: Changes
  clock: Clock
  nodes: Nodes
  tunnels: Tunnels
  servers: ServersOfNetwork
}

/** The ports of servers. Each server has exactly one primary port, always. */
export class Allocations {
  readonly #options: AllocationsOptions

  constructor(options: AllocationsOptions) {
    this.#options = options
  }

  /** The primary first, then by number. */
  async list({ row }: ServerAccess): Promise<AllocationView[]> {
    const { db, nodes, tunnels } = this.#options
    const node = await nodeById(db.kysely, row.node_id)
    const place = {
      public_address: node?.public_address ?? null,
      hostname: nodes.online(row.node_id)?.facts?.hostname ?? null,
    }
    const rows = await allocationsOf(db.kysely, [row.id])
    return rows.map((allocation) => allocationView(allocation, place, tunnels))
  }

  /** How many ports the server may have, and has. */
  async count({ id, allocation_limit }: ServerRow): Promise<{ limit: number; current: number }> {
    return { limit: allocation_limit, current: await countAllocations(this.#options.db.kysely, id) }
  }

  /** Throws `not_found` for one that the server does not have. */
  async one(server: ServerAccess, id: string): Promise<AllocationView> {
    const found = (await this.list(server)).find((allocation) => allocation.id === id)
    if (!found) throw notFound(`Allocation ${id}`)
    return found
  }

  /** Resolves to its id. Throws `conflict` at the server's limit, and where no port is free on the node or on any edge. */
  async add(server: ServerAccess, notes: string): Promise<string> {
    const { servers, tunnels, clock } = this.#options
    const id = newId('alloc')
    await this.#withPort(server, (offered) =>
      servers.change(server.row.id, async (trx, row) => {
        const current = await countAllocations(trx, row.id)
        if (current >= row.allocation_limit) throw atLimit(row, current)
        const port = await this.#choose(trx, row, offered)
        if (port === null) return { result: null }
        await insertAllocation(trx, {
          id,
          node_id: row.node_id,
          server_id: row.id,
          port,
          primary_port: 0,
          notes: notes === '' ? null : notes,
          created_at: clock.now(),
        })
        const node = await nodeById(trx, row.node_id)
        if (node?.public_address !== null) return { result: port }
        const { id: tunnelId } = await tunnels.forAllocation(trx, {
          allocationId: id,
          workspaceId: row.workspace_id,
          name: `server-${row.id}`,
          entrance: null,
          nodeLabels: node ? labelsOf(node) : {},
        })
        return { result: port, news: [{ of: 'tunnel', id: tunnelId }] }
      }),
    )
    return id
  }

  /** Undefined leaves them as they are. */
  async note({ row }: ServerAccess, id: string, notes: string | undefined): Promise<void> {
    const { db, changes } = this.#options
    if (notes === undefined) return
    if (!(await saveNotes(db.kysely, row.id, id, notes === '' ? null : notes))) throw notFound(`Allocation ${id}`)
    await changes.publish({ of: 'server', id: row.id })
  }

  /** Throws `conflict` for the primary port, and while the server may be using it. */
  async remove(server: ServerAccess, id: string): Promise<void> {
    const { servers, tunnels } = this.#options
    await this.#mustBeUnused(server, id, 'remove')
    await servers.change(server.row.id, async (trx, row) => {
      const allocation = await needed(trx, row, id)
      if (allocation.primary_port === 1)
        throw conflict(
          `Port ${allocation.port} is the primary one of ${row.name}, which always has one: make another port primary first.`,
        )
      const tunnelId = await tunnels.dropForAllocation(trx, id)
      await removeAllocation(trx, row.id, id)
      return { result: null, news: tunnelId === null ? [] : [{ of: 'tunnel', id: tunnelId }] }
    })
  }

  /** The server's host name on edges leads to it from now on. Idempotent. */
  async makePrimary({ row }: ServerAccess, id: string): Promise<void> {
    const { servers, tunnels } = this.#options
    await servers.change(row.id, async (trx, current) => {
      await needed(trx, current, id)
      const former = (await allocationsOf(trx, [current.id])).find(({ primary_port }) => primary_port === 1)
      await movePrimary(trx, current.id, id)
      const renamed = former && former.id !== id ? await tunnels.moveName(trx, former.id, id) : []
      return { result: null, news: renamed.map((tunnelId): Change => ({ of: 'tunnel', id: tunnelId })) }
    })
  }

  /** Another port of the node for the same allocation. Throws `conflict` while the server may be using it, and where no other port is free. */
  async changePort(server: ServerAccess, id: string): Promise<void> {
    await this.#mustBeUnused(server, id, 'change')
    await this.#withPort(server, (offered) =>
      this.#options.servers.change(server.row.id, async (trx, row) => {
        await needed(trx, row, id)
        const port = await this.#choose(trx, row, offered)
        if (port !== null) await movePort(trx, row.id, id, port)
        return { result: port }
      }),
    )
  }

  async #mustBeUnused({ row }: ServerAccess, id: string, action: string): Promise<void> {
    const { db, servers } = this.#options
    const { port } = await needed(db.kysely, row, id)
    const verdict = portRules[(await servers.status(row)).status]
    if (verdict !== 'do' && verdict !== 'done')
      throw conflict(`Cannot ${action} port ${port} of ${row.name}. ${verdict}`)
  }

  /** `use` gets ports that nobody has, and says null when others were quicker with all of them: then it is tried with new ones. */
  async #withPort(server: ServerAccess, use: (offered: Offer) => Promise<{ result: number | null }>): Promise<void> {
    for (let attempt = 1; attempt <= choiceAttemptsMax; attempt += 1) {
      const { result } = await use(await this.#offer(server.row))
      if (result !== null) return
    }
    throw conflict(`Others keep taking the free ports of this node. Try again in a moment.`)
  }

  /** The first ports of the pool that no server has and no other program uses. A node that is away cannot say what is used. */
  async #offer(row: ServerRow): Promise<Offer> {
    const { db, nodes } = this.#options
    const node = await nodeById(db.kysely, row.node_id)
    if (!node) throw notFound(`Server ${row.id}`)
    const pool = { first: node.port_first, last: node.port_last }
    const unassigned = freePorts(pool, await portsTaken(db.kysely, node.id))
    const live = nodes.online(node.id)
    const offer = { ...pool, node: node.name }
    if (!live) return { ...offer, ports: unassigned }
    const { protocols } = await keptTemplate(db.kysely, row.template_hash)
    for (let from = 0; from < unassigned.length; from += portsAskedMax) {
      const asked = unassigned.slice(from, from + portsAskedMax)
      const { free } = await answerOf(live.name, live.client.freePorts({ body: { ports: asked, protocols } }))
      const ports = asked.filter((port) => free.includes(port))
      if (ports.length > 0) return { ...offer, ports }
    }
    return { ...offer, ports: [] }
  }

  /** Null where others have taken all of the offer since. Throws `conflict` where nothing was to be had at all. */
  async #choose(trx: Store, row: ServerRow, { node, first, last, ports }: Offer): Promise<number | null> {
    if (ports.length === 0)
      throw conflict(
        `No port is free on node ${node} (${first} to ${last}). Remove one from a server there, or ask the people who run this installation.`,
      )
    const taken = await portsTaken(trx, row.node_id)
    return ports.find((port) => !taken.has(port)) ?? null
  }
}

interface Offer {
  node: string
  first: number
  last: number
  ports: readonly number[]
}

async function needed(db: Store, row: ServerRow, id: string): Promise<AllocationRow> {
  const allocation = await allocationOf(db, row.id, id)
  if (!allocation) throw notFound(`Allocation ${id}`)
  return allocation
}

const atLimit = ({ name, allocation_limit }: ServerRow, current: number): Error =>
  conflict(
    `${name} has ${current} ${current === 1 ? 'port' : 'ports'} and may have ${allocation_limit}. Remove one, or ask the people who run this installation for more.`,
  )
