import type { Metrics } from '../lib/metrics.ts'
import type { KeptLink } from '../link/index.ts'
import type { Servers } from './supervisor/servers.ts'

/** What a node counts and measures. Names of servers are never labels: there may be hundreds, and people choose them. */
export function addNodeMetrics(
  metrics: Metrics,
  servers: Servers,
  linksNow: () => readonly Pick<KeptLink, 'current'>[],
): void {
  metrics.read('gauge', 'pharos_node_links', 'Links to panels, by whether they are up.', () => {
    const links = linksNow()
    const up = links.filter(({ current }) => current !== null).length
    return [
      [{ state: 'up' }, up],
      [{ state: 'down' }, links.length - up],
    ]
  })
  metrics.read('gauge', 'pharos_node_servers', 'Servers of this machine, by what they do.', () => {
    const phases = new Map<string, number>()
    for (const { phase } of servers.list()) phases.set(phase, (phases.get(phase) ?? 0) + 1)
    return [...phases].map(([phase, count]) => [{ phase }, count] as const)
  })
  metrics.read('gauge', 'pharos_node_players', 'Players on the games that say how many there are.', () =>
    [...servers.players().values()].reduce((sum, { online }) => sum + (online ?? 0), 0),
  )
  metrics.read(
    'counter',
    'pharos_node_console_lines_total',
    'Lines that consoles have printed.',
    () => servers.consoleLines,
  )
  const incidents = metrics.counter('pharos_node_incidents_total', 'Servers that crashed or hung.')
  const states = metrics.counter('pharos_node_state_changes_total', 'What nodes told of the states of servers.')
  servers.events.on((event) => {
    if (event.type === 'incident') incidents.add({ kind: event.incident.kind })
    if (event.type === 'state') states.add({ phase: event.state.phase })
  })
}
