import type { z } from 'zod'
import type { publicSockets } from '../../src/contract/api/index.ts'
import type { ServerEvent } from '../../src/contract/api/servers.ts'
import { keepLive, type LiveConnection, type Liveness } from '../api/live.ts'

export type ConsoleLine = Extract<z.output<typeof ServerEvent>, { type: 'console' }>['lines'][number]

export interface ConsoleFeedOptions {
  serverId: string
  /** Lines that were not shown before, in order. */
  onLines(lines: readonly ConsoleLine[]): void
  onLiveness(liveness: Liveness): void
  /** A command was not accepted. */
  onRefused(reason: string): void
}

/** How many lines are asked for at the beginning, and again after a break. */
export const backlogLines = 1000

/** The lines of one console as they come. After a break it goes on where it was: each line is given once. */
export function openConsoleFeed({
  serverId,
  onLines,
  onLiveness,
  onRefused,
}: ConsoleFeedOptions): LiveConnection<(typeof publicSockets)['serverEvents']> {
  let newest = -1
  return keepLive(
    'serverEvents',
    { params: { serverId }, query: { backlog: backlogLines } },
    {
      onLiveness: (liveness) => onLiveness(liveness),
      onRefused: () => onLiveness('lost'),
      onMessage(event) {
        if (event.type === 'refused') onRefused(event.reason)
        if (event.type !== 'console') return
        // Another run of the node counts from the start again.
        const last = event.lines.at(-1)
        if (last && last.seq < newest - backlogLines) newest = -1
        const fresh = event.lines.filter(({ seq }) => seq > newest)
        if (fresh.length === 0) return
        newest = fresh.at(-1)?.seq ?? newest
        onLines(fresh)
      },
    },
  )
}
