import { z } from 'zod'
import { command } from '../../command.ts'
import { table } from '../../output.ts'

export const listServers = command({
  path: 'servers list',
  summary: 'List your servers and those you were given',
  flags: [['--limit <count>', 'how many at most, 1 to 100']],
  examples: ['pharos servers list', 'pharos servers list --json'],
  options: z.object({ limit: z.coerce.number().int().min(1).max(100).default(100) }),
  async run({ limit }, { connect, out }) {
    const { client } = await connect()
    const servers = await client.servers({ query: { limit } })
    out.result(servers, () =>
      servers.length === 0
        ? 'No servers yet. "pharos servers create --template minecraft my-server" makes one.'
        : table(
            ['id', 'name', 'status', 'template', 'address'],
            servers.map((server) => [server.id, server.name, server.status, server.template, server.address ?? '-']),
          ),
    )
  },
})
