import { apiPrefix } from '../contract/api/index.ts'
import type { Declared } from '../contract/operation.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { EdgeDirectory } from './edges/index.ts'
import type { Nodes } from './nodes/index.ts'
import type { Servers } from './servers/index.ts'
import type { Webhooks } from './webhooks/index.ts'

/** What the database and the API are told to count, before there is anything else of the panel. */
export function countRequests(metrics: Metrics, declared: Readonly<Record<string, Declared>>) {
  // As the router writes the paths.
  const names = new Map(
    Object.entries(declared).map(([name, { method, path }]) => [
      `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
      name,
    ]),
  )
  const requests = metrics.counter(
    'pharos_panel_requests_total',
    `Requests under ${apiPrefix}, by operation and status.`,
  )
  const times = metrics.histogram(
    'pharos_panel_request_duration_seconds',
    'From a request’s head to the end of its reply.',
  )
  const queries = metrics.histogram('pharos_panel_database_query_seconds', 'How long a query took.')
  return {
    queried: (ms: number): void => queries.observe(ms / 1000),
    served({ method, path, status, seconds }: { method: string; path: string; status: number; seconds: number }): void {
      requests.add({ operation: names.get(`${method} ${path}`) ?? 'other', status: String(status) })
      times.observe(seconds)
    },
  }
}

/** What is read of the panel's parts when somebody asks. Names of people, servers and workspaces are never labels. */
export function addPanelMetrics(
  metrics: Metrics,
  {
    nodes,
    directory,
    servers,
    webhooks,
  }: { nodes: Nodes; directory: EdgeDirectory; servers: Servers; webhooks: Webhooks },
): Disposable {
  metrics.read('gauge', 'pharos_panel_nodes_linked', 'Nodes that are linked to this panel.', () => nodes.all().length)
  metrics.read('gauge', 'pharos_panel_edges', 'Edges, by whether they are linked to this panel.', () => {
    const linked = directory.connected().length
    return [
      [{ state: 'linked' }, linked],
      [{ state: 'away' }, Math.max(0, directory.known().length - linked)],
    ]
  })
  metrics.read('gauge', 'pharos_panel_tunnels_open', 'Tunnels that are open on linked edges.', () => {
    const open = new Set(directory.connected().flatMap((edge) => [...edge.open.keys()]))
    return open.size
  })
  metrics.read('gauge', 'pharos_panel_servers', 'Servers of linked nodes, by status.', () =>
    [...servers.world.states.counts().statuses].map(([status, count]) => [{ status }, count] as const),
  )
  metrics.read(
    'gauge',
    'pharos_panel_players',
    'Players on the games that say how many there are.',
    () => servers.world.states.counts().players,
  )
  metrics.read('counter', 'pharos_panel_webhook_attempts_total', 'Attempts to deliver to webhooks, by result.', () => {
    const { delivered, failed } = webhooks.deliverer.attempts
    return [
      [{ result: 'delivered' }, delivered],
      [{ result: 'failed' }, failed],
    ]
  })
  const backups = metrics.counter('pharos_panel_backups_total', 'Backups that have ended, by result.')
  const stop = servers.news.on((news) => {
    if (news.type === 'backup' && (news.state === 'ready' || news.state === 'failed'))
      backups.add({ result: news.state })
  })
  return { [Symbol.dispose]: stop }
}
