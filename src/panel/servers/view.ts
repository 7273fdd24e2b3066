import type { z } from 'zod'
import type { Server, ServerSummary } from '../../contract/api/servers.ts'
import { ServerState } from '../../contract/node.ts'
import { isoTime } from '../../lib/clock.ts'
import type { ServerRow } from '../db/index.ts'
import { type AllocationWithTunnel, addressText, allocationView, publicAddressOf } from '../network/index.ts'
import type { Described } from './details.ts'
import { liveUsage } from './states.ts'
import { type Status, statusOf } from './status.ts'
import type { ServerDetail } from './store.ts'
import type { ServersWorld } from './world.ts'

type Seen = Pick<ServersWorld, 'nodes' | 'states' | 'tunnels' | 'clock'>

/** What the server's status is now. */
export function statusNow(
  { nodes, states }: Pick<Seen, 'nodes' | 'states'>,
  row: Pick<ServerRow, 'id' | 'node_id' | 'suspended_at' | 'state' | 'transfer_id'> & { node_name: string },
): Status {
  return statusOf({
    suspended: row.suspended_at !== null,
    moving: row.transfer_id === null ? null : states.movingWords(row.id),
    nodeName: row.node_name,
    nodeOnline: nodes.online(row.node_id) !== null,
    state: states.of(row.node_id, row.id),
    reported: row.state !== null,
  })
}

/** One line of a list. */
export function summaryView(
  world: Seen,
  row: ServerDetail,
  allocations: readonly AllocationWithTunnel[],
): z.input<typeof ServerSummary> {
  return {
    id: `servers/${row.id}`,
    name: row.name,
    status: statusNow(world, row).status,
    memory: row.memory,
    disk: row.disk,
    cpu: row.cpu,
    template: row.template,
    address: primaryAddress(world, row, allocations),
    createdAt: isoTime(row.created_at),
  }
}

/** Everything about one server. While its node is away, what the node said last stands in for how it ended. */
export function serverView(world: Seen, { row, allocations, variables }: Described): z.input<typeof Server> {
  const { status, message } = statusNow(world, row)
  const live = world.states.of(row.node_id, row.id)
  const last = live ?? (row.state === null ? null : ServerState.parse(JSON.parse(row.state)))
  const node = world.nodes.online(row.node_id)
  const place = { public_address: row.public_address, hostname: node?.facts?.hostname ?? null }
  return {
    id: `servers/${row.id}`,
    name: row.name,
    status,
    message,
    resources: { memory: row.memory, disk: row.disk, cpu: row.cpu },
    usage: live ? liveUsage(live, world.clock.now(), world.states.playersOf(row.node_id, row.id)) : null,
    lastExit: last?.lastExit ? { ...last.lastExit, at: isoTime(last.lastExit.at) } : null,
    template: row.template,
    variables,
    node: { id: row.node_id, name: row.node_name, online: node !== null, maintenance: row.maintenance_at !== null },
    address: primaryAddress(world, row, allocations),
    allocations: allocations.map((allocation) => allocationView(allocation, place, world.tunnels)),
    workspace: row.workspace_slug,
    owner: row.owner_email,
    restartOnCrash: row.restart_on_crash === 1,
    restartOnHang: row.restart_on_hang === 1,
    wakeOnConnect: { enabled: row.wake_on_connect === 1, idleMinutes: row.idle_minutes },
    runtime: row.runtime,
    image: row.image,
    createdAt: isoTime(row.created_at),
  }
}

function primaryAddress(
  { tunnels }: Pick<Seen, 'tunnels'>,
  row: ServerDetail,
  allocations: readonly AllocationWithTunnel[],
): string | null {
  const primary = allocations.find((allocation) => allocation.primary_port === 1)
  const address = primary ? publicAddressOf(primary, row, tunnels) : null
  return address ? addressText(address) : null
}
