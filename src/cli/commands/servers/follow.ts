import type { z } from 'zod'
import { ApiError } from '../../../client/index.ts'
import type { ServerEvent } from '../../../contract/api/servers.ts'
import { backoffMs, reconnectBackoff } from '../../../lib/backoff.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Connection } from '../../command.ts'

type Event = z.output<typeof ServerEvent>

/** The most that a panel sends when it is asked again: what was missed meanwhile is in it, as long as it was not more. */
const backlogLinesMax = 1_000

/**
 * The events of a server, each console line once and in order, also over restarts of the panel and a line that was too slow:
 * it then says so with `talk` and connects again, for as long as `signal` lets it. Resolves, once it is connected, to the
 * events; they end when the server is deleted, and throw the panel's refusal.
 */
export async function followServer(
  connection: Pick<Connection, 'serverEvents'>,
  { serverId, backlog }: { serverId: string; backlog: number },
  { signal, talk, clock }: { signal: AbortSignal; talk: (line: string) => void; clock: Clock },
): Promise<AsyncIterable<Event>> {
  const open = (lines: number) => connection.serverEvents({ params: { serverId }, query: { backlog: lines } }, signal)
  const first = await open(backlog)
  return (async function* () {
    let events: AsyncIterable<Event> | null = first
    let lastSeq: number | null = null
    for (let attempt = 0; ; attempt += 1) {
      try {
        events ??= await open(backlogLinesMax)
        for await (const event of events) {
          attempt = 0
          if (event.type !== 'console') {
            yield event
            continue
          }
          const lines = event.lines.filter(({ seq }) => lastSeq === null || seq > lastSeq)
          const [next] = lines
          if (!next) continue
          if (lastSeq !== null && next.seq > lastSeq + 1) talk(`${next.seq - lastSeq - 1} lines were missed.`)
          lastSeq = lines.at(-1)?.seq ?? lastSeq
          yield { ...event, lines }
        }
        return
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof ApiError) || error.code !== 'unreachable') throw error
        talk(`${error.message} Connecting again.`)
        events = null
        await clock.sleep(backoffMs(attempt, reconnectBackoff), signal)
      }
    }
  })()
}
