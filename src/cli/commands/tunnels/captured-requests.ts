import type { z } from 'zod'
import type { CapturedBody, CapturedRequest, CapturedRequestSummary } from '../../../contract/api/inspection.ts'
import { captureBounds } from '../../../contract/tunnel-capture.ts'
import { CommandError, type Connection } from '../../command.ts'
import { bytes, facts } from '../../output.ts'

/** The id of the tunnel that is called so, or has that id. */
export async function tunnelIdOf({ client }: Pick<Connection, 'client'>, name: string): Promise<string> {
  const { tunnels } = await client.tunnels()
  const found = tunnels.find(({ id }) => id === name) ?? tunnels.find((one) => one.name === name)
  if (!found) throw new CommandError(`There is no tunnel "${name}". "pharos list" shows what there is.`)
  return found.id
}

/** The id of the request that the list shows so; `last` is the newest. */
export async function requestIdOf(
  { client }: Pick<Connection, 'client'>,
  tunnel: string,
  shown: string,
): Promise<string> {
  if (shown.includes('.')) return shown
  const { requests } = await client.tunnelRequests({
    params: { tunnel },
    query: { limit: `${captureBounds.requestsMax}` },
  })
  const found = shown === 'last' ? requests[0] : requests.find(({ id }) => shortIdOf(id) === shown)
  if (found) return found.id
  throw new CommandError(
    requests.length === 0
      ? 'No request of this tunnel is kept. They come with visitors: "pharos inspect <tunnel> --follow" waits for them.'
      : `No request "${shown}" is kept any more. "pharos inspect <tunnel>" shows those that are.`,
  )
}

/** Without the edge that has seen it. */
export const shortIdOf = (id: string): string => id.slice(id.indexOf('.') + 1)

/** What a request came to, in a word. */
export function outcomeOf({ state, status, problem, webSocket }: CapturedRequestSummary): string {
  if (state === 'open') return webSocket && status === 101 ? 'open' : '...'
  return [status ?? '', problem?.replaceAll('_', ' ') ?? ''].filter((part) => part !== '').join(' ') || '-'
}

/** How long it took, as far as it is over. */
export const tookOf = ({ tookMs }: CapturedRequestSummary): string =>
  tookMs === null ? '' : `${Math.round(tookMs)} ms`

/** One request with headers and bodies, for people. */
export function wholeText(one: z.output<typeof CapturedRequest>): string {
  const parts = [
    facts([
      ['request', shortIdOf(one.id)],
      ['at', one.at],
      ['from', one.address],
      ['by', one.webSocket ? `${one.protocol}, a WebSocket` : one.protocol],
      ['outcome', outcomeOf(one)],
      ['answered', one.answeredAfterMs === null ? null : `after ${one.answeredAfterMs} ms`],
      ['took', one.tookMs === null ? null : `${one.tookMs} ms`],
      ['bytes', `${one.bytesIn} in, ${one.bytesOut} out`],
      ['repeats', one.replayOf === null ? null : shortIdOf(one.replayOf)],
    ]),
    `${one.method} ${one.target}${one.targetCut ? '…' : ''}`,
  ]
  if (!one.request) {
    parts.push('Headers and bodies were not kept. "pharos capture <tunnel> full" keeps those of requests to come.')
    return parts.join('\n\n')
  }
  parts.push(messageText(one.request))
  if (one.response) parts.push(`${one.status}\n${messageText(one.response)}`)
  return parts.join('\n\n')
}

type Message = NonNullable<z.output<typeof CapturedRequest>['request']>

const messageText = ({ headers, body }: Message): string =>
  [...headers.map(({ name, value }) => `${name}: ${value}`), '', bodyText(body)].join('\n').trimEnd()

function bodyText(body: CapturedBody): string {
  if (body.bytes === 0) return ''
  const kept = Buffer.from(body.base64, 'base64').length
  const cut = body.cut ? `\n(cut: the first ${bytes(kept)} of ${bytes(body.bytes)})` : ''
  if (body.text === null) return `(${bytes(body.bytes)} that are no text)${cut}`
  return `${body.text}${body.textCut && !body.cut ? '\n(cut)' : ''}${cut}`
}
