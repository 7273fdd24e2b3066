import { z } from 'zod'
import { systemClock } from '../../../lib/clock.ts'
import { command } from '../../command.ts'
import { bytes, table } from '../../output.ts'
import { findServer } from '../servers/find.ts'
import { findBackup } from './find.ts'

/** How often it is asked how much of an archive has been read, in ms. */
const askMs = 500

export const backupFiles = command({
  path: 'backups files',
  summary: 'List what a folder of a backup holds',
  args: [
    ['<server>', 'its name or id'],
    ['<backup>', 'its name or id'],
    ['[path]', 'a folder of the server; the whole without it'],
  ],
  examples: ['pharos backups files survival "Before the update"', 'pharos backups files survival Daily world/region'],
  options: z.object({ server: z.string().min(1), backup: z.string().min(1), path: z.string().default('') }),
  async run({ server, backup: meant, path }, { connect, out, signal }) {
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const backup = await findBackup(connection, serverId, meant)
    const ask = () =>
      connection.client.backupFiles({ params: { serverId, backup }, query: { path: path.replace(/\/+$/, '') } })
    let reply = await ask()
    try {
      for (; reply.reading; reply = await ask()) {
        out.progress(`Reading the archive: ${bytes(reply.reading.bytesDone)} of ${bytes(reply.reading.bytesTotal)}`)
        await systemClock.sleep(askMs, signal)
      }
    } finally {
      out.progress(null)
    }
    if (reply.more) out.talk('There is more in this folder than is listed.')
    out.result(reply, () =>
      table(
        ['name', 'kind', 'size', 'changed'],
        reply.entries.map(({ name, kind, size, modifiedAt }) => [
          name,
          kind,
          kind === 'file' ? bytes(size) : '-',
          modifiedAt,
        ]),
      ),
    )
  },
})
