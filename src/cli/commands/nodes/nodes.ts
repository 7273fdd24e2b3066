import { z } from 'zod'
import { command, UsageError } from '../../command.ts'
import { facts, table } from '../../output.ts'
import { findNode, labelsOf, labelWords, promiseWords } from './find.ts'
import { deleteNode, showNode } from './show.ts'

const list = command({
  path: 'nodes list',
  summary: 'List the machines that run servers',
  examples: ['pharos nodes list', 'pharos nodes list --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.nodes()
    out.result(reply, () =>
      table(
        [
          'id',
          'name',
          'state',
          'servers',
          'memory promised',
          'labels',
          'ports',
          'public address',
          'containers',
          'restic',
        ],
        reply.nodes.map((node) => [
          node.id,
          node.name,
          `${node.online ? 'online' : `away${node.lastSeen ? ` since ${node.lastSeen}` : ''}`}${node.maintenance ? ', maintenance' : ''}`,
          String(node.servers),
          `${node.allocated.memory}${node.capacity ? ` of ${node.capacity.memory}` : ''} MiB`,
          labelWords(node.labels) || '-',
          `${node.ports.first}-${node.ports.last}`,
          node.publicAddress ?? 'through an edge',
          node.capabilities?.containers?.engine ?? '-',
          node.capabilities?.restic ?? '-',
        ]),
      ),
    )
  },
})

const create = command({
  path: 'nodes create',
  summary: 'Register a machine; the command to run there is shown once',
  args: [['<name>', 'what to call it']],
  flags: [
    ['--address <host>', 'its public name or address; without one its players come through an edge'],
    ['--ports <first-last>', 'the ports that its servers get'],
    ['--label <name=value...>', 'what it is told apart by when servers are placed'],
  ],
  examples: ['pharos nodes create attic', 'pharos nodes create rack2 --address rack2.example.org --ports 25565-25600'],
  options: z.object({
    name: z.string().min(1),
    address: z.string().min(1).optional(),
    ports: z.string().optional(),
    label: z.array(z.string()).default([]),
  }),
  async run({ name, address, ports, label }, { connect, out }) {
    const range = ports === undefined ? undefined : portRange(ports)
    const { client } = await connect()
    const reply = await client.createNode({
      body: {
        name,
        ...(address !== undefined && { publicAddress: address }),
        ...(range && { ports: range }),
        ...(label.length > 0 && { labels: labelsOf(label) }),
      },
    })
    out.talk(
      'Paste this into a shell of the machine, within a day. It works once; from then on "pharos node" is enough there:',
    )
    out.result(reply, () => reply.command)
  },
})

function portRange(text: string): { first: number; last: number } {
  const [, first, last] = /^([0-9]{1,5})-([0-9]{1,5})$/.exec(text) ?? []
  if (!first || !last) throw new UsageError('--ports must be two ports and a hyphen, such as 25565-25664.')
  return { first: Number(first), last: Number(last) }
}

/** How much may be promised: a factor, or any amount. */
const Factor = z
  .union([z.literal('any').transform(() => null), z.coerce.number('must be a number, or any').min(0.1).max(100)])
  .optional()

const set = command({
  path: 'nodes set',
  summary: 'Change how servers are placed on a machine: maintenance, labels, how much may be promised',
  description:
    'In maintenance it gets no new servers; those that it has go on. A factor of 1.5 lets half as much again be promised as the machine has; "any" counts nothing.',
  args: [['<node>', 'its name or id']],
  flags: [
    ['--maintenance <state>', 'on or off'],
    ['--label <name=value...>', 'add or change labels'],
    ['--unlabel <name...>', 'take labels away'],
    ['--memory-factor <factor>', 'how much of its memory may be promised: 1 unless set, or any'],
    ['--disk-factor <factor>', 'the same of its disk: any unless set'],
    ['--cpu-factor <factor>', 'the same of its cores: any unless set'],
  ],
  examples: [
    'pharos nodes set attic --maintenance on',
    'pharos nodes set rack2 --label region=eu disk=nvme --memory-factor 1.2 --cpu-factor 4',
  ],
  options: z.object({
    node: z.string().min(1),
    maintenance: z.enum(['on', 'off']).optional(),
    label: z.array(z.string()).default([]),
    unlabel: z.array(z.string()).default([]),
    memoryFactor: Factor,
    diskFactor: Factor,
    cpuFactor: Factor,
  }),
  async run({ node: meant, maintenance, label, unlabel, memoryFactor, diskFactor, cpuFactor }, { connect, out }) {
    const connection = await connect()
    const { id, labels } = await findNode(connection, meant)
    const kept = Object.entries(labels).filter(([name]) => !unlabel.includes(name))
    const factors = Object.entries({ memory: memoryFactor, disk: diskFactor, cpu: cpuFactor })
    const overAllocation = Object.fromEntries(factors.filter(([, factor]) => factor !== undefined))
    const body = {
      ...(maintenance && { maintenance: maintenance === 'on' }),
      ...(label.length + unlabel.length > 0 && { labels: { ...Object.fromEntries(kept), ...labelsOf(label) } }),
      ...(Object.keys(overAllocation).length > 0 && { overAllocation }),
    }
    if (Object.keys(body).length === 0) throw new UsageError('Name something to change: see "pharos nodes set --help".')
    const node = await connection.client.updateNode({ params: { node: id }, body })
    out.result(node, () =>
      facts([
        ['name', node.name],
        ['maintenance', node.maintenance ? 'on: it gets no new servers' : 'off'],
        ['labels', labelWords(node.labels) || 'none'],
        ['memory', promiseWords(node.allocated.memory, node.capacity?.memory, node.overAllocation.memory, 'MiB')],
        ['disk', promiseWords(node.allocated.disk, node.capacity?.disk, node.overAllocation.disk, 'MiB')],
        ['cpu', promiseWords(node.allocated.cpu, node.capacity?.cpu, node.overAllocation.cpu, 'cores')],
      ]),
    )
  },
})

export const nodeCommands = [list, showNode, create, set, deleteNode]
