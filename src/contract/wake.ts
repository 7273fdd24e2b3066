import { z } from 'zod'

/** After how long without players a server goes to sleep, in minutes: one from which it wakes at once again would only annoy; a day is as good as never. */
export const IdleMinutes = z.int().min(1).max(1440)

/** What is chosen for a server of which only the switch was turned. Long enough for a meal. */
export const idleMinutesDefault = 15

/** Whether a server sleeps while nobody uses it and wakes when somebody connects. */
export const WakeOnConnect = z
  .strictObject({
    enabled: z.boolean().meta({
      description:
        'While nobody uses it the server sleeps: it is stopped and its ports stay open. The first visitor starts it',
    }),
    idleMinutes: IdleMinutes.meta({
      description:
        'How long nobody may have used it: without players where the game is asked who plays, else without an open connection. Where neither can be known it is never put to sleep',
    }),
  })
  .meta({ id: 'WakeOnConnect' })

/** Naps in one state of a server: more than happen while a panel is away for a moment. */
export const napsMax = 10

/** A server fell asleep, or was woken by a visitor. */
export const Nap = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{8}$/),
  kind: z.enum(['slept', 'woke']),
  at: z.int().meta({ description: 'ms since 1970' }),
  /** In words; a player's name in it was written by a stranger. */
  why: z.string().max(200),
  /** From where it was woken. */
  address: z.string().max(64).nullable(),
})
export type Nap = z.output<typeof Nap>
