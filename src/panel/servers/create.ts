import type { z } from 'zod'
import type { NewServer } from '../../contract/api/servers.ts'
import { AppError, conflict, type FieldProblem } from '../../contract/errors.ts'
import type { Resources, Template } from '../../contract/template.ts'
import { idleMinutesDefault } from '../../contract/wake.ts'
import { newId, newShortId } from '../../lib/ids.ts'
import type { Caller, WorkspaceMembership } from '../access/index.ts'
import { isUniqueViolation, type Store } from '../db/index.ts'
import { allocationLimitDefault, insertAllocation, portsTaken } from '../network/index.ts'
import { labelsOf, listNodes, nodeAway, nodeById } from '../nodes/index.ts'
import { checkVariables, keepTemplate } from '../templates/index.ts'
import { deleteServer } from './delete.ts'
import { placementAttemptsMax } from './limits.ts'
import { firstFreePort, type Machine, machineOf, rankMachines, refusalOf, type Wish } from './placement.ts'
import type { Pusher } from './push.ts'
import { chooseRuntime, type RuntimeChoice } from './runtime.ts'
import { idTaken, insertServer } from './store.ts'
import type { ServersWorld } from './world.ts'

type Input = z.output<typeof NewServer>

interface Plan {
  input: Input
  template: Template
  resources: Resources
  variables: Record<string, string>
  runtime: RuntimeChoice
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
  const plan = await planOf(world, caller, input)
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
async function planOf(
  { templates, nodes }: Pick<ServersWorld, 'templates' | 'nodes'>,
  caller: Caller,
  input: Input,
): Promise<Plan> {
  const found = await templates.find(input.template)
  if (!found) {
    const ids = (await templates.all()).slice(0, templatesNamedMax).map(({ template: { id } }) => id)
    throw refusal([
      {
        where: 'body.template',
        problem: `there is no template ${JSON.stringify(input.template)}`,
        expected: ids.length > 0 ? `one of ${ids.join(', ')}` : 'a template of this installation',
      },
    ])
  }
  const { template } = found
  const { values, problems } = checkVariables(template, input.variables ?? {}, { isAdmin: caller.instanceAdmin })
  if (problems.length > 0) throw refusal(problems)
  const { memory, disk, cpu } = input.resources ?? {}
  const resources = {
    memory: memory ?? template.resources.memory,
    disk: disk ?? template.resources.disk,
    cpu: cpu ?? template.resources.cpu,
  }
  const runtime = chooseRuntime(template, input, nodes.all(), caller)
  return { input, template, resources, variables: values, runtime }
}

/** A refusal names this many templates: there may be thousands. */
const templatesNamedMax = 20

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
  { input, template, resources, variables, runtime }: Plan,
): Promise<{ serverId: string; tunnelId: string | null }> {
  const own = input.placement?.labels ?? {}
  const labels = { ...own, ...template.placement?.labels }
  const { node, port } = await roomFor(nodes, trx, input.node, {
    ...{ ...resources, labels },
    container: runtime.runtime === 'docker',
  })
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
    restart_on_hang: input.restartOnHang ? 1 : 0,
    wake_on_connect: 0,
    idle_minutes: idleMinutesDefault,
    start_when_installed: input.start ? 1 : 0,
    ...runtime,
    allocation_limit: allocationLimitDefault,
    placement: JSON.stringify(own),
    transfer_id: null,
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
    nodeLabels: labelsOf(node),
  })
  return { serverId, tunnelId: tunnel.id }
}

/** The node that takes the server, and a port of it. Only nodes that are here now count: the server begins to install at once. */
async function roomFor(nodes: ServersWorld['nodes'], trx: Store, wanted: string | undefined, wish: Wish) {
  const machines = (await listNodes(trx)).map((row) => machineOf(row, nodes.online(row.id)?.facts ?? null))
  const asked = wanted === undefined ? machines : [named(machines, wanted)]
  if (!asked.some(({ online }) => online))
    throw conflict('No node is connected: start one, or add one with `pharos nodes create` and `pharos node join`.')
  const ranked = rankMachines(asked, wish)
  if (ranked.length === 0) throw conflict(refusalOf(asked, wish))
  const full: string[] = []
  for (const { id } of ranked) {
    const node = await nodeById(trx, id)
    if (!node) continue
    const port = firstFreePort({ first: node.port_first, last: node.port_last }, await portsTaken(trx, node.id))
    if (port !== null) return { node, port }
    full.push(`${node.name} (${node.port_first} to ${node.port_last})`)
  }
  throw conflict(`No port is free on ${full.join(', ') || 'any node'}: delete a server there, or use another node.`)
}

/** One that somebody asked for by its id. */
export function named(machines: readonly Machine[], id: string): Machine {
  const machine = machines.find((one) => one.id === id)
  if (!machine) throw refusal([{ where: 'body.node', problem: `there is no node ${JSON.stringify(id)}` }])
  if (!machine.online) throw nodeAway(machine.name)
  return machine
}
