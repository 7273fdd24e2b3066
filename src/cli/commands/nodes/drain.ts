import { z } from 'zod'
import { CommandError, command } from '../../command.ts'
import { table } from '../../output.ts'
import { followTransfers, transferWords } from '../servers/transfer.ts'
import { findNode } from './find.ts'

export const drainNode = command({
  path: 'nodes drain',
  summary: 'Put a machine into maintenance and move all of its servers to others, a few at a time',
  description:
    'Servers that cannot go are named with the reason, and stay. "pharos nodes set <node> --maintenance off" takes it back into use.',
  args: [['<node>', 'its name or id']],
  flags: [['--no-wait', 'return at once']],
  examples: ['pharos nodes drain attic', 'pharos nodes drain attic --no-wait --json'],
  options: z.object({ node: z.string().min(1), wait: z.boolean() }),
  async run({ node: meant, wait }, tools) {
    const connection = await tools.connect()
    const { id, name } = await findNode(connection, meant)
    const drained = await connection.client.drainNode({ params: { node: id } })
    for (const { name: server, reason } of drained.refused) tools.out.talk(`${server} stays: ${reason}`)
    const transfers = wait ? await followTransfers(connection, drained.transfers, tools) : drained.transfers
    tools.out.result({ ...drained, transfers }, () =>
      transfers.length === 0
        ? `Nothing moves away from ${name}.`
        : table(
            ['server', 'to', 'stage', ''],
            transfers.map((one) => [one.server.name, one.to.name, one.stage, transferWords(one)]),
          ),
    )
    const left =
      drained.refused.length + transfers.filter(({ stage }) => stage === 'failed' || stage === 'cancelled').length
    if (wait && left > 0) throw new CommandError(`${left} ${left === 1 ? 'server stays' : 'servers stay'} on ${name}.`)
  },
})
