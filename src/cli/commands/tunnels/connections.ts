import { z } from 'zod'
import { CommandError, command } from '../../command.ts'
import { bytes, table } from '../../output.ts'
import { shortIdOf, tunnelIdOf } from './captured-requests.ts'

export const showConnections = command({
  path: 'connections',
  summary: 'Show who is connected to a tunnel at this moment, and how much they send; or cut one off',
  args: [['<tunnel>', 'its name or id']],
  flags: [['--cut <connection>', 'end this one, as the list names it; its visitor may come again']],
  examples: ['pharos connections web', 'pharos connections game --cut k3f9x0q1m52b'],
  options: z.object({ tunnel: z.string().min(1), cut: z.string().min(1).optional() }),
  async run({ tunnel: name, cut }, { connect, out }) {
    const connection = await connect()
    const params = { tunnel: await tunnelIdOf(connection, name) }
    const { connections, total, complete } = await connection.client.tunnelConnections({ params })
    if (cut !== undefined) {
      const found = connections.find(({ id }) => id === cut || shortIdOf(id) === cut)
      if (!found) throw new CommandError(`Connection "${cut}" is not there any more.`)
      const reply = await connection.client.cutTunnelConnection({ params: { ...params, connection: found.id } })
      return out.result(reply, () => `${found.address} port ${found.port} is cut off.`)
    }
    if (!complete) out.talk('An edge did not answer: who is connected there is missing.')
    out.result({ connections, total }, () =>
      connections.length === 0
        ? `Nobody is connected to ${name}.`
        : [
            table(
              ['connection', 'from', 'protocol', 'since', 'requests', 'in', 'out', 'in/s', 'out/s'],
              connections.map((one) => [
                shortIdOf(one.id),
                `${one.address} ${one.port}`,
                one.protocol,
                one.since,
                String(one.requests),
                bytes(one.bytesIn),
                bytes(one.bytesOut),
                bytes(Math.round(one.rateIn)),
                bytes(Math.round(one.rateOut)),
              ]),
            ),
            ...(total > connections.length ? [`and ${total - connections.length} more`] : []),
          ].join('\n'),
    )
  },
})
