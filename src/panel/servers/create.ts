import type { z } from 'zod'
import type { NewServer } from '../../contract/api/servers.ts'
import { AppError, conflict, type FieldProblem } from '../../contract/errors.ts'
import type { Resources, Template } from '../../contract/template.ts'
import { newId, newShortId } from '../../lib/ids.ts'
import type { Caller, WorkspaceMembership } from '../access/index.ts'
import { isUniqueViolation, type Store } from '../db/index.ts'
import { allocationLimitDefault, insertAllocation, portsTaken } from '../network/index.ts'
import { type LiveNode, nodeAway, nodeById } from '../nodes/index.ts'
import { checkVariables, keepTemplate } from '../templates/index.ts'
import { deleteServer } from './delete.ts'
import { placementAttemptsMax } from './limits.ts'
import { type Candidate, firstFreePort, freeMib, rankNodes } from './placement.ts'
import type { Pusher } from './push.ts'
import { idTaken, insertServer, promisedMemory } from './store.ts'
import type { ServersWorld } from './world.ts'

type Input = z.output<typeof NewServer>

interface Plan {
  input: Input
  template: Template
  resources: Resources
  variables: Record<string, string>
}

/**
 * Places a new server on a node, keeps its port, and has the node begin to install it. Resolves to its id. Where the node
 * does not take it nothing is left behind.
 */
export async function createServer(
  world: ServersWorld,
  pusher: Pusher,
  caller: Caller,
  workspace: WorkspaceMembership,
  input: Input,
): Promise<string> {
  const plan = planOf(world, input)
  const { serverId, tunnelId } = await placed(world, caller, workspace, plan)
  if (tunnelId) await world.changes.publish({ of: 'tunnel', id: tunnelId })
  try {
    await pusher.push(serverId)
  } catch (error) {
    // The spec may have arrived although its answer did not, so the node is told to remove it, now or when it is back.
    await deleteServer(world, pusher, serverId, { wait: false })
    throw error
  }
  await world.changes.publish({ of: 'server', id: serverId })
  return serverId
}

/** Holds the request against the template; throws `invalid_request` with one detail for each thing wrong. */
function planOf({ templates }: Pick<ServersWorld, 'templates'>, input: Input): Plan {
  const template = templates.get(input.template)
  if (!template)
    throw refusal([
      {
        where: 'body.template',
        problem: `there is no template ${JSON.stringify(input.template)}`,
        expected: templates.size > 0 ? `one of ${[...templates.keys()].join(', ')}` : 'a template of this installation',
      },
    ])
  const { values, problems } = checkVariables(template, input.variables ?? {})
  if (problems.length > 0) throw refusal(problems)
  const { memory, disk, cpu } = input.resources ?? {}
  const resources = {
    memory: memory ?? template.resources.memory,
    disk: disk ?? template.resources.disk,
    cpu: cpu ?? template.resources.cpu,
  }
  return { input, template, resources, variables: values }
}

const refusal = (details: FieldProblem[]): AppError =>
  new AppError('invalid_request', details.map(({ where, problem }) => `${where} ${problem}`).join('; '), { details })

/** Two creations that choose the same port at once: one of them chooses again. */
async function placed(world: ServersWorld, caller: Caller, workspace: WorkspaceMembership, plan: Plan) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await world.db.transact((trx) => place(world, trx, caller, workspace, plan))
    } catch (error) {
      if (!isUniqueViolation(error) || attempt === placementAttemptsMax) throw error
    }
  }
}

async function place(
  { nodes, tunnels, clock }: ServersWorld,
  trx: Store,
  caller: Caller,
  workspace: WorkspaceMembership,
  { input, template, resources, variables }: Plan,
): Promise<{ serverId: string; tunnelId: string | null }> {
  const { node, port } = await roomFor(nodes, trx, input.node, resources.memory)
  let serverId = newShortId()
  while (await idTaken(trx, serverId)) serverId = newShortId()
  const now = clock.now()
  await insertServer(trx, {
    id: serverId,
    workspace_id: workspace.id,
    owner_id: caller.userId,
    node_id: node.id,
    name: input.name,
    template: template.id,
    template_hash: await keepTemplate(trx, template),
    memory: resources.memory,
    disk: resources.disk,
    cpu: resources.cpu,
    variables: JSON.stringify(variables),
    restart_on_crash: input.restartOnCrash ? 1 : 0,
    start_when_installed: input.start ? 1 : 0,
    allocation_limit: allocationLimitDefault,
    suspended_at: null,
    deleted_at: null,
    revision: 1,
    state: null,
    created_at: now,
  })
  const allocationId = newId('alloc')
  await insertAllocation(trx, {
    id: allocationId,
    node_id: node.id,
    server_id: serverId,
    port,
    primary_port: 1,
    notes: null,
    created_at: now,
  })
  if (node.public_address !== null) return { serverId, tunnelId: null }
  const tunnel = await tunnels.forAllocation(trx, {
    allocationId,
    workspaceId: workspace.id,
    // Players type a host name: the server's own name says more than its number.
    name: template.entrance === undefined ? `server-${serverId}` : input.name,
    entrance: template.entrance ?? null,
  })
  return { serverId, tunnelId: tunnel.id }
}

/** The node that takes the server, and a port of it. Only nodes that are here now count: the server begins to install at once. */
async function roomFor(nodes: ServersWorld['nodes'], trx: Store, wanted: string | undefined, memory: number) {
  const here = wanted === undefined ? nodes.all() : [await named(nodes, trx, wanted)]
  if (here.length === 0) throw conflict('No node is connected: start one, or add one with `pharos node join`.')
  const promised = await promisedMemory(trx)
  const candidates = here.map((node) => candidateOf(node, promised.get(node.id) ?? 0))
  const ranked = rankNodes(candidates, memory)
  if (ranked.length === 0) throw conflict(noMemory(candidates, memory))
  const full: string[] = []
  for (const candidate of ranked) {
    const node = await nodeById(trx, candidate.id)
    if (!node) continue
    const port = firstFreePort({ first: node.port_first, last: node.port_last }, await portsTaken(trx, node.id))
    if (port !== null) return { node, port }
    full.push(`${node.name} (${node.port_first} to ${node.port_last})`)
  }
  throw conflict(`No port is free on ${full.join(', ') || 'any node'}: delete a server there, or use another node.`)
}

async function named(nodes: ServersWorld['nodes'], trx: Store, id: string): Promise<LiveNode> {
  const live = nodes.online(id)
  if (live) return live
  const row = await nodeById(trx, id)
  if (row) throw nodeAway(row.name)
  throw refusal([{ where: 'body.node', problem: `there is no node ${JSON.stringify(id)}` }])
}

const candidateOf = (node: LiveNode, promisedMib: number): Candidate => ({
  id: node.id,
  name: node.name,
  memoryMib: Math.floor((node.facts?.memoryBytes ?? 0) / 1_048_576),
  promisedMib,
})

function noMemory(candidates: readonly Candidate[], memory: number): string {
  const most = candidates.reduce((left, right) => (freeMib(right) > freeMib(left) ? right : left))
  return `No node has ${memory} MiB of memory left: the most is ${Math.max(0, freeMib(most))} MiB on ${most.name}. Ask for less, delete a server, or add a node.`
}
