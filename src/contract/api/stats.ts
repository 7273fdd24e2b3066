import { z } from 'zod'
import { Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { OfServer } from './servers.ts'

/** How far back a graph goes. */
export const statsRanges = ['1h', '6h', '24h', '7d', '30d', '90d'] as const
export type StatsRange = (typeof statsRanges)[number]

const series = (schema: z.ZodType<number>, description: string) => z.array(schema.nullable()).meta({ description })

export const ServerStats = z
  .strictObject({
    range: z.enum(statsRanges),
    stepSeconds: z.int().meta({ description: 'How much time one point stands for' }),
    from: Time,
    to: Time,
    at: z.array(z.int()).meta({ description: 'When each point begins, in seconds since 1970: the x axis of the rest' }),
    cpu: z.strictObject({
      average: series(z.number(), 'Cores; null where nothing was measured'),
      peak: series(z.number(), 'Cores'),
    }),
    memory: z.strictObject({
      average: series(z.int(), 'Bytes'),
      peak: series(z.int(), 'Bytes'),
    }),
    disk: series(z.int(), 'Bytes, at the end of the point'),
    networkRx: series(z.int(), 'Bytes received during the point; null where the machine cannot tell'),
    networkTx: series(z.int(), 'Bytes sent during the point'),
    players: series(z.int(), 'The most at one moment; null where the game does not say it'),
  })
  .meta({ id: 'ServerStats' })

export const statsOperations = {
  serverStats: operation({
    method: 'GET',
    path: '/servers/{serverId}/stats',
    family: 'panel',
    tag: 'Servers',
    summary: 'What the server has used over time, as arrays for a graph',
    description:
      'A point a minute for 24 hours, one every five minutes for 7 days, one an hour for 90 days. Whoever may see the server sees what it uses now, and so also what it has used.',
    mcp: { tool: 'get_server_stats' },
    access: { server: 'visible' },
    params: OfServer,
    query: z.object({ range: z.enum(statsRanges).default('24h') }),
    reply: ServerStats,
    errors: [],
  }),
}
