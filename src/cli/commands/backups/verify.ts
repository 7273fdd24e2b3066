import { z } from 'zod'
import { systemClock } from '../../../lib/clock.ts'
import { CommandError, command } from '../../command.ts'
import { bytes } from '../../output.ts'
import { findServer } from '../servers/find.ts'

/** How often it is asked how far it is, in ms. */
const askMs = 500

export const verifyBackups = command({
  path: 'backups verify',
  summary: 'Check the incremental backups of a server, and say what they take',
  args: [['<server>', 'its name or id']],
  flags: [['--read-data', 'also read every byte, which takes time']],
  examples: ['pharos backups verify survival', 'pharos backups verify survival --read-data'],
  options: z.object({ server: z.string().min(1), readData: z.boolean().default(false) }),
  async run({ server, readData }, { connect, out, signal }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    let found = await connection.client.verifyBackups({ params, body: { readData } })
    try {
      while (found.state === 'running') {
        out.progress('Checking …')
        await systemClock.sleep(askMs, signal)
        found = await connection.client.backupVerification({ params })
      }
    } finally {
      out.progress(null)
    }
    if (found.state !== 'intact') throw new CommandError(found.message ?? 'It failed, and nobody knows why.')
    const { backups, storedBytes } = found
    out.result(found, () => `Intact: ${backups ?? 0} incremental backups in ${bytes(storedBytes ?? 0)}`)
  },
})
