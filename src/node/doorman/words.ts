import { sleepingBegins } from '../../contract/power.ts'
import type { GameQuery } from '../../contract/template.ts'

/** What visitors of a server that does not run are told, and what people read about it. */

export interface Said {
  title: string
  message: string
}

const aboutSeconds = (ms: number): string => {
  const seconds = Math.max(5, Math.ceil(ms / 5_000) * 5)
  return seconds >= 90 ? `${Math.ceil(seconds / 60)} minutes` : `${seconds} seconds`
}

export const asleepSaid = (name: string): Said => ({
  title: 'Sleeping',
  message: `${name} is asleep: join to wake it.`,
})

/** @param startMs how long its last start took, or null. */
export const startingSaid = (name: string, startMs: number | null): Said => ({
  title: 'Starting',
  message:
    startMs === null
      ? `${name} is starting. Come back in a moment.`
      : `${name} is starting, which takes about ${aboutSeconds(startMs)}. Come back then.`,
})

export const refusedSaid = (name: string, why: string): Said => ({
  title: 'Cannot be woken now',
  message: `${name} is asleep. ${why}`,
})

/** What somebody reads about a sleeping server in the panel. */
export function sleepingWords(speaks: GameQuery['kind'] | null): string {
  if (speaks === null) return `${sleepingBegins} whoever connects to one of its ports wakes it.`
  if (speaks === 'luanti') return `${sleepingBegins} whoever looks for it in the game wakes it.`
  return `${sleepingBegins} a player who joins wakes it.`
}
