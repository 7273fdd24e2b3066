import type { nodeAdminOperations } from '../../contract/api/nodes.ts'
import { notFound } from '../../contract/errors.ts'
import { featureWords, type NodeFeature } from '../../contract/node-protocol.ts'
import type { Handlers } from '../../contract/operation.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import { capacityOf, factsOf, labelsOf } from './capacity.ts'
import type { LiveNode } from './live.ts'
import type { Nodes } from './nodes.ts'
import { listNodes, type NodeWithServers, nodeWithServers } from './store.ts'

export function nodeHandlers({
  db,
  nodes,
  clock,
}: {
  db: Database
  nodes: Nodes
  clock: Clock
}): Handlers<typeof nodeAdminOperations, PanelContexts> {
  const view = (row: NodeWithServers) => {
    const live = nodes.online(row.id)
    const facts = live?.facts ?? factsOf(row)
    const lastSeen = live ? clock.now() : row.last_seen_at
    return {
      id: row.id,
      name: row.name,
      online: live !== null,
      lastSeen: lastSeen === null ? null : isoTime(lastSeen),
      version: facts?.version ?? null,
      hostname: facts?.hostname ?? null,
      cpuCores: facts?.cpuCores ?? null,
      memoryBytes: facts?.memoryBytes ?? null,
      diskFreeBytes: facts?.diskFreeBytes ?? null,
      capabilities: facts?.capabilities ?? null,
      tooOldFor: live ? featuresBeyond(live) : [],
      publicAddress: row.public_address,
      ports: { first: row.port_first, last: row.port_last },
      servers: row.servers,
      labels: labelsOf(row),
      maintenance: row.maintenance_at !== null,
      overAllocation: { memory: row.memory_factor, disk: row.disk_factor, cpu: row.cpu_factor },
      allocated: { memory: row.memory, disk: Number(row.disk), cpu: row.cpu },
      capacity: facts && capacityOf(facts),
      createdAt: isoTime(row.created_at),
    }
  }
  const viewOf = async (id: string) => {
    const row = await nodeWithServers(db.kysely, id)
    if (!row) throw notFound(`Node ${id}`)
    return view(row)
  }
  return {
    nodes: async () => ({ nodes: (await listNodes(db.kysely)).map(view) }),
    node: ({ params }) => viewOf(params.node),
    createNode: async ({ body }) => {
      const { id, joinToken } = await nodes.create(body)
      return { node: await viewOf(id), joinToken, command: `echo ${joinToken} | pharos node join` }
    },
    updateNode: async ({ params, body }) => {
      await nodes.update(params.node, body)
      return viewOf(params.node)
    },
    deleteNode: async ({ params }) => {
      await nodes.remove(params.node)
      return { id: params.node, removed: true }
    },
  }
}

/** What it is too old for, in words. */
const featuresBeyond = (node: LiveNode): string[] =>
  // `Object.keys` of a record has its keys.
  (Object.keys(featureWords) as NodeFeature[])
    .filter((feature) => !node.knows(feature))
    .map((feature) => featureWords[feature])
