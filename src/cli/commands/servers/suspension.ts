import { z } from 'zod'
import { command } from '../../command.ts'
import { findServer } from './find.ts'

/** `servers suspend|unsuspend` */
export const suspensionCommands = (['suspend', 'unsuspend'] as const).map((verb) =>
  command({
    path: `servers ${verb}`,
    summary:
      verb === 'suspend'
        ? 'Stop a server and let nobody do anything with it but look'
        : 'Lift the suspension of a server; it stays stopped',
    description: 'For administrators of the installation. Servers of others are named by their id.',
    args: [['<server>', 'its name or id']],
    examples: [`pharos servers ${verb} survival`],
    options: z.object({ server: z.string().min(1) }),
    async run({ server }, { connect, out }) {
      const connection = await connect()
      const serverId = await findServer(connection, server)
      const suspended = verb === 'suspend'
      const { message } = await connection.client.updateSuspension({ params: { serverId }, body: { suspended } })
      out.result({ id: `servers/${serverId}`, suspended, message }, () => message)
    },
  }),
)
