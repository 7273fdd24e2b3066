import { z } from 'zod'
import { command } from '../../command.ts'
import { findServer } from './find.ts'

export const takeTemplate = command({
  path: 'servers update-template',
  summary: 'Take the newest version of the server’s template, in force from its next start',
  description:
    'A server keeps the version of its template that it was made from. Values that fit the newer one stay; nothing is installed again.',
  args: [['<server>', 'its name or id']],
  examples: ['pharos servers update-template survival'],
  options: z.object({ server: z.string().min(1) }),
  async run({ server }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const startup = await connection.client.takeTemplate({ params })
    out.result(startup, () => `It has the newest version of ${startup.template} from its next start.`)
  },
})
