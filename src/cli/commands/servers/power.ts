import { z } from 'zod'
import { type PowerAction, powerActions } from '../../../contract/power.ts'
import { command } from '../../command.ts'
import { findServer } from './find.ts'

const summaries: Record<PowerAction, string> = {
  start: 'Start a server',
  stop: 'Stop a server the way its game wants it',
  restart: 'Stop a server and start it again',
  kill: 'End a server at once; what it has not saved is lost',
}

/** `servers start|stop|restart|kill` */
export const powerCommands = powerActions.map((action) =>
  command({
    path: `servers ${action}`,
    summary: summaries[action],
    args: [['<server>', 'its name or id']],
    examples: [`pharos servers ${action} survival`],
    options: z.object({ server: z.string().min(1) }),
    async run({ server }, { connect, out }) {
      const connection = await connect()
      const serverId = await findServer(connection, server)
      const { message } = await connection.client.power({ params: { serverId }, body: { action } })
      out.result({ id: `servers/${serverId}`, action, message }, () => message)
    },
  }),
)
