import type { Change, Changes, Database } from '../db/index.ts'
import { type AllocationWithTunnel, allocationsOf } from '../network/index.ts'
import { detailsMax } from './limits.ts'
import { variablesOf } from './spec.ts'
import type { ServerStates } from './states.ts'
import { type ServerDetail, serverDetail } from './store.ts'

export interface Described {
  row: ServerDetail
  allocations: AllocationWithTunnel[]
  variables: Record<string, string>
}

/**
 * What replies show of servers, remembered: looking at one server is what clients do most. Each entry goes the moment a
 * `Change` says that something in it is no longer so. What a node says publishes no change, so an entry counts only while the
 * node's own word is there to be shown instead.
 */
export class ServerDetails implements Disposable {
  readonly #db: Database
  readonly #changes: Changes
  readonly #states: ServerStates
  readonly #kept = new Map<string, Described>()
  readonly #stops: (() => void)[]
  /** Counts what was forgotten: a read that began before that is not kept. */
  #forgotten = 0

  constructor({ db, changes, states }: { db: Database; changes: Changes; states: ServerStates }) {
    this.#db = db
    this.#changes = changes
    this.#states = states
    this.#stops = [
      changes.on((change) => this.#onChange(change)),
      changes.gap.on(() => {
        this.#forgotten += 1
        this.#kept.clear()
      }),
    ]
  }

  /** Null where there is no such server, or it is being deleted. */
  of(id: string): Described | Promise<Described | null> {
    const kept = this.#kept.get(id)
    if (kept && this.#changes.complete && this.#states.of(kept.row.node_id, id)) return kept
    return this.#read(id)
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop()
  }

  async #read(id: string): Promise<Described | null> {
    const began = this.#forgotten
    const [row, allocations] = await Promise.all([
      serverDetail(this.#db.kysely, id),
      allocationsOf(this.#db.kysely, [id]),
    ])
    if (!row || row.deleted_at !== null) return null
    const described = { row, allocations, variables: variablesOf(row) }
    if (began === this.#forgotten && this.#changes.complete) this.#keep(id, described)
    return described
  }

  #keep(id: string, described: Described): void {
    this.#kept.delete(id)
    this.#kept.set(id, described)
    const oldest = this.#kept.keys().next()
    if (this.#kept.size > detailsMax && !oldest.done) this.#kept.delete(oldest.value)
  }

  #onChange(change: Change): void {
    const stale = staleBy(change)
    if (!stale) return
    this.#forgotten += 1
    if (change.of === 'server') this.#kept.delete(change.id)
    else for (const [id, described] of this.#kept) if (stale(described)) this.#kept.delete(id)
  }
}

/** Which entries a change makes untrue; null for one that makes none. */
function staleBy(change: Change): ((described: Described) => boolean) | null {
  switch (change.of) {
    case 'server':
      return ({ row }) => row.id === change.id
    case 'node':
      return ({ row }) => row.node_id === change.id
    case 'workspace':
      return ({ row }) => row.workspace_id === change.id
    case 'user':
      return ({ row }) => row.owner_id === change.id
    case 'tunnel':
      return ({ row, allocations }) =>
        allocations.some(({ tunnel }) => (tunnel ? tunnel.id === change.id : row.public_address === null))
    case 'member':
    case 'log-level':
    case 'subuser':
    case 'token':
    case 'session':
    case 'edge':
      return null
  }
}
