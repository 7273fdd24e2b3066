import type { WebhookEventName } from '../../src/contract/api/webhooks.ts'

/** Every event, under what it is about. */
const groupOf: Record<WebhookEventName, EventGroup> = {
  'server.started': 'servers',
  'server.stopped': 'servers',
  'server.crashed': 'servers',
  'server.hung': 'servers',
  'server.install_failed': 'servers',
  'disk.nearly_full': 'servers',
  'backup.completed': 'jobs',
  'backup.failed': 'jobs',
  'schedule.failed': 'jobs',
  'node.away': 'machines',
  'node.back': 'machines',
  'tunnel.up': 'tunnels',
  'tunnel.down': 'tunnels',
  'quota.nearly_used': 'tunnels',
}
export type EventGroup = 'servers' | 'jobs' | 'machines' | 'tunnels'

export const eventGroups: readonly { group: EventGroup; events: readonly WebhookEventName[] }[] = [
  // The keys of an object are text to the compiler; these are the names that its type lists.
  ...Map.groupBy(Object.keys(groupOf) as WebhookEventName[], (event) => groupOf[event]),
].map(([group, events]) => ({ group, events }))

/** What somebody should look at: chosen unless a person chooses otherwise. */
export const troubles: readonly WebhookEventName[] = [
  'server.crashed',
  'server.hung',
  'server.install_failed',
  'disk.nearly_full',
  'backup.failed',
  'schedule.failed',
  'node.away',
  'quota.nearly_used',
]
