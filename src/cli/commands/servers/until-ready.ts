import type { z } from 'zod'
import type { ServerEvent } from '../../../contract/api/servers.ts'
import { CommandError } from '../../command.ts'

type Event = z.output<typeof ServerEvent>
type Status = Pick<Extract<Event, { type: 'status' }>, 'status' | 'message'>

/**
 * Tells what happens until the server is where it was asked to be. Only its events are believed: they are in order, while an answer
 * that is asked for meanwhile may come from another panel, which does not know yet.
 * @param start it shall run, not only be installed
 * @returns its status then; throws `CommandError` when it failed, or was deleted
 */
export async function untilReady(
  events: AsyncIterable<Event>,
  { id, start, talk }: { id: string; start: boolean; talk: (line: string) => void },
): Promise<Status> {
  let last = ''
  let wasStarting = false
  for await (const event of events) {
    if (event.type === 'console') for (const line of event.lines) talk(`  ${line.text}`)
    if (event.type !== 'status') continue
    const { status, message } = event
    const words = `${status}${message ? `: ${message}` : ''}`
    if (words !== last) talk(words)
    last = words
    wasStarting ||= status === 'starting'
    if (status === 'running' || (!start && status === 'offline')) return { status, message }
    if (status === 'install_failed') throw failed(id, 'could not be installed', message)
    // One that could not even be tried, for want of its port, was never starting: its message says so.
    if (status === 'offline' && (wasStarting || message !== null)) throw failed(id, 'did not start', message)
  }
  throw new CommandError(`${id} was deleted.`)
}

const failed = (id: string, what: string, message: string | null): CommandError =>
  new CommandError(
    `${id} ${what}${message ? `: ${message}` : '.'}\n"pharos servers console ${id.replace('servers/', '')}" shows its log.`,
  )
