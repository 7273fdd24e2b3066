import { z } from 'zod'
import { command, UsageError } from '../command.ts'
import { table } from '../output.ts'
import { findServer } from './servers/find.ts'

/** The API's largest page. */
const linesMax = 100

export const showActivity = command({
  path: 'activity',
  summary: 'Show what was done and what was denied: who, what, when, from where',
  args: [['[server]', 'of one server; of the whole workspace without it']],
  flags: [
    ['--mine', 'what was done in your name, wherever, and where you signed in'],
    ['-n, --lines <count>', `how many of the newest, 1 to ${linesMax}`],
  ],
  examples: ['pharos activity', 'pharos activity survival --lines 100', 'pharos activity --mine --json'],
  options: z.object({
    server: z.string().min(1).optional(),
    mine: z.boolean().default(false),
    lines: z.coerce.number().pipe(z.int().min(1).max(linesMax)).default(50),
  }),
  async run({ server, mine, lines }, { connect, out }) {
    if (mine && server !== undefined) throw new UsageError('Choose one: a server, or --mine.')
    const connection = await connect()
    const { client } = connection
    const query = { limit: lines }
    const page =
      server !== undefined
        ? await client.serverActivity({ params: { serverId: await findServer(connection, server) }, query })
        : mine
          ? await client.accountActivity({ query })
          : await client.workspaceActivity({ query })
    out.result(page, () =>
      table(
        ['when', 'who', 'what', 'about', 'outcome', 'from'],
        page.entries.map((entry) => [
          entry.at,
          `${entry.email ?? '-'}${entry.via === null || entry.via === 'session' ? '' : ` (${entry.via})`}`,
          entry.permission ?? entry.operation,
          [entry.serverId, entry.subject].filter(Boolean).join(' ') || '-',
          entry.code ?? entry.outcome,
          entry.address ?? '-',
        ]),
      ),
    )
  },
})
