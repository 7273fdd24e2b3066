import { z } from 'zod'
import { systemClock } from '../../../lib/clock.ts'
import { CommandError, command } from '../../command.ts'
import { bytes } from '../../output.ts'
import { findServer } from '../servers/find.ts'

/** How often it is asked how far it is, in ms. */
const askMs = 500

export const pullFile = command({
  path: 'files pull',
  summary: 'Let a server’s node fetch a public URL into a new file, and wait for it',
  args: [
    ['<server>', 'its name or id'],
    ['<url>', 'http or https'],
  ],
  flags: [
    ['--to <folder>', 'where to'],
    ['--name <name>', 'of the file; without it the last part of the URL'],
    ['--no-wait', 'return at once, while it is fetched'],
  ],
  examples: ['pharos files pull survival https://example.org/map.zip --to /maps'],
  options: z.object({
    server: z.string().min(1),
    url: z.url({ protocol: /^https?$/ }),
    to: z.string().default('/'),
    name: z.string().optional(),
    wait: z.boolean(),
  }),
  async run({ server, url, to, name, wait }, { connect, out, signal }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const body = { url, directory: to, ...(name === undefined ? {} : { name }) }
    let pull = await connection.client.pullFile({ params, body })
    try {
      while (wait && pull.state === 'running') {
        const total = pull.bytesTotal === null ? '' : ` of ${bytes(pull.bytesTotal)}`
        out.progress(`${bytes(pull.bytesDone)}${total}`)
        await systemClock.sleep(askMs, signal)
        const { id } = pull
        const found = (await connection.client.pulls({ params })).find((one) => one.id === id)
        if (!found) throw new CommandError('The node knows nothing of it any more: it was restarted. Begin again.')
        pull = found
      }
    } finally {
      out.progress(null)
    }
    if (pull.state === 'failed') throw new CommandError(pull.message ?? 'It failed, and nobody knows why.')
    const done = pull
    out.result(done, () => (wait ? `${done.file} (${bytes(done.bytesDone)})` : `${done.file} is being fetched`))
  },
})
