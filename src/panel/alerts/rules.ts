import type { WebhookEventName } from '../../contract/api/webhooks.ts'
import type { ServerState } from '../../contract/node.ts'
import { exitToOfflineMs, nearlyFull, notFullAgain } from './limits.ts'

/** What a server's state means to somebody who wants to be told; null where it means nothing. */
export function stateEvent({ phase, since, lastExit }: ServerState): WebhookEventName | null {
  if (phase === 'running') return 'server.started'
  if (phase === 'install_failed') return 'server.install_failed'
  // After an installation it is offline without having run, and after a crash that is told instead.
  const ended = phase === 'offline' && lastExit !== null && Math.abs(since - lastExit.at) <= exitToOfflineMs
  return ended && !lastExit.crashed ? 'server.stopped' : null
}

/** Whether something is nearly used up, where it was (`before`) or was not. */
export function fullness(used: number, most: number, before: string | undefined): 'ok' | 'nearly' {
  const share = most > 0 ? used / most : 0
  return share >= (before === 'nearly' ? notFullAgain : nearlyFull) ? 'nearly' : 'ok'
}
