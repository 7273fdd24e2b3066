import { z } from 'zod'
import { command } from '../../command.ts'
import { table } from '../../output.ts'

export const listTunnels = command({
  path: 'list',
  summary: 'List the workspace’s tunnels, open ones and those kept for it',
  examples: ['pharos list', 'pharos list --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.tunnels()
    out.result(reply, () =>
      reply.tunnels.length === 0
        ? 'No tunnels yet. "pharos open 3000 --as web" opens one.'
        : table(
            ['name', 'kind', 'url', 'state', 'connections'],
            reply.tunnels.map((tunnel) => [
              tunnel.name,
              tunnel.kind,
              tunnel.url,
              tunnel.open ? 'open' : 'closed',
              String(tunnel.connections),
            ]),
          ),
    )
  },
})
