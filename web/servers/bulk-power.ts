import { ApiError } from '../../src/client/index.ts'
import { type PowerAction, powerRules, type Refusal } from '../../src/contract/power.ts'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { type ServerListItem, shortId } from './queries.ts'

/** Requests under way together: quick for a few hundred servers, and nobody else of the panel notices. */
const togetherMax = 4
/** Waited where the panel asks for patience and does not say how long, seconds. */
const patienceSeconds = 5

/** How it went with one server: it was done, was so already, was refused with these words, or was not even asked for. */
export type PowerOutcome =
  | { state: 'waiting' | 'done' | 'already' }
  | { state: 'refused'; reason: string }
  | { state: 'ruledOut'; refusal: Refusal }

/** Asks for the same of many servers, a few at a time. Where the panel says that this is too fast, it waits as long as the panel says. */
export async function powerAll(
  servers: readonly ServerListItem[],
  action: PowerAction,
  signal: AbortSignal,
  onOutcome: (id: string, outcome: PowerOutcome) => void,
): Promise<void> {
  const queue = servers.values()
  const work = async (): Promise<void> => {
    for (const server of queue) {
      if (signal.aborted) return
      onOutcome(server.id, await powerOne(server, action, signal))
    }
  }
  await Promise.all(Array.from({ length: togetherMax }, work))
}

async function powerOne(server: ServerListItem, action: PowerAction, signal: AbortSignal): Promise<PowerOutcome> {
  const verdict = powerRules[action][server.status]
  if (verdict === 'done') return { state: 'already' }
  if (verdict !== 'do') return { state: 'ruledOut', refusal: verdict }
  for (;;)
    try {
      await api.power({ params: { serverId: shortId(server.id) }, body: { action } }, { signal })
      return { state: 'done' }
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 'rate_limited') || signal.aborted)
        return { state: 'refused', reason: errorText(error) }
      const seconds = error.retryAfterSeconds ?? patienceSeconds
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    }
}
