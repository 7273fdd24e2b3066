import { z } from 'zod'
import { command, UsageError } from '../../command.ts'
import { bytes, facts } from '../../output.ts'
import { logWords } from '../log-levels/words.ts'
import { findNode, labelWords, type Node, promiseWords } from './find.ts'

export const showNode = command({
  path: 'nodes show',
  summary: 'Show one machine: what it has, what is promised, and what it can and cannot enforce',
  args: [['<node>', 'its name or id']],
  examples: ['pharos nodes show attic', 'pharos nodes show attic --json'],
  options: z.object({ node: z.string().min(1) }),
  async run({ node: meant }, { connect, out }) {
    const connection = await connect()
    const { id } = await findNode(connection, meant)
    const node = await connection.client.node({ params: { node: id } })
    const { levels } = await connection.client.logLevels()
    out.result(node, () => describe(node, logWords(levels, id)))
  },
})

export const deleteNode = command({
  path: 'nodes delete',
  summary: 'Forget a machine that has no servers; its credential stops working at once',
  args: [['<node>', 'its name or id']],
  flags: [['-y, --yes', 'yes, it has to join again to come back']],
  examples: ['pharos nodes drain attic && pharos nodes delete attic --yes'],
  options: z.object({ node: z.string().min(1), yes: z.boolean().default(false) }),
  async run({ node: meant, yes }, { connect, out }) {
    const connection = await connect()
    const { id, name } = await findNode(connection, meant)
    if (!yes) throw new UsageError(`The machine ${name} has to join again to come back. Add --yes to forget it.`)
    const reply = await connection.client.deleteNode({ params: { node: id } })
    out.result(reply, () => `${name} is forgotten.`)
  },
})

/** A machine in words, one fact a line. */
function describe(node: Node, log: string | null): string {
  const { capabilities: can, allocated, capacity, overAllocation } = node
  const promise = (what: keyof typeof allocated, unit: string): string =>
    promiseWords(allocated[what], capacity?.[what], overAllocation[what], unit)
  return facts([
    ['id', node.id],
    ['name', node.name],
    [
      'state',
      node.online ? 'online' : `away${node.lastSeen === null ? ', was never here' : ` since ${node.lastSeen}`}`,
    ],
    ['maintenance', node.maintenance ? 'on: it gets no new servers' : null],
    ['host name', node.hostname],
    ['version', node.version],
    ['too old for', node.tooOldFor.join(', ') || null],
    ['cores', node.cpuCores === null ? null : String(node.cpuCores)],
    ['memory', node.memoryBytes === null ? null : bytes(node.memoryBytes)],
    ['disk free', node.diskFreeBytes === null ? null : bytes(node.diskFreeBytes)],
    ['servers', String(node.servers)],
    ['of memory', promise('memory', 'MiB')],
    ['of disk', promise('disk', 'MiB')],
    ['of cores', promise('cpu', 'cores')],
    ['labels', labelWords(node.labels) || null],
    ['ports', `${node.ports.first}-${node.ports.last}`],
    ['public address', node.publicAddress ?? 'none: players come through an edge'],
    ['servers run in', can && (can.runtime === 'sandbox' ? 'the sandbox' : 'plain processes')],
    [
      'containers',
      can && (can.containers === null ? 'none' : `${can.containers.engine}, network ${can.containers.network}`),
    ],
    ['restic', can && (can.restic ?? 'not installed yet')],
    ...(can?.warnings.map((warning) => ['cannot', warning] as const) ?? []),
    ['log', log],
    ['created', node.createdAt],
  ])
}
