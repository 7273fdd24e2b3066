import type { WorkspaceLimits } from '../../contract/edge.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import type { Database } from '../db/index.ts'
import type { Plans } from '../plans/index.ts'

/** How often everybody is looked at besides: the month's turn, and what another panel has decided, ms. */
const sweepEveryMs = 30_000

export interface QuotaOptions {
  database: Database
  plans: Plans
  log: Log
  /** Tells every edge that is here. Rejects never. */
  tell(workspaceId: string, limits: WorkspaceLimits): Promise<void>
}

/** Keeps the edges told of what workspaces may do: after each report, each change of a plan, and now and then. */
export class Quotas implements AsyncDisposable {
  readonly #options: QuotaOptions
  /** What the edges were last told, as JSON. */
  readonly #told = new Map<string, string>()
  readonly #checks = new Queue()
  readonly #sweeping: NodeJS.Timeout
  #stopped = false
  readonly #stopListening: () => void

  constructor(options: QuotaOptions) {
    this.#options = options
    this.#stopListening = options.plans.changed.on(() => void this.sweep())
    this.#sweeping = setInterval(() => void this.sweep(), sweepEveryMs)
    this.#sweeping.unref()
  }

  /** Tells the edges where something of these workspaces has changed. Never rejects. */
  check(workspaceIds: readonly string[]): Promise<void> {
    const { database, plans, log } = this.#options
    return this.#checks
      .run(async () => {
        if (this.#stopped) return
        const limits = await plans.limitsOf(database.kysely, workspaceIds)
        for (const [id, of] of limits) await this.#tell(id, of)
      })
      .catch((error: unknown) => log.warn({ err: error }, 'quotas could not be checked'))
  }

  /** Looks at everybody who keeps a tunnel. Never rejects. */
  async sweep(): Promise<void> {
    try {
      const concerned = await this.#options.plans.concerned()
      for (let from = 0; from < concerned.length; from += workspacesAtOnce)
        await this.check(concerned.slice(from, from + workspacesAtOnce))
    } catch (error) {
      this.#options.log.warn({ err: error }, 'quotas could not be checked')
    }
  }

  /** An edge came back: what it was told before may be old, so it is told again. */
  forget(): void {
    this.#told.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    clearInterval(this.#sweeping)
    this.#stopListening()
    await this.#checks.idle()
  }

  async #tell(workspaceId: string, limits: WorkspaceLimits): Promise<void> {
    const text = JSON.stringify(limits)
    const told = this.#told.get(workspaceId)
    // Nobody needs to be told that nothing is limited; who was told otherwise does.
    if (told === text || (told === undefined && text === unlimited)) return
    this.#told.set(workspaceId, text)
    await this.#options.tell(workspaceId, limits)
  }
}

/** A query names so many at most. */
const workspacesAtOnce = 500

const unlimited = JSON.stringify({ connections: null, bytesPerSecond: null, overQuota: false })
