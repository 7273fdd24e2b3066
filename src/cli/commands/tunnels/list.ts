import { z } from 'zod'
import { statusOfAgent } from '../../background/status.ts'
import { command } from '../../command.ts'
import { table } from '../../output.ts'

export const listTunnels = command({
  path: 'list',
  summary: 'List the workspace’s tunnels, open ones and those kept for it',
  description: 'A tunnel that the background agent of this machine has is shown with where it leads.',
  examples: ['pharos list', 'pharos list --json'],
  options: z.object({}),
  async run(_, { connect, out, stateHome }) {
    const { client, url } = await connect()
    const [reply, agent] = await Promise.all([client.tunnels(), statusOfAgent(stateHome)])
    const background = (agent?.tunnels ?? []).filter(({ panel }) => panel === url)
    const tunnels = reply.tunnels.map((tunnel) => ({
      ...tunnel,
      // Names are the workspace's own: what is open at another address belongs to another workspace.
      background:
        background.find(
          (one) => one.name === tunnel.name && (one.url === null || tunnel.addresses.includes(one.url)),
        ) ?? null,
    }))
    out.result({ tunnels }, () =>
      tunnels.length === 0
        ? 'No tunnels yet. "pharos open 3000 --as web" opens one.'
        : table(
            ['name', 'kind', 'url', 'state', 'connections', 'in the background'],
            tunnels.map((tunnel) => [
              tunnel.name,
              tunnel.kind,
              tunnel.url,
              tunnel.open ? 'open' : 'closed',
              String(tunnel.connections),
              tunnel.background ? `${tunnel.background.local}${tunnel.background.keep ? ', kept' : ''}` : '',
            ]),
          ),
    )
  },
})
