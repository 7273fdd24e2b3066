import { EdgeHello, type OpenTunnel } from '../../contract/edge.ts'
import type { Log } from '../../lib/log.ts'
import type { Changes, Database, EdgeRow } from '../db/index.ts'
import { listEdges } from './store.ts'

/** What an edge says of itself, without what proves it. */
export type EdgeFacts = Omit<EdgeHello, 'credential' | 'draining'>

export interface KnownEdge {
  readonly id: string
  readonly name: string
  /** Null until it has linked for the first time. */
  readonly facts: EdgeFacts | null
  readonly lastSeenAt: number | null
}

/** An edge whose link to this panel is up. */
export interface ConnectedEdge {
  readonly id: string
  readonly name: string
  readonly facts: EdgeFacts
  /** Where tunnels are open on it, as it last told. */
  readonly open: Map<string, OpenTunnel>
  /** It ends soon: nobody new is sent there. */
  draining: boolean
}

export interface ListedEdge {
  readonly id: string
  readonly facts: EdgeFacts
  readonly online: boolean
}

/** Which edges there are, and which are here now. Answers from memory. */
export interface EdgeDirectory extends Disposable {
  connected(): ConnectedEdge[]
  known(): readonly KnownEdge[]
  /** Where agents link to: every edge that has ever linked and does not end now, in the order in which they were made. */
  listed(): ListedEdge[]
  /** Of every edge that has ever linked: those where the tunnel is open, then connected ones, then the one seen last. */
  reaches(tunnelId?: string): EdgeFacts[]
  /** The first of them; null before the first link. */
  reach(): EdgeFacts | null
  add(edge: ConnectedEdge): void
  /** Does nothing when a newer link of the edge has taken its place. */
  remove(edge: ConnectedEdge): void
  /** Reads again who there is. */
  refresh(): Promise<void>
}

export async function openEdgeDirectory(options: {
  database: Database
  changes: Changes
  log: Log
}): Promise<EdgeDirectory> {
  const { database, changes, log } = options
  const connected = new Map<string, ConnectedEdge>()
  let known: KnownEdge[] = []
  let [asked, heard] = [0, 0]
  const refresh = async (): Promise<void> => {
    const mine = ++asked
    const rows = await listEdges(database.kysely)
    // Two that overlap may answer in either order; the one that asked later knows more.
    if (mine < heard) return
    heard = mine
    known = rows.map(knownEdge)
  }
  const refreshLater = (): void => {
    refresh().catch((error: unknown) => log.warn({ error }, 'the list of edges could not be read again'))
  }
  await refresh()
  const stops = [
    changes.on((change) => {
      if (change.of === 'edge') refreshLater()
    }),
    changes.gap.on(refreshLater),
  ]
  const reaches = (tunnelId?: string): EdgeFacts[] => {
    const isOpen = ({ open }: ConnectedEdge): boolean => tunnelId !== undefined && open.has(tunnelId)
    const here = [...connected.values()].sort((left, right) => Number(isOpen(right)) - Number(isOpen(left)))
    const away = known
      .filter(({ id, facts }) => facts !== null && !connected.has(id))
      .sort((left, right) => (right.lastSeenAt ?? 0) - (left.lastSeenAt ?? 0))
    return [...here.map(({ facts }) => facts), ...away.flatMap(({ facts }) => (facts ? [facts] : []))]
  }
  return {
    connected: () => [...connected.values()],
    known: () => known,
    listed: () =>
      known.flatMap(({ id, facts }) => {
        const here = connected.get(id)
        const current = here?.facts ?? facts
        return current === null || here?.draining ? [] : [{ id, facts: current, online: here !== undefined }]
      }),
    reaches,
    reach: () => reaches()[0] ?? null,
    add: (edge) => void connected.set(edge.id, edge),
    remove(edge) {
      if (connected.get(edge.id) === edge) connected.delete(edge.id)
    },
    refresh,
    [Symbol.dispose]() {
      for (const stop of stops) stop()
    },
  }
}

export const EdgeFactsSchema = EdgeHello.omit({ credential: true, draining: true })

/** What the database knows of an edge. */
export function knownEdge({ id, name, hello, last_seen_at }: EdgeRow): KnownEdge {
  // Written by an older version it may not fit any more: the edge tells it again when it links.
  const facts = hello === null ? null : (EdgeFactsSchema.safeParse(JSON.parse(hello)).data ?? null)
  return { id, name, facts, lastSeenAt: last_seen_at }
}
