import { z } from 'zod'
import type { ForeignEdgeRow, Store } from '../db/index.ts'
import { type Naming, plainHost, tunnelAt } from './names.ts'
import { type ServedWorkspace, servedBy } from './store.ts'

/** The workspaces that an edge serves: agents have shown it keys of theirs, and nobody has taken the edge from them. */
export class Tenants {
  readonly #naming: Naming
  readonly #served: readonly ServedWorkspace[]
  /** The workspace that has the edge to itself, as an edge must whose host names name none. */
  readonly #only: string | null

  private constructor(edge: ForeignEdgeRow, served: readonly ServedWorkspace[]) {
    const allowed = workspacesOf(edge)
    this.#naming = edge
    this.#served = served.filter(({ id }) => allowed?.includes(id) ?? true)
    this.#only = allowed?.length === 1 ? (allowed[0] ?? null) : null
  }

  static async of(store: Store, edge: ForeignEdgeRow): Promise<Tenants> {
    return new Tenants(edge, await servedBy(store, edge.id))
  }

  bySlug(slug: string): ServedWorkspace | null {
    return this.#served.find((workspace) => workspace.slug === slug) ?? null
  }

  /** Whose tunnel has this host name; null for whatever the edge does not serve. */
  at(host: string): { workspace: ServedWorkspace; tunnel: string; host: string } | null {
    const plain = plainHost(host)
    const named = tunnelAt(this.#naming, plain)
    if (!named) return null
    const workspace = this.#served.find(({ id, slug }) =>
      named.slug === null ? id === this.#only : slug === named.slug,
    )
    return workspace ? { workspace, tunnel: named.name, host: plain } : null
  }
}

/** The ids of the workspaces that alone may use an edge; null for all. */
export const workspacesOf = ({ workspaces }: Pick<ForeignEdgeRow, 'workspaces'>): string[] | null =>
  workspaces === null ? null : Ids.parse(JSON.parse(workspaces))

const Ids = z.array(z.string())
