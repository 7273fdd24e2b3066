import { z } from 'zod'
import { statusOfAgent } from '../../background/status.ts'
import { command } from '../../command.ts'
import { facts } from '../../output.ts'

export const showStatus = command({
  path: 'status',
  summary: 'Show who you are, your workspace, and what is running',
  examples: ['pharos status', 'pharos status --json'],
  options: z.object({}),
  async run(_, { connect, out, stateHome }) {
    const connection = await connect()
    const { client } = connection
    const [agent, account, workspace, { tunnels }, servers] = await Promise.all([
      statusOfAgent(stateHome),
      client.account(),
      client.workspace(),
      client.tunnels(),
      client.servers({ query: { limit: 100 } }),
    ])
    const open = tunnels.filter((tunnel) => tunnel.open)
    const running = servers.filter(({ status }) => status === 'running')
    const status = {
      url: connection.url,
      account: { email: account.email, name: account.name },
      workspace: { slug: workspace.slug, name: workspace.name, tunnelBase: workspace.tunnelBase },
      tunnels: { open: open.length, kept: tunnels.length },
      servers: { running: running.length, all: servers.length },
      /** Of this machine, and every panel that it has tunnels of. */
      agent,
    }
    out.result(status, () =>
      facts([
        ['panel', connection.url],
        ['account', account.email],
        ['workspace', `${workspace.name} (${workspace.slug}), as ${workspace.role}`],
        ['tunnels at', `*.${workspace.tunnelBase}${workspace.provisioned ? '' : ' (no edge is connected)'}`],
        ['tunnels', `${open.length} open of ${tunnels.length}`],
        ['servers', `${running.length} running of ${servers.length}`],
        [
          'background',
          agent === null
            ? null
            : `process ${agent.pid}; ${agent.tunnels.map(({ name, state, message }) => `${name} ${state}${message === null ? '' : ` (${message})`}`).join(', ') || 'no tunnels'}`,
        ],
      ]),
    )
  },
})
