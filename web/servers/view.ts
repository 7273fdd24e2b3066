import { useSyncExternalStore } from 'react'
import { type ServerListItem, shortId } from './queries.ts'

export const sortings = ['name', 'status', 'template', 'memory', 'newest'] as const
export const groupings = ['none', 'folder', 'template', 'status'] as const

/** How somebody looks at their servers. Kept in this browser alone. */
export interface ServersView {
  sorting: (typeof sortings)[number]
  grouping: (typeof groupings)[number]
  /** Which folder a server is in, by its short id. */
  folders: Readonly<Record<string, string>>
}

export interface ServerGroup {
  /** Null where servers are not grouped, or are in no folder. */
  name: string | null
  servers: readonly ServerListItem[]
}

const key = 'pharos.servers-view'
const usual: ServersView = { sorting: 'name', grouping: 'none', folders: {} }

/** The view, and how it is changed. */
export function useServersView(): [ServersView, (change: Partial<ServersView>) => void] {
  const text = useSyncExternalStore(subscribe, () => localStorage.getItem(key))
  const view = read(text)
  return [
    view,
    (change) => {
      localStorage.setItem(key, JSON.stringify({ ...view, ...change }))
      // Browsers tell the other tabs alone.
      window.dispatchEvent(new StorageEvent('storage', { key }))
    },
  ]
}

/** The servers in order, in the groups of the view; servers in no folder come last. */
export function arrange(servers: readonly ServerListItem[], view: ServersView): ServerGroup[] {
  const sorted = servers.toSorted((left, right) => orders[view.sorting](left, right) || byName(left, right))
  const { grouping } = view
  if (grouping === 'none') return [{ name: null, servers: sorted }]
  const groupOf = (server: ServerListItem): string | null =>
    grouping === 'folder' ? (view.folders[shortId(server.id)] ?? null) : server[grouping]
  return [...Map.groupBy(sorted, groupOf)]
    .map(([name, members]) => ({ name, servers: members }))
    .sort((left, right) => (left.name === null ? 1 : right.name === null ? -1 : left.name.localeCompare(right.name)))
}

type Order = (left: ServerListItem, right: ServerListItem) => number

const byName: Order = (left, right) => left.name.localeCompare(right.name, undefined, { numeric: true })
const orders: Record<ServersView['sorting'], Order> = {
  name: byName,
  status: (left, right) => left.status.localeCompare(right.status),
  template: (left, right) => left.template.localeCompare(right.template),
  memory: (left, right) => right.memory - left.memory,
  newest: (left, right) => right.createdAt.localeCompare(left.createdAt),
}

function subscribe(listener: () => void): () => void {
  const onStorage = (event: StorageEvent): void => {
    if (event.key === key) listener()
  }
  window.addEventListener('storage', onStorage)
  return () => window.removeEventListener('storage', onStorage)
}

/** What an earlier version or a curious person left there may be anything. */
function read(text: string | null): ServersView {
  try {
    const kept = JSON.parse(text ?? '{}') as Partial<ServersView> | null
    return {
      sorting: sortings.find((each) => each === kept?.sorting) ?? usual.sorting,
      grouping: groupings.find((each) => each === kept?.grouping) ?? usual.grouping,
      folders: Object.fromEntries(
        Object.entries(kept?.folders ?? {}).filter(([, folder]) => typeof folder === 'string' && folder !== ''),
      ),
    }
  } catch {
    return usual
  }
}
