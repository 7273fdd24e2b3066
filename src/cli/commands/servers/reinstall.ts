import { z } from 'zod'
import { command, UsageError } from '../../command.ts'
import { findServer } from './find.ts'

export const reinstallServer = command({
  path: 'servers reinstall',
  summary: 'Run the installation of a server again; its own files stay',
  args: [['<server>', 'its name or id']],
  flags: [['-y, --yes', 'yes, stop it, and write over what the installation brings']],
  examples: ['pharos servers reinstall survival --yes'],
  options: z.object({ server: z.string().min(1), yes: z.boolean().default(false) }),
  async run({ server, yes }, { connect, out }) {
    if (!yes) throw new UsageError(`This stops ${server} and may write over its files. Add --yes to do it.`)
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const { message } = await connection.client.reinstall({ params: { serverId } })
    out.result({ id: `servers/${serverId}`, message }, () => message)
  },
})
