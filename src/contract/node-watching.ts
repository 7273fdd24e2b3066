import { z } from 'zod'

/** Players of one game: more than any server takes, so that a made-up number does no harm in sums and graphs. */
export const playersMax = 100_000

/** Names that one answer may carry: what people read, whatever a game claims. */
export const playerNamesMax = 500

/** Console lines kept with an incident: the last page before it, where the reason stands. */
export const incidentLinesMax = 40

const Count = z.int().min(0).max(playersMax)

/** What a game answered when it was asked who plays. Every text of it was written by strangers; controls are taken out. */
export const Players = z.strictObject({
  /** Null where the game answers without saying it. */
  online: Count.nullable(),
  max: Count.nullable(),
  /** Of some players or of all: many games name a few only. */
  names: z.array(z.string().max(64)).max(playerNamesMax),
  /** What players read in their list of servers. */
  description: z.string().max(300).nullable(),
  version: z.string().max(100).nullable(),
  latencyMs: z.int().min(0),
  at: z.int().meta({ description: 'ms since 1970' }),
})
export type Players = z.output<typeof Players>

/** Something went wrong with a server that ran: it crashed, or gave no sign of life any more. */
export const Incident = z.strictObject({
  id: z.string().regex(/^[0-9a-z-]{1,40}$/),
  kind: z.enum(['crash', 'hang']),
  at: z.int().meta({ description: 'ms since 1970' }),
  /** In words, as the console has it. */
  message: z.string().max(300),
  /** Of a crash: how its process ended. */
  code: z.int().nullable(),
  signal: z.string().max(32).nullable(),
  outOfMemory: z.boolean(),
  /** Of a hang: it is restarted. What follows a crash the crash policy decides. */
  restarts: z.boolean(),
  /** The last lines of its console, oldest first, each cut. */
  lines: z.array(z.string().max(500)).max(incidentLinesMax),
})
export type Incident = z.output<typeof Incident>
