import { z } from 'zod'
import { Time } from '../fields.ts'
import { LogLevel, logLevelMsMax } from '../log-level.ts'
import { operation } from '../operation.ts'

const minuteMs = 60_000

/** Where the log says more or less than the part was started with. */
export const LogLevelChange = z
  .strictObject({
    part: z.string().meta({
      description: '`panel`: every panel of the installation; else a node or an edge by its id',
      example: 'panel',
    }),
    kind: z.enum(['panel', 'node', 'edge']),
    name: z.string(),
    level: LogLevel,
    until: Time.meta({ description: 'Then it is again what the part was started with' }),
  })
  .meta({ id: 'LogLevelChange' })

const base = { family: 'control', tag: 'Instance', access: 'instance' } as const
const OfPart = z.object({ part: z.string().min(1).max(100) })

export const logLevelOperations = {
  logLevels: operation({
    ...base,
    method: 'GET',
    path: '/log-levels',
    summary: 'Which logs say more or less than usual at the moment',
    reply: z.strictObject({ levels: z.array(LogLevelChange) }),
    errors: [],
  }),
  setLogLevel: operation({
    ...base,
    method: 'PUT',
    path: '/log-levels/{part}',
    summary: 'Log more or less for a while: of `panel`, or of a node or an edge by its id',
    description:
      'No restart: it holds at once, or as soon as a part that is away comes back, and ends by itself. What a part was started with (`log-level`) stays as it is.',
    params: OfPart,
    body: z.strictObject({
      level: LogLevel,
      minutes: z
        .int()
        .min(1)
        .max(logLevelMsMax / minuteMs)
        .default(15),
    }),
    reply: LogLevelChange.extend({
      reached: z.boolean().meta({ description: 'False: it is away, and hears of it when it comes back in that time' }),
    }),
    errors: ['not_found', 'conflict'],
  }),
  resetLogLevel: operation({
    ...base,
    method: 'DELETE',
    path: '/log-levels/{part}',
    summary: 'Log again what the part was started with; one that does is left as it is',
    params: OfPart,
    reply: z.strictObject({ part: z.string(), reset: z.literal(true) }),
    errors: ['not_found'],
  }),
}
