import { type AgentIdentity, namesAreKnown, type TunnelGrant } from '../../contract/edge.ts'
import { conflict, forbidden, notFound, unauthorized } from '../../contract/errors.ts'
import type { Labels } from '../../contract/placement.ts'
import type { TunnelRequest } from '../../contract/tunnel.ts'
import type { GrantedCertificate } from '../../contract/tunnel-settings.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Access, WorkspaceMembership } from '../access/index.ts'
import type { Changes, Database, Store, TunnelRow } from '../db/index.ts'
import type { Plans } from '../plans/index.ts'
import { type EdgeReach, entrancesOf, hostsOf, minecraftPortDefault, urlOf } from './names.ts'
import { giveUpPorts } from './port-store.ts'
import { edgesFor } from './region.ts'
import { type AllocationToKeep, ownTunnelsMax, reserveForAllocation, reserveNamed } from './reserve.ts'
import { grantedSettings, type SettingsParts, saveSettings } from './settings.ts'
import {
  allocationOfNode,
  listTunnels,
  noteEdge,
  ownTunnel,
  swapNames,
  tunnelById,
  tunnelOfAllocation,
  updateTunnel,
} from './store.ts'
import { suspendedNow } from './suspension.ts'
import { understoodSettings } from './understood.ts'

export interface Tunnels {
  /**
   * Keeps a port on the edges that a node with these labels links to, for a server's allocation. Throws `conflict` when no edge is known or none has a free port. Publish
   * `{of: 'tunnel'}` after the commit.
   */
  forAllocation(trx: Store, allocation: AllocationToKeep & { nodeLabels: Labels }): Promise<TunnelRow>
  /** Gives that port up. Idempotent. Publish `{of: 'tunnel'}` with the returned id after the commit: the edges then close it. */
  dropForAllocation(trx: Store, allocationId: string): Promise<string | null>
  /**
   * The host name by which players find a server leads to its other port from now on; each port stays as it is. Publish `{of: 'tunnel'}` with
   * the returned ids after the commit: the edges then follow.
   */
  moveName(trx: Store, fromAllocationId: string, toAllocationId: string): Promise<string[]>
  ofAllocation(store: Store, allocationId: string): Promise<TunnelRow | null>
  /**
   * What players of a server connect to: the host name where its game is found by that, else the port on an edge. Null while no edge is
   * known that has the port.
   */
  addressOf(tunnel: TunnelRow & { slug: string }): { host: string; port: number } | null
  /** Where visitors find it, in the forms that people paste, the preferred one first; at least one. */
  addressesOf(tunnel: TunnelRow, slug: string): [string, ...string[]]
  /** Whether `agent` may open `request` on this edge; keeps the name and the ports for its workspace, and remembers the edge. */
  claim(agent: AgentIdentity, request: TunnelRequest, edge: ClaimingEdge): Promise<TunnelGrant>
  /** The workspace's tunnels, with the server whose port each carries. */
  list(workspaceId: string): Promise<(TunnelRow & { server_id: string | null })[]>
  /** One of them. Throws `not_found`. */
  own(workspaceId: string, idOrName: string): Promise<TunnelRow & { server_id: string | null }>
  /** Closes a tunnel, gives up its name and port, and resolves to its id. Throws `not_found`, and `conflict` for a server's port. */
  remove(workspace: WorkspaceMembership, idOrName: string): Promise<string>
  /** False once it has been given up. */
  stands(tunnelId: string): Promise<boolean>
}

/** Who asks for a tunnel. */
export interface ClaimingEdge {
  id: string
  facts: EdgeReach
}

export interface TunnelsOptions {
  database: Database
  changes: Changes
  clock: Clock
  access: Pick<Access, 'identifyKeyId'>
  plans: Pick<Plans, 'limitsOf' | 'tunnelsMax'>
  settings: SettingsParts
  /** The domains of the workspace's own that lead to a tunnel, with their certificates. */
  domains(store: Store, tunnelId: string): Promise<{ hosts: string[]; certificates: GrantedCertificate[] }>
  /** Of every edge that is known: those where the tunnel is open, then connected ones, then the one seen last. */
  reaches(tunnelId?: string): EdgeReach[]
}

export function createTunnels(options: TunnelsOptions): Tunnels {
  const { database, changes, clock, access, plans, reaches } = options
  /** The first edge that can serve the tunnel. */
  const reachFor = ({ id, edge_port: port }: TunnelRow): EdgeReach | undefined =>
    reaches(id).find(({ ports }) => port === null || (ports.first <= port && port <= ports.last))
  const granted = async ({ id: edgeId, facts }: ClaimingEdge, grant: TunnelGrant): Promise<TunnelGrant> => {
    await noteEdge(database.kysely, edgeId, grant.tunnelId)
    const limits = (await plans.limitsOf(database.kysely, [grant.workspaceId])).get(grant.workspaceId)
    const { hosts, certificates } = await options.domains(database.kysely, grant.tunnelId)
    const settings = {
      ...(await grantedSettings(database.kysely, options.settings, grant.tunnelId)),
      ...(certificates.length > 0 && { certificates }),
    }
    const understood = understoodSettings(facts, grant.name, settings, limits)
    return {
      ...withHosts(grant, hosts),
      ...(limits && { limits }),
      ...(Object.keys(understood).length > 0 && { settings: understood }),
    }
  }
  return {
    addressOf(tunnel) {
      const { edge_port: port, entrance } = tunnel
      const reach = reachFor(tunnel)
      if (port === null || !reach) return null
      if (entrance === 'minecraft' && reach.minecraftPort !== null && namesAreKnown(reach))
        return { host: hostsOf(tunnel.name, tunnel.slug, reach.base)[0], port: reach.minecraftPort }
      return { host: reach.host, port }
    },
    forAllocation: (trx, { nodeLabels, ...allocation }) =>
      reserveForAllocation(
        trx,
        allocation,
        edgesFor(nodeLabels, reaches(), ({ region }) => region),
        clock.now(),
      ),
    async dropForAllocation(trx, allocationId) {
      const tunnel = await tunnelOfAllocation(trx, allocationId)
      if (tunnel) await giveUp(trx, tunnel, clock.now())
      return tunnel?.id ?? null
    },
    async moveName(trx, fromAllocationId, toAllocationId) {
      const [from, to] = [
        await tunnelOfAllocation(trx, fromAllocationId),
        await tunnelOfAllocation(trx, toAllocationId),
      ]
      if (!from || !to || from.entrance === null) return []
      await swapNames(trx, from, to)
      return [from.id, to.id]
    },
    async ofAllocation(store, allocationId) {
      return (await tunnelOfAllocation(store, allocationId)) ?? null
    },
    addressesOf(tunnel, slug) {
      const reach = reachFor(tunnel) ?? reaches(tunnel.id)[0] ?? beforeFirstEdge
      const [first, ...others] = entrancesOf(tunnel, slug, reach).map((entrance) => urlOf(entrance, reach))
      if (first === undefined) throw new Error(`tunnel ${tunnel.id} has no entrance`)
      return [first, ...others]
    },
    async claim(agent, request, edge) {
      const reach = edge.facts
      if (agent.kind === 'node') {
        if (request.kind !== 'allocation')
          throw forbidden("A node opens its servers' ports, nothing else. Use an API key.")
        return granted(edge, await claimAllocation(database.kysely, agent.nodeId, request.allocation, reach))
      }
      if (request.kind === 'allocation') throw forbidden("A server's port is opened by its node, not with an API key")
      // What the edge says of the agent may be old, or wrong: the key itself decides.
      const key = await access.identifyKeyId(agent.keyId)
      if (!key || key.workspaceId !== agent.workspaceId) throw unauthorized('The key is not valid any more')
      if (key.suspended) throw suspendedNow(key.slug)
      const row = await database.transact(async (trx) => {
        const most = (await plans.tunnelsMax(trx, key.workspaceId)) ?? ownTunnelsMax
        return reserveNamed(trx, key.workspaceId, request, { ports: reach.ports, most }, clock.now())
      })
      return granted(edge, grantOf(row, key.slug, reach))
    },
    list: (workspaceId) => listTunnels(database.kysely, workspaceId),
    async own(workspaceId, idOrName) {
      const row = await ownTunnel(database.kysely, workspaceId, idOrName)
      if (!row) throw notFound(`Tunnel ${idOrName}`)
      return row
    },
    async remove(workspace, idOrName) {
      const { id } = await database.transact(async (trx) => {
        const tunnel = await ownTunnel(trx, workspace.id, idOrName)
        if (!tunnel) throw notFound(`Tunnel ${idOrName}`)
        if (tunnel.allocation_id !== null)
          throw conflict(`Tunnel ${tunnel.name} carries the port of a server. Remove the port from the server instead.`)
        await giveUp(trx, tunnel, clock.now())
        return tunnel
      })
      await changes.publish({ of: 'tunnel', id })
      return id
    },
    async stands(tunnelId) {
      const tunnel = await tunnelById(database.kysely, tunnelId)
      return tunnel !== undefined && tunnel.deleted_at === null
    },
  }
}

async function giveUp(trx: Store, tunnel: TunnelRow, now: number): Promise<void> {
  await updateTunnel(trx, tunnel.id, { deleted_at: now, edge_port: null, allocation_id: null })
  await giveUpPorts(trx, tunnel.id, now)
  // Whoever opens that name again has not asked for requests to be kept.
  await saveSettings(trx, tunnel.id, 'capture', null, now)
}

/** One answer for an allocation that is missing, foreign, or of another node. */
async function claimAllocation(
  store: Store,
  nodeId: string,
  allocationId: string,
  reach: EdgeReach,
): Promise<TunnelGrant> {
  const allocation = await allocationOfNode(store, allocationId, nodeId)
  const tunnel = allocation && (await tunnelOfAllocation(store, allocationId))
  if (!allocation || !tunnel) throw notFound(`Allocation ${allocationId}`)
  if (allocation.suspended_at !== null) throw suspendedNow(allocation.slug)
  const { first, last } = reach.ports
  if (tunnel.edge_port === null || tunnel.edge_port < first || tunnel.edge_port > last)
    throw conflict(`Port ${tunnel.edge_port} is not one of this edge's ports (${first} to ${last})`)
  return grantOf(tunnel, allocation.slug, reach)
}

function grantOf(row: TunnelRow, slug: string, reach: EdgeReach): TunnelGrant {
  const [first, ...others] = entrancesOf(row, slug, reach)
  if (first === undefined) throw new Error(`tunnel ${row.id} has no entrance`)
  return {
    tunnelId: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    entrances: [first, ...others],
    url: urlOf(first, reach),
  }
}

/** Visitors who come by these names find the tunnel as well. */
function withHosts(grant: TunnelGrant, hosts: readonly string[]): TunnelGrant {
  if (hosts.length === 0) return grant
  const entrances = grant.entrances.map((entrance) =>
    'hosts' in entrance ? { ...entrance, hosts: [...entrance.hosts, ...hosts] } : entrance,
  )
  return { ...grant, entrances }
}

/** What addresses look like on a panel that no edge has ever linked to. */
const beforeFirstEdge: EdgeReach = {
  host: 'localhost',
  base: 'localhost',
  scheme: 'http',
  httpPort: 80,
  linkPort: 443,
  minecraftPort: minecraftPortDefault,
  udp: true,
  ports: { first: 1, last: 65_535 },
  region: 'default',
}
