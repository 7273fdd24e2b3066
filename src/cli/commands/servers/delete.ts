import { z } from 'zod'
import { command, UsageError } from '../../command.ts'
import { findServer } from './find.ts'

export const deleteServer = command({
  path: 'servers delete',
  summary: 'Kill a server and delete everything of it',
  args: [['<server>', 'its name or id']],
  flags: [['-y, --yes', 'yes, delete its files, too']],
  examples: ['pharos servers delete survival --yes'],
  options: z.object({ server: z.string().min(1), yes: z.boolean().default(false) }),
  async run({ server, yes }, { connect, out }) {
    if (!yes) throw new UsageError(`This deletes all files of ${server} for ever. Add --yes to do it.`)
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const { message } = await connection.client.deleteServer({ params: { serverId } })
    out.result({ id: `servers/${serverId}`, deleted: true, message }, () => message)
  },
})
