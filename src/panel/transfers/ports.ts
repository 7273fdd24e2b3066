import { conflict } from '../../contract/errors.ts'
import type { NodeRow, ServerRow, Store } from '../db/index.ts'
import { allocationsOf, freePorts, moveAllocation, portsTaken } from '../network/index.ts'
import { answerOf, type LiveNode, labelsOf } from '../nodes/index.ts'
import type { Tunnels } from '../tunnels/index.ts'
import { portsAskedMax } from './limits.ts'

/**
 * The ports of the target that a server can have: those that it has now where nobody has them there, then others of the node's range, all of which no
 * other program of the machine uses. Throws `conflict` where there are too few.
 */
export async function offeredPorts(
  db: Store,
  row: Pick<ServerRow, 'id' | 'name'>,
  target: NodeRow,
  live: LiveNode,
  protocols: readonly ('tcp' | 'udp')[],
): Promise<number[]> {
  const had = (await allocationsOf(db, [row.id])).map(({ port }) => port)
  const free = freePorts({ first: target.port_first, last: target.port_last }, await portsTaken(db, target.id))
  const same = had.filter((port) => free.includes(port))
  const asked = [...same, ...free.filter((port) => !same.includes(port))].slice(0, portsAskedMax)
  const answer = await answerOf(live.name, live.client.freePorts({ body: { ports: asked, protocols: [...protocols] } }))
  const usable = asked.filter((port) => answer.free.includes(port))
  if (usable.length < had.length)
    throw conflict(
      `Node ${target.name} has ${usable.length} free ports (${target.port_first} to ${target.port_last}) and ${row.name} needs ${had.length}: give it more ports, or take some away.`,
    )
  return usable
}

/** Moves the server's ports, inside the transaction that hands it over. Host names and ports on edges stay. Returns the tunnels that changed. */
export async function moveAllocations(
  trx: Store,
  row: Pick<ServerRow, 'id' | 'workspace_id'>,
  target: NodeRow,
  offered: readonly number[],
  tunnels: Pick<Tunnels, 'forAllocation' | 'dropForAllocation'>,
): Promise<string[]> {
  const changed: string[] = []
  const taken = await portsTaken(trx, target.id)
  const allocations = await allocationsOf(trx, [row.id])
  const left = new Set(offered.filter((port) => !taken.has(port)))
  // Each that can keeps its number before the others choose.
  const ports = new Map(allocations.filter(({ port }) => left.delete(port)).map(({ id, port }) => [id, port]))
  for (const { id, tunnel } of allocations) {
    const [next] = left
    const port = ports.get(id) ?? next
    if (port === undefined) throw conflict(`Others took the free ports of node ${target.name}: try again.`)
    left.delete(port)
    await moveAllocation(trx, id, target.id, port)
    if (target.public_address !== null) {
      const dropped = await tunnels.dropForAllocation(trx, id)
      if (dropped) changed.push(dropped)
    } else if (tunnel) changed.push(tunnel.id)
    else {
      const name = `server-${row.id}`
      const made = await tunnels.forAllocation(trx, {
        ...{ allocationId: id, workspaceId: row.workspace_id, name, entrance: null },
        nodeLabels: labelsOf(target),
      })
      changed.push(made.id)
    }
  }
  return changed
}
