import { ApiError } from '../../client/index.ts'
import type { logLevelOperations } from '../../contract/api/log-levels.ts'
import { conflict, notFound } from '../../contract/errors.ts'
import type { LogLevelOrder } from '../../contract/log-level.ts'
import type { Handlers } from '../../contract/operation.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { LevelChange } from '../../lib/level-change.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Changes, Database, LogLevelRow } from '../db/index.ts'
import type { Edges } from '../edges/index.ts'
import type { Nodes } from '../nodes/index.ts'
import { logLevelOf, logLevelsAt, partsNamed, removeLogLevel, removePastLogLevels, saveLogLevel } from './store.ts'

export interface LogLevelsOptions {
  db: Database
  changes: Changes
  clock: Clock
  log: Log
  /** This panel's own. */
  own: LevelChange
  nodes: Pick<Nodes, 'online' | 'observe'>
  edges: Pick<Edges, 'setLogLevel'>
}

/** What every panel together is called. */
const panelPart = 'panel'

/** A node that does not take it in this time gets it when it comes back, ms. */
const orderMs = 5_000

/**
 * How much the parts of the installation log at the moment. What was decided is kept in the database until it ends, so that panels that
 * others spoke to, and nodes and edges that come back, follow it too. Each part ends it by itself.
 */
export class LogLevels implements AsyncDisposable {
  readonly #options: LogLevelsOptions
  readonly #telling = new Queue()
  readonly #stops: (() => void)[]

  constructor(options: LogLevelsOptions) {
    this.#options = options
    const { changes, nodes } = options
    this.#stops = [
      // An edge that has linked is announced as changed.
      changes.on((change) => {
        if (change.of === 'log-level' || change.of === 'edge') this.#tellLater(change.id, change.of === 'log-level')
      }),
      changes.gap.on(() => this.#tellLater(panelPart, true)),
      nodes.observe({ up: async ({ id }) => this.#tellLater(id, false) }),
    ]
    this.#tellLater(panelPart, false)
  }

  /** Of those that differ from what they were started with, the first to end first. */
  async list(): Promise<(LogLevelRow & { kind: 'panel' | 'node' | 'edge'; name: string })[]> {
    const { db, clock } = this.#options
    const rows = await logLevelsAt(db.kysely, clock.now())
    const named = await partsNamed(
      db.kysely,
      rows.map(({ part }) => part),
    )
    return rows.flatMap((row) => {
      const found = row.part === panelPart ? everyPanel : named.get(row.part)
      // It was removed since.
      return found ? [{ ...row, ...found }] : []
    })
  }

  /** Throws `not_found`, and `conflict` for a part that is too old to be told. */
  async set(part: string, level: LogLevelRow['level'], forMs: number) {
    const { db, clock, changes } = this.#options
    const named = await this.#need(part)
    const now = clock.now()
    const row = { part, level, until: now + forMs }
    await removePastLogLevels(db.kysely, now)
    await saveLogLevel(db.kysely, row)
    await changes.publish({ of: 'log-level', id: part })
    const told = await this.#telling.run(() => this.#tell(part, true))
    if (told === 'too old') {
      await removeLogLevel(db.kysely, part)
      throw conflict(
        `The ${named.kind} ${named.name} is too old to change its log while it runs: update it, or restart it with --log-level.`,
      )
    }
    return { ...row, ...named, reached: told === 'told' }
  }

  /** Idempotent. Throws `not_found`. */
  async reset(part: string): Promise<void> {
    const { db, changes } = this.#options
    await this.#need(part)
    await removeLogLevel(db.kysely, part)
    await changes.publish({ of: 'log-level', id: part })
    await this.#telling.run(() => this.#tell(part, true))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) stop()
    await this.#telling.idle()
  }

  async #need(part: string): Promise<{ kind: 'panel' | 'node' | 'edge'; name: string }> {
    if (part === panelPart) return everyPanel
    const found = (await partsNamed(this.#options.db.kysely, [part])).get(part)
    if (!found) throw notFound(`Node or edge ${part}`)
    return found
  }

  /** In the order in which it was heard of. */
  #tellLater(part: string, evenTheUsual: boolean): void {
    this.#telling
      .run(() => this.#tell(part, evenTheUsual))
      .catch((error: unknown) => this.#options.log.warn({ err: error, part }, 'a part could not be told its log level'))
  }

  /**
   * Tells the part what is decided now.
   * @param evenTheUsual also that nothing is decided: one that comes back has forgotten what was
   */
  async #tell(part: string, evenTheUsual: boolean): Promise<'told' | 'away' | 'too old'> {
    const { db, clock, own, nodes, edges } = this.#options
    const now = clock.now()
    const row = await logLevelOf(db.kysely, part, now)
    if (!row && !evenTheUsual) return 'told'
    const order: LogLevelOrder = { level: row?.level ?? null, forMs: row ? row.until - now : 0 }
    if (part === panelPart) {
      own.set(order.level, order.forMs)
      return 'told'
    }
    try {
      const node = nodes.online(part)
      if (node) await node.client.putLogLevel({ body: order }, { signal: AbortSignal.timeout(orderMs) })
      else if (!(await edges.setLogLevel(part, order))) return 'away'
      return 'told'
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.code === 'not_found') return 'too old'
      return 'away'
    }
  }
}

const everyPanel = { kind: 'panel', name: 'panel' } as const

export const logLevelHandlers = (levels: LogLevels): Handlers<typeof logLevelOperations, PanelContexts> => ({
  async logLevels() {
    return { levels: (await levels.list()).map(shown) }
  },
  async setLogLevel({ params, body }) {
    const { reached, ...row } = await levels.set(params.part, body.level, body.minutes * minuteMs)
    return { ...shown(row), reached }
  },
  async resetLogLevel({ params: { part } }) {
    await levels.reset(part)
    return { part, reset: true }
  },
})

const minuteMs = 60_000

const shown = ({ until, ...row }: Awaited<ReturnType<LogLevels['list']>>[number]) => ({ ...row, until: isoTime(until) })
