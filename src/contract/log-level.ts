import { z } from 'zod'

/** How much is logged, from most to nothing. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

export const LogLevel = z.enum(logLevels)
export type LogLevel = z.output<typeof LogLevel>

/** The longest that a log may differ from what it was started with: nobody forgets a debug log for weeks. In ms. */
export const logLevelMsMax = 24 * 60 * 60_000

/** What a panel tells a node or an edge of its log. */
export const LogLevelOrder = z.strictObject({
  /** Null: what it was started with. */
  level: LogLevel.nullable(),
  /** After this it is again what it was started with, told or not. */
  forMs: z.int().min(0).max(logLevelMsMax),
})
export type LogLevelOrder = z.output<typeof LogLevelOrder>
