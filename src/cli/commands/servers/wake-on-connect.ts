import { z } from 'zod'
import { IdleMinutes } from '../../../contract/wake.ts'
import { command } from '../../command.ts'
import { findServer } from './find.ts'

export const wakeOnConnect = command({
  path: 'servers wake-on-connect',
  summary: 'Let a server sleep while nobody uses it; the first visitor wakes it',
  args: [
    ['<server>', 'its name or id'],
    ['<what>', 'on or off'],
  ],
  flags: [['--idle <minutes>', 'how long nobody must have used it, 1 to 1440']],
  examples: ['pharos servers wake-on-connect survival on --idle 15', 'pharos servers wake-on-connect survival off'],
  options: z.object({
    server: z.string().min(1),
    what: z.enum(['on', 'off'], 'must be on or off'),
    idle: z.coerce.number().pipe(IdleMinutes).optional(),
  }),
  async run({ server, what, idle }, { connect, out }) {
    const connection = await connect()
    const changed = await connection.client.updateServer({
      params: { serverId: await findServer(connection, server) },
      body: { wakeOnConnect: { enabled: what === 'on', ...(idle === undefined ? {} : { idleMinutes: idle }) } },
    })
    out.result(changed, () =>
      changed.wakeOnConnect.enabled
        ? `${changed.name} sleeps after ${minutes(changed.wakeOnConnect.idleMinutes)} without anybody, and wakes when somebody connects`
        : `${changed.name} runs until somebody stops it`,
    )
  },
})

const minutes = (count: number): string => (count === 1 ? 'a minute' : `${count} minutes`)
