import { z } from 'zod'
import { command } from '../../command.ts'
import { table } from '../../output.ts'
import { variables } from './create.ts'
import { findServer } from './find.ts'

export const serverVariables = command({
  path: 'servers variables',
  summary: 'List the start-up variables of a server, or set some, in force from its next start',
  args: [['<server>', 'its name or id']],
  flags: [['--set <NAME=value...>', 'new values; the other variables keep theirs']],
  examples: ['pharos servers variables survival', 'pharos servers variables survival --set "MOTD=Hello there"'],
  options: z.object({ server: z.string().min(1), set: z.array(z.string()).default([]) }),
  async run({ server, set }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const { client } = connection
    const startup =
      set.length > 0
        ? await client.updateStartup({ params, body: { variables: variables(set) } })
        : await client.startup({ params })
    out.result(startup.variables, () =>
      table(
        ['name', 'value', 'what it is'],
        startup.variables.map(({ name, value, label }) => [name, value, label]),
      ),
    )
  },
})
