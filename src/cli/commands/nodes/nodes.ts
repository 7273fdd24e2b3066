import { z } from 'zod'
import { command, UsageError } from '../../command.ts'
import { table } from '../../output.ts'

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
        ['id', 'name', 'state', 'servers', 'ports', 'public address'],
        reply.nodes.map((node) => [
          node.id,
          node.name,
          node.online ? 'online' : `away${node.lastSeen ? ` since ${node.lastSeen}` : ''}`,
          String(node.servers),
          `${node.ports.first}-${node.ports.last}`,
          node.publicAddress ?? 'through an edge',
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
  ],
  examples: ['pharos nodes create attic', 'pharos nodes create rack2 --address rack2.example.org --ports 25565-25600'],
  options: z.object({
    name: z.string().min(1),
    address: z.string().min(1).optional(),
    ports: z.string().optional(),
  }),
  async run({ name, address, ports }, { connect, out }) {
    const range = ports === undefined ? undefined : portRange(ports)
    const { client } = await connect()
    const reply = await client.createNode({
      body: { name, ...(address !== undefined && { publicAddress: address }), ...(range && { ports: range }) },
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

export const nodeCommands = [list, create]
