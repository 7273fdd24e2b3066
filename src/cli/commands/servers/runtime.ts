import { z } from 'zod'
import { command } from '../../command.ts'
import { findServer } from './find.ts'

export const serverRuntime = command({
  path: 'servers runtime',
  summary: 'Let a server run in the sandbox or in a container from its next start; its files stay',
  args: [
    ['<server>', 'its name or id'],
    ['<kind>', 'sandbox or docker'],
  ],
  flags: [['--image <name>', 'a container image, in place of its template’s first']],
  examples: ['pharos servers runtime survival docker', 'pharos servers runtime survival sandbox'],
  options: z.object({
    server: z.string().min(1),
    kind: z.enum(['sandbox', 'docker']),
    image: z.string().min(1).optional(),
  }),
  async run({ server, kind, image }, { connect, out }) {
    const connection = await connect()
    const changed = await connection.client.updateServer({
      params: { serverId: await findServer(connection, server) },
      body: { runtime: kind, ...(image !== undefined && { image }) },
    })
    out.result(changed, () =>
      changed.runtime === 'sandbox'
        ? `${changed.id} runs in the sandbox from its next start.`
        : `${changed.id} runs in a container from its next start.`,
    )
  },
})
