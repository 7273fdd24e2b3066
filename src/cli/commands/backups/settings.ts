import { z } from 'zod'
import { command } from '../../command.ts'
import { facts } from '../../output.ts'
import { findServer } from '../servers/find.ts'

export const backupSettings = command({
  path: 'backups settings',
  summary: 'Show or say whether the oldest backup of a server makes room for a new one',
  args: [['<server>', 'its name or id']],
  flags: [['--rotate <switch>', 'on: at the limit the oldest unlocked one goes; off: a new one is refused']],
  examples: ['pharos backups settings survival', 'pharos backups settings survival --rotate on'],
  options: z.object({ server: z.string().min(1), rotate: z.enum(['on', 'off']).optional() }),
  async run({ server, rotate }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    if (rotate !== undefined)
      await connection.client.updateBackupSettings({ params, body: { rotate: rotate === 'on' } })
    const found = await connection.client.backupSettings({ params })
    out.result(found, () =>
      facts([
        ['backups', `${found.current} of ${found.limit}`],
        ['rotate', found.rotate ? 'on' : 'off'],
      ]),
    )
  },
})
