import { conflict, forbidden, invalidRequest } from '../../contract/errors.ts'
import type { TunnelRequest } from '../../contract/tunnel.ts'
import { newId } from '../../lib/ids.ts'
import type { Store, TunnelRow } from '../db/index.ts'
import { type EdgeReach, labelOf } from './names.ts'
import { countOwnTunnels, freePort, insertTunnel, tunnelNamed, tunnelOnPort, updateTunnel } from './store.ts'

/** Names one workspace may keep, besides its servers' ports: each holds a host name or a port on every edge. */
export const ownTunnelsMax = 100

/** Servers of one name in one workspace, before the search for a free label gives up. */
const namesakesMax = 1000

type Named = Exclude<TunnelRequest, { kind: 'allocation' }>

/**
 * Keeps a name, and for tcp a port, for a workspace; asking again gives the same. Inside a transaction: of two that want one
 * port, one gets `conflict`.
 */
export async function reserveNamed(
  trx: Store,
  workspaceId: string,
  request: Named,
  { tcpPorts }: Pick<EdgeReach, 'tcpPorts'>,
  now: number,
): Promise<TunnelRow> {
  const { name, kind } = request
  const known = await tunnelNamed(trx, workspaceId, name)
  const standing = known !== undefined && known.deleted_at === null ? known : undefined
  if (standing && standing.allocation_id !== null)
    throw conflict(`The name ${name} belongs to the port of a server. Choose another name.`)
  if (standing && standing.kind !== kind)
    throw conflict(
      `${name} is kept for a tunnel of kind ${standing.kind}. Close that one for good, or choose another name.`,
    )
  if (!standing && (await countOwnTunnels(trx, workspaceId)) >= ownTunnelsMax)
    throw forbidden(`The workspace keeps ${ownTunnelsMax} tunnels, the most it can. Close one for good.`)
  const port = request.kind === 'tcp' ? await portFor(trx, request, known, tcpPorts) : null
  if (standing) {
    if (standing.edge_port !== port) await updateTunnel(trx, standing.id, { edge_port: port })
    return { ...standing, edge_port: port }
  }
  return known
    ? revive(trx, known, { kind, edge_port: port, allocation_id: null, created_at: now })
    : create(trx, { workspaceId, name, kind, port, allocationId: null, now })
}

/** Keeps a port for a server's allocation, under its name or that name with a number. */
export async function reserveForAllocation(
  trx: Store,
  allocation: { allocationId: string; workspaceId: string; name: string },
  reaches: readonly EdgeReach[],
  now: number,
): Promise<TunnelRow> {
  const { allocationId, workspaceId } = allocation
  const port = await firstFreePort(trx, reaches)
  for (let number = 1; number <= namesakesMax; number++) {
    const name = labelOf(allocation.name, number)
    const known = await tunnelNamed(trx, workspaceId, name)
    if (!known) return create(trx, { workspaceId, name, kind: 'tcp', port, allocationId, now })
    if (known.deleted_at !== null)
      return revive(trx, known, { kind: 'tcp', edge_port: port, allocation_id: allocationId, created_at: now })
  }
  throw conflict(`The workspace has ${namesakesMax} tunnels called ${allocation.name}. Choose another name.`)
}

async function portFor(
  trx: Store,
  request: Extract<Named, { kind: 'tcp' }>,
  known: TunnelRow | undefined,
  range: EdgeReach['tcpPorts'],
): Promise<number> {
  const wanted = request.port ?? known?.edge_port ?? null
  if (wanted === null) {
    const port = await freePort(trx, range)
    if (port === null) throw conflict(`Every port of this edge (${range.first} to ${range.last}) is taken`)
    return port
  }
  if (wanted < range.first || wanted > range.last)
    throw invalidRequest('tunnel.port', `${wanted} is not one of this edge's ports`, `${range.first} to ${range.last}`)
  const holder = await tunnelOnPort(trx, wanted)
  if (holder && holder.id !== known?.id)
    throw conflict(`Port ${wanted} is taken. Choose another one, or none to be given one.`)
  return wanted
}

async function firstFreePort(trx: Store, reaches: readonly EdgeReach[]): Promise<number> {
  for (const { tcpPorts } of reaches) {
    const port = await freePort(trx, tcpPorts)
    if (port !== null) return port
  }
  throw conflict(
    reaches.length === 0
      ? 'No edge has ever connected, so nobody could reach the port. Start an edge, or give the node a public address.'
      : 'Every port of every edge is taken. Give an edge more ports, or delete a server.',
  )
}

async function create(
  trx: Store,
  given: {
    workspaceId: string
    name: string
    kind: TunnelRow['kind']
    port: number | null
    allocationId: string | null
    now: number
  },
): Promise<TunnelRow> {
  const row: TunnelRow = {
    id: newId('tun'),
    workspace_id: given.workspaceId,
    name: given.name,
    kind: given.kind,
    edge_port: given.port,
    allocation_id: given.allocationId,
    created_at: given.now,
    deleted_at: null,
  }
  await insertTunnel(trx, row)
  return row
}

async function revive(
  trx: Store,
  row: TunnelRow,
  change: Pick<TunnelRow, 'kind' | 'edge_port' | 'allocation_id' | 'created_at'>,
): Promise<TunnelRow> {
  await updateTunnel(trx, row.id, { ...change, deleted_at: null })
  return { ...row, ...change, deleted_at: null }
}
