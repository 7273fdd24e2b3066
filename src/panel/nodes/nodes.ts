import type { Insertable, Transaction } from 'kysely'
import { conflict, notFound } from '../../contract/errors.ts'
import { encodeJoinToken, type PanelEndpoint } from '../../contract/join-token.ts'
import type { EdgeEndpoint, JoinHello, JoinWelcome, NodeEvent, NodeHello } from '../../contract/node.ts'
import { commonProtocol, nodeProtocols } from '../../contract/node-protocol.ts'
import type { Labels, OverAllocation } from '../../contract/placement.ts'
import type { Clock } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { hashSecret, newSecret, Secret, sameSecret } from '../../lib/secret.ts'
import { type Greeted, type Link, LinkError, type LinkEvents } from '../../link/index.ts'
import type { Changes, Database, NodeRow, Tables } from '../db/index.ts'
import { nodeAway } from './call.ts'
import { factsOf, labelsOf } from './capacity.ts'
import { joinLingerMs, joinTokenMs } from './limits.ts'
import { LiveNode, type LiveNodeWorld } from './live.ts'
import {
  insertNode,
  nodeByCredential,
  nodeById,
  nodeByMachine,
  nodeByName,
  nodeWithServers,
  removeNode,
  saveFacts,
  saveSeen,
  setCredential,
  takeJoin,
  updateNode,
} from './store.ts'

/** What another slice wants to hear about nodes. Everything here is about one node, over the link that it holds now. */
export interface NodeObserver {
  /** It is here and has said what it is. Awaited before its events are read. */
  up?(node: LiveNode): Promise<void>
  /** One event after the other; the next one waits. */
  event?(node: LiveNode, event: NodeEvent): Promise<void>
  /** Its link has ended and no newer one has taken its place. */
  down?(node: LiveNode): void
  /** It is being removed for good, in this transaction: what still refers to it goes too. */
  removed?(trx: Transaction<Tables>, nodeId: string): Promise<void>
}

export interface NodesOptions {
  db: Database
  changes: Changes
  clock: Clock
  log: Log
  ports: { first: number; last: number }
  /** Where nodes dial this panel. */
  endpoint(): PanelEndpoint
  /** Every panel of this installation; none where there cannot be others. */
  panels(): readonly PanelEndpoint[]
  /** Those that a node with these labels links to. */
  edges(labels: Labels): Promise<EdgeEndpoint[]>
}

export interface NewNode {
  name: string
  publicAddress?: string | undefined
  ports?: { first: number; last: number } | undefined
  labels?: Labels | undefined
}

/** A machine that runs panel and node in one process. */
export interface LocalMachine {
  id: string
  hostname: string
}

export interface LocalNode {
  nodeId: string
  name: string
  credential: Secret
}

/** What of a node its administrators may change. */
export interface NodeChange {
  maintenance?: boolean | undefined
  labels?: Labels | undefined
  overAllocation?: { [K in keyof OverAllocation]?: OverAllocation[K] | undefined } | undefined
}

/** The machines that run servers, and the links they hold to this panel. */
export class Nodes implements AsyncDisposable {
  readonly #options: NodesOptions
  readonly #live = new Map<string, LiveNode>()
  readonly #observers = new Set<NodeObserver>()
  readonly #running = new Set<Promise<void>>()
  readonly #stopListening: () => void
  readonly #world: LiveNodeWorld

  constructor(options: NodesOptions) {
    this.#options = options
    this.#world = {
      clock: options.clock,
      log: options.log,
      edges: async (nodeId) => {
        const row = await nodeById(options.db.kysely, nodeId)
        return options.edges(row ? labelsOf(row) : {})
      },
      panels: () => options.panels(),
      saveFacts: (id, facts) => saveFacts(options.db.kysely, id, JSON.stringify(facts), options.clock.now()),
      up: async (node) => {
        for (const observer of this.#observers) await observer.up?.(node)
      },
      event: async (node, event) => {
        if (this.#live.get(node.id) !== node) return
        for (const observer of this.#observers) await observer.event?.(node, event)
      },
    }
    this.#stopListening = options.changes.on((change) => {
      if (change.of === 'edge') for (const node of this.#live.values()) void node.pushEdges()
      if (change.of === 'node') {
        this.#track(this.#dropIfRemoved(change.id))
        // Its labels may name another region now.
        void this.#live.get(change.id)?.pushEdges()
      }
    })
  }

  /** Ends with the returned function. */
  observe(observer: NodeObserver): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  /** The node as it is linked now, or null while it is away. One that has not said yet what it is counts as away. */
  online(nodeId: string): LiveNode | null {
    const node = this.#live.get(nodeId)
    return node?.facts ? node : null
  }

  /** The same, or `conflict` that names the node. */
  need(node: { id: string; name: string }): LiveNode {
    const live = this.online(node.id)
    if (!live) throw nodeAway(node.name)
    return live
  }

  all(): LiveNode[] {
    return [...this.#live.values()].filter((node) => node.facts)
  }

  /** Every node that is here learns which panels there are. */
  tellPanels(): void {
    for (const node of this.#live.values()) if (node.facts) void node.pushPanels()
  }

  /** Answers the hello of a machine that joins or of a node; throws `LinkError` to refuse. */
  async greet(hello: NodeHello | JoinHello, from: { remoteAddress: string }): Promise<Greeted> {
    return hello.role === 'join' ? this.#join(hello, from) : this.#welcome(hello, from)
  }

  /** Registers a machine and makes its join token. */
  async create(input: NewNode): Promise<{ id: string; joinToken: string }> {
    const { db, clock } = this.#options
    const secret = newSecret('phn')
    const row = {
      ...this.#newRow(input),
      join_hash: hashSecret(secret),
      join_expires_at: clock.now() + joinTokenMs,
    }
    await db.transact(async (trx) => {
      if (await nodeByName(trx, input.name))
        throw conflict(`There is already a node ${input.name}: choose another name, or remove that one first.`)
      await insertNode(trx, row)
    })
    await this.#options.changes.publish({ of: 'node', id: row.id })
    return { id: row.id, joinToken: encodeJoinToken({ panel: this.#options.endpoint(), secret }) }
  }

  /** Changes how servers are placed on it. What is undefined stays. Throws `not_found`. */
  async update(id: string, { maintenance, labels, overAllocation = {} }: NodeChange): Promise<void> {
    const { db, clock, changes } = this.#options
    const { memory, disk, cpu } = overAllocation
    await db.transact(async (trx) => {
      const row = await nodeById(trx, id)
      if (!row) throw notFound(`Node ${id}`)
      await updateNode(trx, id, {
        maintenance_at:
          maintenance === undefined ? row.maintenance_at : maintenance ? (row.maintenance_at ?? clock.now()) : null,
        labels: labels === undefined ? row.labels : JSON.stringify(labels),
        memory_factor: memory === undefined ? row.memory_factor : memory,
        disk_factor: disk === undefined ? row.disk_factor : disk,
        cpu_factor: cpu === undefined ? row.cpu_factor : cpu,
      })
    })
    await changes.publish({ of: 'node', id })
  }

  /** Forgets a node without servers, and ends its link. Servers that wait for it to finish their deletion go with it. */
  async remove(id: string): Promise<void> {
    await this.#options.db.transact(async (trx) => {
      const row = await nodeWithServers(trx, id)
      if (!row) throw notFound(`Node ${id}`)
      if (row.servers > 0)
        throw conflict(
          `Node ${row.name} still has ${row.servers === 1 ? 'a server' : `${row.servers} servers`}: delete them first.`,
        )
      for (const observer of this.#observers) await observer.removed?.(trx, id)
      await removeNode(trx, id)
    })
    await this.#options.changes.publish({ of: 'node', id })
  }

  /**
   * The node in the panel's own process: made on first use, then the same under a new credential each time.
   * @param name what it is called where nobody else is called that
   * @param machine whose it is, where several panels may have such a node; without it the name alone says which
   */
  async localNode(name: string, machine?: LocalMachine): Promise<LocalNode> {
    const credential = newSecret('phnode')
    const hash = hashSecret(credential)
    const node = await this.#options.db.transact(async (trx) => {
      const known = machine ? await this.#nodeOf(trx, machine, name) : await nodeByName(trx, name)
      if (known) {
        await setCredential(trx, known.id, hash, machine?.id ?? known.machine)
        return { nodeId: known.id, name: known.name }
      }
      const row = this.#newRow({ name: machine ? await freeName(trx, [name, machine.hostname]) : name })
      await insertNode(trx, { ...row, credential_hash: hash, machine: machine?.id ?? null })
      return { nodeId: row.id, name: row.name }
    })
    return { ...node, credential: new Secret(credential) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopListening()
    for (const node of this.#live.values()) node.link.close('The panel is stopping.')
    await Promise.allSettled([...this.#running])
  }

  async #join(hello: JoinHello, from: { remoteAddress: string }): Promise<Greeted> {
    const { db, clock, log, changes } = this.#options
    const credential = newSecret('phnode')
    const row = await takeJoin(db.kysely, hashSecret(hello.secret), hashSecret(credential), clock.now())
    if (!row)
      throw new LinkError(
        'unauthorized',
        'This join token has been used, has expired, or is not of this panel: make a new one there.',
      )
    log.info({ node: row.name, from: from.remoteAddress }, 'machine joined')
    await changes.publish({ of: 'node', id: row.id })
    return {
      welcome: { nodeId: row.id, credential } satisfies JoinWelcome,
      events: nothingOpened,
      opened: (link) => {
        const timer = setTimeout(() => link.close('You have joined: come back as a node.'), joinLingerMs)
        void link.closed.then(() => clearTimeout(timer))
      },
    }
  }

  async #welcome(hello: NodeHello, from: { remoteAddress: string }): Promise<Greeted> {
    const presented = hashSecret(hello.credential)
    const row = await nodeByCredential(this.#options.db.kysely, presented)
    if (!row?.credential_hash || !sameSecret(row.credential_hash, presented))
      throw new LinkError(
        'unauthorized',
        'This panel does not know the node: it was removed, or its credential replaced. Join again.',
      )
    const protocol = commonProtocol(hello.protocol, nodeProtocols)
    if (typeof protocol === 'object') throw new LinkError('refused', protocol.refused)
    return {
      // A node that named no protocol knows of none.
      welcome: { nodeId: row.id, name: row.name, ...(hello.protocol ? { protocol } : {}) },
      events: nothingOpened,
      opened: (link) => this.#track(this.#serve(row, link, protocol, from)),
    }
  }

  /** A newer link takes the place at once: the older one may be half open, and its end is then late news. */
  async #serve(row: NodeRow, link: Link, protocol: number, from: { remoteAddress: string }): Promise<void> {
    const { log, db, clock } = this.#options
    const node = new LiveNode({ ...row, protocol }, link, this.#world)
    const older = this.#live.get(row.id)
    this.#live.set(row.id, node)
    older?.link.close('The node came back over a newer link.')
    log.info({ node: row.name, from: from.remoteAddress }, 'node is here')
    await Promise.all([node.run(), link.closed])
    if (this.#live.get(row.id) !== node) return
    this.#live.delete(row.id)
    const end = await link.closed
    log.info({ node: row.name, code: end.code, reason: end.reason }, 'node is away')
    for (const observer of this.#observers) observer.down?.(node)
    await saveSeen(db.kysely, row.id, clock.now())
  }

  async #dropIfRemoved(id: string): Promise<void> {
    const live = this.#live.get(id)
    if (live && !(await nodeById(this.#options.db.kysely, id)))
      live.link.close('This node has been removed from the panel.')
  }

  /** The node that a machine has had before, or one of the time before machines were told apart. */
  async #nodeOf(trx: Transaction<Tables>, { id, hostname }: LocalMachine, name: string): Promise<NodeRow | undefined> {
    const own = await nodeByMachine(trx, id)
    if (own) return own
    const named = await nodeByName(trx, name)
    if (!named || named.join_hash !== null) return undefined
    // The file of an SQLite database lies in the machine's own data folder: no other machine has it.
    if (this.#options.db.dialect === 'sqlite') return named
    const facts = factsOf(named)
    return named.machine === null && (facts === null || facts.hostname === hostname) ? named : undefined
  }

  #newRow(input: NewNode): Insertable<NodeRow> & { id: string } {
    const ports = input.ports ?? this.#options.ports
    return {
      id: newId('node'),
      name: input.name,
      credential_hash: null,
      join_hash: null,
      join_expires_at: null,
      public_address: input.publicAddress ?? null,
      port_first: ports.first,
      port_last: ports.last,
      facts: null,
      labels: JSON.stringify(input.labels ?? {}),
      maintenance_at: null,
      memory_factor: 1,
      disk_factor: null,
      cpu_factor: null,
      last_seen_at: null,
      created_at: this.#options.clock.now(),
    }
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'work for a node failed'))
      .finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }
}

/** The first of these that no node is called, else the last with a number behind it. */
async function freeName(trx: Transaction<Tables>, wanted: readonly [string, string]): Promise<string> {
  const [first, host] = wanted
  if (!(await nodeByName(trx, first))) return first
  const base = host.replace(/[^A-Za-z0-9.-]/g, '').slice(0, hostnameCharsMax) || first
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`
    if (!(await nodeByName(trx, name))) return name
  }
}

/** What of a machine's own name becomes its node's: a number fits behind it. */
const hostnameCharsMax = 63

/** A node has nothing to ask of the panel by streams. */
const nothingOpened: LinkEvents = {
  onStream: (stream) => {
    stream.destroy(new LinkError('refused', 'A node opens no streams to the panel.'))
  },
}
