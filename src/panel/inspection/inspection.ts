import { ApiError, type Client } from '../../client/index.ts'
import {
  type edgeInspection,
  newsWaitMsMax,
  type ReplayEdits,
  type SeenConnection,
  type SeenRequest,
  type SeenRequestFacts,
} from '../../contract/edge-inspection.ts'
import { AppError, conflict, notFound } from '../../contract/errors.ts'
import { CaptureSettings, captureDefaults } from '../../contract/tunnel-capture.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Changes, Database } from '../db/index.ts'
import { readSettings, saveSettings } from '../tunnels/index.ts'
import type { Positions } from './cursor.ts'

/** An edge whose link to this panel is up. */
export interface InspectedEdge {
  readonly edgeId: string
  readonly client: Client<typeof edgeInspection>
}

/** A tunnel of a workspace: whoever asks may see it. */
export interface InspectedTunnel {
  readonly id: string
  readonly workspace_id: string
}

export interface InspectionOptions {
  database: Database
  changes: Changes
  clock: Clock
  log: Log
  edges(): InspectedEdge[]
}

/** An edge that does not answer within this time is left out, ms. */
const answerTimeoutMs = 5_000

/** A replay may take the service's time. */
const replayAnswerMs = 29_000

/** When one edge has news, so long is waited for those of others that come at the same time, ms. */
const othersNewsMs = 100

/**
 * What visitors ask of tunnels, as the edges keep it. The panel keeps nothing of it: it asks those edges that are linked, all of them, since any
 * may have served the tunnel. Ids of requests and connections name the edge in front: `edge_….x`.
 */
export class Inspection implements Disposable {
  readonly #options: InspectionOptions
  readonly #stopping = new AbortController()

  constructor(options: InspectionOptions) {
    this.#options = options
  }

  async settings({ id }: InspectedTunnel): Promise<CaptureSettings> {
    const kept = (await readSettings(this.#options.database.kysely, id)).get('capture')
    return kept === undefined ? captureDefaults : CaptureSettings.parse(kept)
  }

  /** Resolves when every edge that is here follows; what may not be kept any more is erased there. */
  async save(tunnel: InspectedTunnel, settings: CaptureSettings): Promise<void> {
    const { database, changes, clock } = this.#options
    await database.transact((trx) => saveSettings(trx, tunnel.id, 'capture', settings, clock.now()))
    await changes.publish({ of: 'tunnel', id: tunnel.id })
    await this.#askAll((client, signal) =>
      client.setCapture({ body: { ...ask(tunnel), capture: settings } }, { signal }),
    )
  }

  async list(
    tunnel: InspectedTunnel,
    { limit, since, waitMs }: { limit: number; since: Positions | null; waitMs: number },
    left: AbortSignal,
  ): Promise<{ requests: SeenRequestFacts[]; positions: Positions; complete: boolean }> {
    const positions: Positions = new Map(since)
    const others = new AbortController()
    const wait = since === null ? 0 : Math.min(waitMs, newsWaitMsMax)
    let soon: NodeJS.Timeout | undefined
    const { answers, complete } = await this.#askAll(
      async (client, signal, edgeId) => {
        const from = since === null ? null : (since.get(edgeId) ?? { run: '', change: 0 })
        const answer = await client.listRequests(
          { body: { ...ask(tunnel), limit, since: from, waitMs: wait } },
          { signal: AbortSignal.any([signal, others.signal, this.#stopping.signal]) },
        )
        if (answer.requests.length > 0) soon ??= setTimeout(() => others.abort(stopped), othersNewsMs)
        positions.set(edgeId, { run: answer.run, change: answer.change })
        return answer.requests.map((request) => withEdge(edgeId, request))
      },
      answerTimeoutMs + wait,
      left,
    )
    clearTimeout(soon)
    const requests = answers.flat()
    if (since === null) requests.sort((one, other) => other.at - one.at)
    // With a cursor none may be left out: the next answer would not have it.
    return { requests: since === null ? requests.slice(0, limit) : requests, positions, complete }
  }

  async read(tunnel: InspectedTunnel, id: string): Promise<SeenRequest> {
    const { edgeId, client, local } = this.#edgeOf('Request', id)
    const body = { ...ask(tunnel), requestId: local }
    return wholeWithEdge(edgeId, await answered(client.readRequest({ body }, inTime(answerTimeoutMs))))
  }

  async replay(tunnel: InspectedTunnel, id: string, edits: ReplayEdits): Promise<SeenRequest> {
    const { edgeId, client, local } = this.#edgeOf('Request', id)
    const body = { ...ask(tunnel), requestId: local, edits }
    return wholeWithEdge(edgeId, await answered(client.replayRequest({ body }, inTime(replayAnswerMs))))
  }

  /** @throws AppError `conflict` where an edge cannot be told. */
  async erase(tunnel: InspectedTunnel): Promise<number> {
    const { answers, complete } = await this.#askAll((client, signal) =>
      client.eraseRequests({ body: ask(tunnel) }, { signal }),
    )
    if (!complete)
      throw conflict('One of the edges did not answer, so it may still keep requests. Try again in a moment.')
    return answers.reduce((sum, { erased }) => sum + erased, 0)
  }

  async connections(
    tunnel: InspectedTunnel,
  ): Promise<{ connections: SeenConnection[]; total: number; complete: boolean }> {
    const { answers, complete } = await this.#askAll(async (client, signal, edgeId) => {
      const { connections, total } = await client.listConnections({ body: ask(tunnel) }, { signal })
      return { connections: connections.map((one) => ({ ...one, id: `${edgeId}.${one.id}` })), total }
    })
    return {
      connections: answers.flatMap(({ connections }) => connections).sort((one, other) => one.since - other.since),
      total: answers.reduce((sum, { total }) => sum + total, 0),
      complete,
    }
  }

  async cut(tunnel: InspectedTunnel, id: string): Promise<void> {
    const { client, local } = this.#edgeOf('Connection', id)
    await answered(client.cutConnection({ body: { ...ask(tunnel), connectionId: local } }, inTime(answerTimeoutMs)))
  }

  /** Whoever waits for news is answered now: there are none. Idempotent. */
  [Symbol.dispose](): void {
    this.#stopping.abort(stopped)
  }

  /** Those that do not answer are left out. */
  async #askAll<T>(
    question: (client: InspectedEdge['client'], signal: AbortSignal, edgeId: string) => Promise<T>,
    timeoutMs = answerTimeoutMs,
    left?: AbortSignal,
  ): Promise<{ answers: T[]; complete: boolean }> {
    const timeout = AbortSignal.timeout(timeoutMs)
    const signal = left ? AbortSignal.any([timeout, left]) : timeout
    let complete = true
    const answers = await Promise.all(
      this.#options.edges().map(async ({ edgeId, client }) => {
        try {
          return [await question(client, signal, edgeId)]
        } catch (error) {
          if (error === stopped) return []
          // An older edge keeps nothing.
          if (error instanceof ApiError && error.code === 'not_found') return []
          complete = false
          if (!left?.aborted)
            this.#options.log.warn({ err: error, edge: edgeId }, 'an edge did not tell of its visitors')
          return []
        }
      }),
    )
    return { answers: answers.flat(1) as T[], complete }
  }

  #edgeOf(what: string, id: string): InspectedEdge & { local: string } {
    const dot = id.indexOf('.')
    const found = this.#options.edges().find(({ edgeId }) => edgeId === id.slice(0, dot))
    if (dot === -1) throw notFound(`${what} ${id}`)
    if (!found) throw notFound(`${what} ${id} (its edge is away, or there is none)`)
    return { ...found, local: id.slice(dot + 1) }
  }
}

/** Nobody waits for these edges any more: another one had news, or the panel ends. */
const stopped = new Error('nobody waits any more')

const ask = ({ id, workspace_id }: InspectedTunnel) => ({ tunnelId: id, workspaceId: workspace_id })

const inTime = (ms: number) => ({ signal: AbortSignal.timeout(ms) })

const withEdge = (edgeId: string, facts: SeenRequestFacts): SeenRequestFacts => ({
  ...facts,
  id: `${edgeId}.${facts.id}`,
  replayOf: facts.replayOf === null ? null : `${edgeId}.${facts.replayOf}`,
})

const wholeWithEdge = (edgeId: string, seen: SeenRequest): SeenRequest => ({
  ...seen,
  facts: withEdge(edgeId, seen.facts),
})

/** What the edge has refused is refused with its words. */
async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof ApiError) || error.code === 'internal' || error.code === 'unreachable')
      throw conflict('The edge did not answer in time. Try again in a moment.')
    throw new AppError(error.code, error.message, error.details.length > 0 ? { details: [...error.details] } : {})
  }
}
