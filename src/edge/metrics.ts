import type { Metrics } from '../lib/metrics.ts'
import type { Counters } from './counters.ts'
import type { Openings } from './ingress/openings.ts'
import type { UdpIngress } from './ingress/udp.ts'
import type { Sessions } from './sessions.ts'
import type { Visitors } from './visitors.ts'

/** What an edge counts and measures. Nothing that a visitor or an agent chooses is ever a label. */
export function addEdgeMetrics(
  metrics: Metrics,
  {
    counters,
    openings,
    sessions,
    udp,
    visitors,
    isReady,
  }: {
    counters: Counters
    openings: Openings
    sessions: Sessions
    udp: Pick<UdpIngress, 'dropped'>
    visitors: Visitors
    isReady(): boolean
  },
): void {
  metrics.read('gauge', 'pharos_edge_agents', 'Agents that are linked.', () => sessions.count)
  metrics.read('gauge', 'pharos_edge_tunnels_open', 'Tunnels that are open here.', () => sessions.open().length)
  metrics.read('gauge', 'pharos_edge_visitors', 'Connections of visitors that are served.', () => visitors.count)
  metrics.read(
    'gauge',
    'pharos_edge_openings',
    'Connections that have not said yet what they want.',
    () => openings.count,
  )
  metrics.read('gauge', 'pharos_edge_control_plane_up', 'Whether whoever decides about tunnels can be asked.', () =>
    isReady() ? 1 : 0,
  )
  metrics.read(
    'counter',
    'pharos_edge_visitors_refused_total',
    'Connections that were one too many, of their source or of the edge.',
    () => [
      [{ reason: 'edge' }, visitors.refused.edge],
      [{ reason: 'source' }, visitors.refused.source],
    ],
  )
  metrics.read(
    'counter',
    'pharos_edge_datagrams_dropped_total',
    'Datagrams of tunnels that were lost at this edge, by why.',
    () => [
      ...Object.entries(udp.dropped).map(([reason, count]) => [{ reason }, count] as const),
      [{ reason: 'link' }, sessions.datagramsDropped] as const,
    ],
  )
  metrics.read('counter', 'pharos_edge_bytes_total', 'Bytes through tunnels.', () => {
    const { bytesIn, bytesOut } = counters.totals()
    return [
      [{ direction: 'in' }, bytesIn],
      [{ direction: 'out' }, bytesOut],
    ]
  })
  metrics.read(
    'counter',
    'pharos_edge_connections_total',
    'Connections of visitors.',
    () => counters.totals().connections,
  )
  metrics.read('counter', 'pharos_edge_requests_total', 'HTTP requests of visitors.', () => counters.totals().requests)
}
