import { conflict, forbidden, invalidRequest } from '../../contract/errors.ts'
import { isRaw, type RawRequest, type TunnelRequest } from '../../contract/tunnel.ts'
import { newId } from '../../lib/ids.ts'
import type { Store, TunnelRow } from '../db/index.ts'
import { type EdgeReach, labelOf } from './names.ts'
import { formerPort, freeRun, holdPorts, mayHave, type PortRun } from './port-store.ts'
import { countOwnTunnels, insertTunnel, tunnelNamed, updateTunnel } from './store.ts'

/** Names one workspace may keep unless its plan says otherwise, besides its servers' ports: each holds a host name or ports on every edge. */
export const ownTunnelsMax = 100

/** Servers of one name in one workspace, before the search for a free label gives up. */
const namesakesMax = 1000

type Named = Exclude<TunnelRequest, { kind: 'allocation' }>

/** The part of an edge's reach that reservations depend on. */
type Ports = Pick<EdgeReach, 'ports'>

/**
 * Keeps a name, and for tcp and udp its ports, for a workspace that may keep `most`; asking again gives the same. Inside a transaction: of two that
 * want one port, one gets `conflict`.
 */
export async function reserveNamed(
  trx: Store,
  workspaceId: string,
  request: Named,
  { ports: range, most }: Ports & { most: number },
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
  if (!standing && (await countOwnTunnels(trx, workspaceId)) >= most)
    throw forbidden(`The workspace keeps ${most} tunnels, the most its plan allows. Close one for good.`)
  const run = isRaw(request) ? await runFor(trx, workspaceId, request, known, range, now) : null
  return keep(trx, known, { workspaceId, name, kind, run, entrance: null, allocationId: null }, now)
}

/**
 * Keeps a port for a server's allocation, under its name or that name with a number. `entrance`: players find it by host name, too.
 */
export async function reserveForAllocation(
  trx: Store,
  allocation: AllocationToKeep,
  reaches: readonly Ports[],
  now: number,
): Promise<TunnelRow> {
  const { allocationId, workspaceId, entrance } = allocation
  const run = { port: await firstFreePort(trx, reaches, now), ports: 1 }
  for (let number = 1; number <= namesakesMax; number++) {
    const name = labelOf(allocation.name, number)
    const known = await tunnelNamed(trx, workspaceId, name)
    if (known && known.deleted_at === null) continue
    return keep(trx, known, { workspaceId, name, kind: 'allocation', run, entrance, allocationId }, now)
  }
  throw conflict(`The workspace has ${namesakesMax} tunnels called ${allocation.name}. Choose another name.`)
}

export interface AllocationToKeep {
  allocationId: string
  workspaceId: string
  /** What it would like to be called; a number is added where that is taken. */
  name: string
  entrance: TunnelRow['entrance']
}

async function runFor(
  trx: Store,
  workspaceId: string,
  request: RawRequest,
  known: TunnelRow | undefined,
  range: EdgeReach['ports'],
  now: number,
): Promise<PortRun> {
  const { ports = known?.edge_port === null ? 1 : (known?.port_count ?? 1) } = request
  const claimant = { workspaceId, tunnelId: known?.id ?? null }
  const wanted = request.port ?? known?.edge_port ?? null
  if (wanted === null) {
    const former = known ? await formerPort(trx, known.id) : null
    if (former !== null && fits(range, { port: former, ports }))
      if (await mayHave(trx, { port: former, ports }, claimant, now)) return { port: former, ports }
    const port = await freeRun(trx, range, ports, now)
    if (port === null)
      throw conflict(
        ports === 1
          ? `Every port of this edge (${range.first} to ${range.last}) is taken`
          : `This edge has no ${ports} free ports in a row (${range.first} to ${range.last})`,
      )
    return { port, ports }
  }
  const run = { port: wanted, ports }
  if (!fits(range, run))
    throw invalidRequest('tunnel.port', `${named(run)} not among this edge's ports`, `${range.first} to ${range.last}`)
  if (!(await mayHave(trx, run, claimant, now)))
    throw conflict(`${named(run)} taken. Choose another one, or none to be given one.`)
  return run
}

const fits = (range: EdgeReach['ports'], { port, ports }: PortRun): boolean =>
  port >= range.first && port + ports - 1 <= range.last

const named = ({ port, ports }: PortRun): string =>
  ports === 1 ? `Port ${port} is` : `Of the ports ${port} to ${port + ports - 1} one is`

async function firstFreePort(trx: Store, reaches: readonly Ports[], now: number): Promise<number> {
  for (const { ports } of reaches) {
    const port = await freeRun(trx, ports, 1, now)
    if (port !== null) return port
  }
  throw conflict(
    reaches.length === 0
      ? 'No edge has ever connected, so nobody could reach the port. Start an edge, or give the node a public address.'
      : 'Every port of every edge is taken. Give an edge more ports, or delete a server.',
  )
}

/** Writes what is wanted into the row of that name, or a new one, and its ports beside it. */
async function keep(
  trx: Store,
  known: TunnelRow | undefined,
  given: {
    workspaceId: string
    name: string
    kind: TunnelRow['kind']
    run: PortRun | null
    entrance: TunnelRow['entrance']
    allocationId: string | null
  },
  now: number,
): Promise<TunnelRow> {
  const { workspaceId, name, kind, run, entrance, allocationId } = given
  const change = {
    kind,
    edge_port: run?.port ?? null,
    port_count: run?.ports ?? 1,
    entrance,
    allocation_id: allocationId,
    created_at: known && known.deleted_at === null ? known.created_at : now,
    deleted_at: null,
  }
  const row: TunnelRow = { id: known?.id ?? newId('tun'), workspace_id: workspaceId, name, ...change }
  if (known && same(known, row)) return known
  if (known) await updateTunnel(trx, known.id, change)
  else await insertTunnel(trx, row)
  if (run) await holdPorts(trx, { workspaceId, tunnelId: row.id }, run, now)
  return row
}

const same = (left: TunnelRow, right: TunnelRow): boolean =>
  left.deleted_at === right.deleted_at &&
  left.edge_port === right.edge_port &&
  left.port_count === right.port_count &&
  left.kind === right.kind
