import { z } from 'zod'
import { command } from '../command.ts'
import { bytes, facts, table } from '../output.ts'

export const showUsage = command({
  path: 'usage',
  summary: 'Show the traffic of the workspace’s tunnels',
  flags: [['--days <count>', 'how many UTC days, today included: 1 to 365']],
  examples: ['pharos usage', 'pharos usage --days 7 --json'],
  options: z.object({ days: z.coerce.number().int().min(1).max(365).default(30) }),
  async run({ days }, { connect, out }) {
    const { client } = await connect()
    const usage = await client.usage({ query: { days: String(days) } })
    out.result(usage, () =>
      [
        facts([
          ['bytes', `${bytes(usage.totalBytes)} (${bytes(usage.bytesIn)} in, ${bytes(usage.bytesOut)} out)`],
          ['connections', String(usage.connections)],
          ['requests', String(usage.requests)],
          ['peak tunnels', String(usage.peakTunnels)],
          ['last seen', usage.lastSeen ?? 'never'],
        ]),
        ...(usage.series.length > 0
          ? [
              table(
                ['day', 'bytes', 'peak tunnels'],
                usage.series.map((one) => [one.day.slice(0, 10), bytes(one.bytes), String(one.peakTunnels)]),
              ),
            ]
          : []),
      ].join('\n\n'),
    )
  },
})
