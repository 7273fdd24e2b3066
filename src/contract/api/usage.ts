import { z } from 'zod'
import { Time } from '../fields.ts'
import { operation } from '../operation.ts'

/** `days` comes as text: anything but a whole number from 1 to 365 is refused. */
const Days = z
  .string()
  .regex(/^[0-9]{1,3}$/, 'must be a whole number from 1 to 365')
  .transform(Number)
  .pipe(z.int().min(1).max(365))
  .default(30)

const Totals = {
  bytesIn: z.int().meta({ description: 'From visitors' }),
  bytesOut: z.int().meta({ description: 'To visitors' }),
  connections: z.int(),
  requests: z.int(),
}

export const Usage = z
  .strictObject({
    totalBytes: z.int().meta({ description: 'Through the workspace’s tunnels, both directions' }),
    peakTunnels: z.int().meta({ description: 'The most tunnels open at one moment' }),
    eventCount: z.int().meta({ description: 'Usage events: one per HTTP request and one per raw connection' }),
    lastSeen: Time.nullable(),
    ...Totals,
    series: z
      .array(z.strictObject({ day: Time, bytes: z.int(), peakTunnels: z.int(), ...Totals }))
      .meta({ description: 'One entry per UTC day that saw traffic, oldest first' }),
    tunnels: z
      .array(z.strictObject({ id: z.string(), name: z.string(), bytes: z.int(), ...Totals }))
      .meta({ description: 'The same by tunnel, most bytes first' }),
  })
  .meta({ id: 'Usage' })

export const usageOperations = {
  usage: operation({
    family: 'control',
    tag: 'Usage',
    method: 'GET',
    path: '/usage',
    summary: 'Traffic in all and per day',
    mcp: { tool: 'get_usage' },
    access: { workspace: 'usage.read' },
    query: z.object({ days: Days.meta({ description: 'How many UTC days, today included: 1 to 365' }) }),
    reply: Usage,
    errors: [],
  }),
}
