import type { NodeFacts } from '../../contract/node.ts'
import { Labels } from '../../contract/placement.ts'
import type { Resources, Template } from '../../contract/template.ts'
import type { ServerRow } from '../db/index.ts'
import { capacityOf, labelsOf, type NodeWithServers } from '../nodes/index.ts'

/** A node as placement sees it. Memory and disk in MiB, CPU in cores. */
export interface Machine {
  id: string
  name: string
  online: boolean
  maintenance: boolean
  labels: Labels
  /** What it has; null until it has said so. */
  capacity: Resources | null
  /** Whether it runs servers in containers. */
  containers: boolean
  /** How much of that may be promised: 1 is all of it, null any amount. */
  factors: { [K in keyof Resources]: number | null }
  /** To every server that is placed there, whether it runs or not. */
  promised: Resources
}

/** What a server needs of its node. */
export interface Wish extends Resources {
  labels: Labels
  /** It runs in a container. */
  container: boolean
}

export const machineOf = (row: NodeWithServers, facts: NodeFacts | null): Machine => ({
  id: row.id,
  name: row.name,
  online: facts !== null,
  maintenance: row.maintenance_at !== null,
  labels: labelsOf(row),
  capacity: facts && capacityOf(facts),
  containers: (facts?.capabilities.containers ?? null) !== null,
  factors: { memory: row.memory_factor, disk: row.disk_factor, cpu: row.cpu_factor },
  promised: { memory: row.memory, disk: row.disk, cpu: row.cpu },
})

/** What a server that is there needs of another node. */
export const wishOf = (
  { memory, disk, cpu, placement, runtime }: Pick<ServerRow, 'memory' | 'disk' | 'cpu' | 'placement' | 'runtime'>,
  template: Template,
): Wish => ({
  ...{ memory, disk, cpu, container: runtime === 'docker' },
  labels: { ...Labels.parse(JSON.parse(placement)), ...template.placement?.labels },
})

/**
 * The machines that can take the server, the one with the most unpromised memory first; of equal ones that which has promised less
 * of its cores, then by name, so that the choice can be foretold.
 */
export function rankMachines(machines: readonly Machine[], wish: Wish): Machine[] {
  return machines
    .filter((machine) => whatLacks(machine, wish).length === 0)
    .sort(
      (left, right) =>
        free(right, 'memory') - free(left, 'memory') ||
        coresUsed(left) - coresUsed(right) ||
        (left.name < right.name ? -1 : 1),
    )
}

/** Why the machine cannot take the server, one reason each; empty where it can. */
export function whatLacks(machine: Machine, wish: Wish): string[] {
  if (machine.maintenance) return ['in maintenance']
  if (!machine.online) return ['away']
  const labels = Object.entries(wish.labels)
    .filter(([label, value]) => machine.labels[label] !== value)
    .map(([label, value]) => `not labelled ${label}=${value}`)
  const amounts = (['memory', 'disk', 'cpu'] as const)
    .filter((what) => left(machine, what) < wish[what])
    .map((what) => `${amount(Math.max(0, left(machine, what)), what)} left`)
  return [...(wish.container && !machine.containers ? ['runs no containers'] : []), ...labels, ...amounts]
}

/** One sentence that says of every machine what it lacks. */
export function refusalOf(machines: readonly Machine[], wish: Wish): string {
  const labels = Object.entries(wish.labels).map(([label, value]) => `${label}=${value}`)
  const container = wish.container ? ['a container engine'] : []
  const needed = [
    ...container,
    ...(['memory', 'disk', 'cpu'] as const).map((what) => amount(wish[what], what)),
    ...labels,
  ].join(', ')
  const each = machines
    .slice(0, machinesNamedMax)
    .map((machine) => `${machine.name}: ${whatLacks(machine, wish).join(', ')}`)
  const others = machines.length - each.length
  return `No node has room for this server (${needed}). ${each.join('; ')}${others > 0 ? `; and ${others} more` : ''}. Ask for less, make room, or add a node.`
}

/** What of it may still be promised: infinite where nobody counts. */
export function left({ capacity, factors, promised }: Machine, what: keyof Resources): number {
  const factor = factors[what]
  if (factor === null) return Number.POSITIVE_INFINITY
  const most = (capacity?.[what] ?? 0) * factor
  return (what === 'cpu' ? most : Math.floor(most)) - promised[what]
}

/** The lowest port of the range that nobody has, or null. */
export function firstFreePort(range: { first: number; last: number }, taken: ReadonlySet<number>): number | null {
  for (let port = range.first; port <= range.last; port += 1) if (!taken.has(port)) return port
  return null
}

/** Machines that one refusal names: a reply that people read. */
const machinesNamedMax = 10

/** By its own measure, also where any amount may be promised. */
const free = (machine: Machine, what: keyof Resources): number =>
  machine.factors[what] === null ? (machine.capacity?.[what] ?? 0) - machine.promised[what] : left(machine, what)

const coresUsed = ({ promised, capacity }: Machine): number => promised.cpu / (capacity?.cpu || 1)

const amount = (value: number, what: keyof Resources): string =>
  what === 'cpu'
    ? `${Number(value.toFixed(2))} ${value === 1 ? 'core' : 'cores'}`
    : `${Math.floor(value)} MiB of ${what}`
