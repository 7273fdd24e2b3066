import { z } from 'zod'
import { type AgentEvent, type EdgeTransport, startAgent, type WantedTunnel } from '../../../agent/index.ts'
import { createLog } from '../../../lib/log.ts'
import { CommandError, type Tools } from '../../command.ts'

/** How the edge is reached; `tcp` is what the settings of a node call `direct`. */
export const Transport = z
  .enum(['auto', 'tcp', 'websocket'])
  .default('auto')
  .transform((way): EdgeTransport => (way === 'tcp' ? 'direct' : way))

export const transportHelp =
  'how to reach the edge: tcp (its own port), websocket (through networks that let only HTTPS or HTTP through), or auto: tcp, and websocket where that fails'

/**
 * Keeps these tunnels open on every edge until Ctrl-C, telling what happens. Ends with a `CommandError` once none of them can
 * be open any more.
 */
export async function forwardUntilStopped(
  tunnels: readonly WantedTunnel[],
  { connect, out, signal }: Tools,
  transport: EdgeTransport,
): Promise<void> {
  const { client, key } = await connect()
  const { edges } = await client.edges()
  if (edges.length === 0) throw new CommandError('This panel has no edge yet, so nothing can be reached through it.')
  const waiting = new Map(tunnels.map((tunnel) => [tunnel.id, tunnel]))
  const shown = new Set<string>()
  let wasUp = false
  const ended = Promise.withResolvers<void>()
  // An interrupted run ends as it was asked to: that is success.
  signal.addEventListener('abort', () => ended.resolve(), { once: true })

  const giveUp = (id: string, why: string): void => {
    waiting.delete(id)
    if (waiting.size > 0) out.talk(`${id}: ${why}`)
    else ended.reject(new CommandError(`${id}: ${why}`))
  }
  const onEvent = (event: AgentEvent): void => {
    const edge = `${event.edge.host}:${event.edge.port}`
    switch (event.type) {
      case 'up':
        wasUp = true
        out.talk(`linked to ${edge}`)
        break
      case 'down':
        // A key that was good a moment ago may be so again: a suspension ends, a panel comes back with its data.
        if (event.code === 'unauthorized' && !wasUp) ended.reject(new CommandError(`${edge}: ${event.reason}`))
        else out.talk(`link to ${edge} lost (${event.reason}); trying again in ${seconds(event.retryMs)}`)
        break
      case 'opened': {
        const target = waiting.get(event.id)?.target
        const local = `${target?.host}:${target?.port}`
        const udpToo = waiting.get(event.id)?.request.kind === 'tcp+udp' ? ' and over UDP' : ''
        if (shown.has(event.url)) out.talk(`${event.id} is open again`)
        else out.event({ name: event.id, url: event.url, local }, () => `${event.url}${udpToo} -> ${local}`)
        shown.add(event.url)
        break
      }
      case 'refused':
        if (event.retryMs === null) giveUp(event.id, event.message)
        else out.talk(`${event.id}: ${event.message} Trying again in ${seconds(event.retryMs)}.`)
        break
      case 'closed':
        giveUp(event.id, `closed: ${event.reason}`)
        break
    }
  }
  await using _agent = startAgent({
    edges: ofOneRegion(edges).map(({ host, port, pin }) => ({ host, port, pin })),
    credential: () => key,
    tunnels: [...tunnels],
    followEdges: true,
    transport,
    log: createLog({ level: 'error', name: 'agent' }),
    onEvent,
  })
  if (signal.aborted) return
  await ended.promise
  out.talk('closed')
}

/** An agent links to every edge of one region: the one that a new edge is in unless told otherwise, where there is one. */
function ofOneRegion<T extends { region: string; online: boolean }>(edges: readonly T[]): T[] {
  const here = edges.find(({ region, online }) => region === 'default' && online) ?? edges.find(({ online }) => online)
  const region = here?.region ?? edges[0]?.region
  return edges.filter((edge) => edge.region === region)
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
