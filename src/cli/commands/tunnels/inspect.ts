import { z } from 'zod'
import type { CapturedRequestSummary } from '../../../contract/api/inspection.ts'
import { captureBounds } from '../../../contract/tunnel-capture.ts'
import { command, type Tools, UsageError } from '../../command.ts'
import { bytes, table } from '../../output.ts'
import { outcomeOf, requestIdOf, shortIdOf, tookOf, tunnelIdOf, wholeText } from './captured-requests.ts'

/** How long one question waits for news, seconds. */
const waitSeconds = 20

/** Questions are no closer than this, ms: a busy tunnel is told of in batches, and the key has other things to do. */
const questionsApartMs = 1_000

export const inspectTunnel = command({
  path: 'inspect',
  summary: 'Show what visitors ask of a tunnel: the last requests, one of them, or each as it comes',
  description:
    'Headers and bodies are kept only once "pharos capture <tunnel> full" says so. Values that prove who somebody is are hidden.',
  args: [
    ['<tunnel>', 'its name or id'],
    ['[request]', 'show this one, as the list names it; "last" is the newest'],
  ],
  flags: [
    ['-n, --limit <count>', `how many of the newest, 1 to ${captureBounds.requestsMax} [20]`],
    ['-f, --follow', 'go on with those that come, until Ctrl-C'],
  ],
  examples: [
    'pharos inspect web',
    'pharos inspect web --follow',
    'pharos inspect web last',
    'pharos inspect web --json',
  ],
  handlesInterrupt: true,
  options: z.object({
    tunnel: z.string().min(1),
    request: z.string().min(1).optional(),
    limit: z.coerce.number().pipe(z.int().min(1).max(captureBounds.requestsMax)).default(20),
    follow: z.boolean().default(false),
  }),
  async run({ tunnel: name, request, limit, follow }, tools) {
    if (request !== undefined && follow) throw new UsageError('--follow: is for the list, not for one request')
    const connection = await tools.connect()
    const tunnel = await tunnelIdOf(connection, name)
    if (follow) return followRequests(tunnel, limit, tools)
    if (request !== undefined) {
      const id = await requestIdOf(connection, tunnel, request)
      const found = await connection.client.tunnelRequest({ params: { tunnel, request: id } })
      return tools.out.result(found, () => wholeText(found))
    }
    const { requests, complete } = await connection.client.tunnelRequests({
      params: { tunnel },
      query: { limit: String(limit) },
    })
    if (!complete) tools.out.talk('An edge did not answer: what it knows is missing.')
    tools.out.result(requests, () =>
      requests.length === 0
        ? `No request of ${name} is kept. They come with visitors: "pharos inspect ${name} --follow" waits for them.`
        : table(
            ['request', 'at', 'from', 'method', 'outcome', 'took', 'in', 'out', 'target'],
            requests.map((one) => [
              shortIdOf(one.id),
              one.at,
              one.address,
              one.method,
              outcomeOf(one),
              tookOf(one),
              bytes(one.bytesIn),
              bytes(one.bytesOut),
              one.target,
            ]),
          ),
    )
  },
})

/** Each request once it is over, or has become a WebSocket; with `--json` whenever there is something new of it. */
async function followRequests(tunnel: string, limit: number, { connect, out, signal }: Tools): Promise<void> {
  const { client } = await connect()
  const shown = new Set<string>()
  const show = (one: CapturedRequestSummary): void =>
    out.event(one, () => {
      const told = one.state !== 'open' || (one.webSocket && one.status !== null)
      const key = `${one.id} ${one.state}`
      if (!told || shown.has(key)) return null
      shown.add(key)
      const size = `${bytes(one.bytesIn)} in, ${bytes(one.bytesOut)} out`
      return `${one.at}  ${shortIdOf(one.id)}  ${one.address}  ${one.method} ${one.target}  ${outcomeOf(one)}  ${tookOf(one)}  ${size}`
    })
  try {
    const first = await client.tunnelRequests({ params: { tunnel }, query: { limit: String(limit) } }, { signal })
    for (const one of first.requests.toReversed()) show(one)
    for (let { cursor } = first; ; ) {
      const begun = performance.now()
      const query = { cursor, wait: String(waitSeconds), limit: String(captureBounds.requestsMax) }
      const news = await client.tunnelRequests({ params: { tunnel }, query }, { signal })
      for (const one of news.requests) show(one)
      if (shown.size > shownMax) shown.clear()
      cursor = news.cursor
      await pause(questionsApartMs - (performance.now() - begun), signal)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Those that were shown are remembered up to here; what is shown twice after that does no harm. */
const shownMax = 100_000

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (ms <= 0 || signal.aborted) return resolve()
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
  })
