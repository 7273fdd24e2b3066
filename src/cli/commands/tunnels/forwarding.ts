import { z } from 'zod'
import { type Agent, type AgentEvent, type EdgeTransport, startAgent, type WantedTunnel } from '../../../agent/index.ts'
import { createLog } from '../../../lib/log.ts'
import { CommandError, type Connection, type Tools } from '../../command.ts'
import { qrCode } from '../../output.ts'

/** How the edge is reached; `tcp` is what the settings of a node call `direct`. */
export const Transport = z
  .enum(['auto', 'tcp', 'websocket'])
  .default('auto')
  .transform((way): EdgeTransport => (way === 'tcp' ? 'direct' : way))

export const transportHelp =
  'how to reach the edge: tcp (its own port), websocket (through networks that let only HTTPS or HTTP through), or auto: tcp, and websocket where that fails'

/**
 * Links to every edge of one region of the panel and keeps these tunnels open until disposed of.
 * Throws a `CommandError` where there is no edge.
 */
export async function linkToEdges(
  { client, key }: Pick<Connection, 'client' | 'key'>,
  options: { tunnels: readonly WantedTunnel[]; transport: EdgeTransport; onEvent(event: AgentEvent): void },
): Promise<Agent> {
  const { edges } = await client.edges()
  if (edges.length === 0) throw new CommandError('This panel has no edge yet, so nothing can be reached through it.')
  return startAgent({
    edges: ofOneRegion(edges).map(({ host, port, pin }) => ({ host, port, pin })),
    credential: () => key,
    tunnels: [...options.tunnels],
    followEdges: true,
    transport: options.transport,
    log: createLog({ level: 'silent', name: 'agent' }),
    onEvent: options.onEvent,
  })
}

/** What has happened, in a line for people. */
export function inWords(event: AgentEvent): string {
  const edge = `${event.edge.host}:${event.edge.port}`
  switch (event.type) {
    case 'up':
      return `linked to ${edge}`
    case 'down':
      return `link to ${edge} lost (${event.reason}); trying again in ${seconds(event.retryMs)}`
    case 'opened':
      return `${event.id} is open at ${event.url}`
    case 'refused':
      return event.retryMs === null
        ? `${event.id}: ${event.message}`
        : `${event.id}: ${event.message} Trying again in ${seconds(event.retryMs)}.`
    case 'closed':
      return `${event.id}: closed: ${event.reason}`
    case 'unreachable':
      return `${event.id}: ${event.message}`
  }
}

/** Says the same again only after a while: a page that asks for fifty files finds the service missing fifty times. */
export function seldom(say: (line: string) => void, now: () => number): (line: string) => void {
  const said = new Map<string, number>()
  return (line) => {
    for (const [other, at] of said) if (now() - at >= sameAgainMs) said.delete(other)
    if (said.has(line)) return
    said.set(line, now())
    say(line)
  }
}

const sameAgainMs = 10_000

/**
 * Keeps these tunnels open on every edge until Ctrl-C, telling what happens. Ends with a `CommandError` once none of them can
 * be open any more.
 */
export async function forwardUntilStopped(
  tunnels: readonly WantedTunnel[],
  connection: Connection,
  { out, signal, now }: Tools,
  { transport, qr = false }: { transport: EdgeTransport; qr?: boolean },
): Promise<void> {
  const waiting = new Map(tunnels.map((tunnel) => [tunnel.id, tunnel]))
  const shown = new Set<string>()
  let wasUp = false
  const ended = Promise.withResolvers<void>()
  // An interrupted run ends as it was asked to: that is success.
  signal.addEventListener('abort', () => ended.resolve(), { once: true })

  const giveUp = (event: AgentEvent & { id: string }): void => {
    waiting.delete(event.id)
    if (waiting.size > 0) out.talk(inWords(event))
    else ended.reject(new CommandError(inWords(event)))
  }
  const complain = seldom((line) => out.talk(line), now)
  const onEvent = (event: AgentEvent): void => {
    switch (event.type) {
      case 'up':
        wasUp = true
        out.talk(inWords(event))
        break
      case 'down':
        // A key that was good a moment ago may be so again: a suspension ends, a panel comes back with its data.
        if (event.code === 'unauthorized' && !wasUp)
          ended.reject(new CommandError(`${event.edge.host}:${event.edge.port}: ${event.reason}`))
        else out.talk(inWords(event))
        break
      case 'opened': {
        const target = waiting.get(event.id)?.target
        const local = `${target?.host}:${target?.port}`
        const udpToo = waiting.get(event.id)?.request.kind === 'tcp+udp' ? ' and over UDP' : ''
        if (shown.has(event.url)) out.talk(`${event.id} is open again`)
        else {
          out.event({ name: event.id, url: event.url, local }, () => `${event.url}${udpToo} -> ${local}`)
          if (qr) out.talk(qrCode(event.url))
        }
        shown.add(event.url)
        break
      }
      case 'refused':
        if (event.retryMs === null) giveUp(event)
        else out.talk(inWords(event))
        break
      case 'closed':
        giveUp(event)
        break
      case 'unreachable':
        complain(inWords(event))
        break
    }
  }
  await using _agent = await linkToEdges(connection, { tunnels, transport, onEvent })
  if (signal.aborted) return
  await ended.promise
  out.talk('closed')
}

/** An agent links to every edge of one region: the one that a new edge is in unless told otherwise, where there is one. */
export function ofOneRegion<T extends { region: string; online: boolean }>(edges: readonly T[]): T[] {
  const here = edges.find(({ region, online }) => region === 'default' && online) ?? edges.find(({ online }) => online)
  const region = here?.region ?? edges[0]?.region
  return edges.filter((edge) => edge.region === region)
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
