import type { Updateable } from 'kysely'
import type { Clock } from '../../lib/clock.ts'
import { newUuid } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Database } from '../db/index.ts'
import { type Claimable, claimDue, claimOne, type Due, type Own, releaseAll, setOwn } from './store.ts'

export interface DueWorkOptions<T extends keyof Claimable> {
  db: Database
  clock: Clock
  log: Log
  table: T
  /** What something is due for. */
  due(now: number): Due<T>
  /** Does it. The row is given back afterwards, whatever comes of it; what it rejects with is logged. */
  serve(row: Claimable[T], turn: Turn): Promise<void>
  /** Done at each look, before rows are taken. */
  atLook?(): Promise<void>
  /** How often a panel looks, ms. */
  lookEveryMs: number
  /** Rows that one panel works on at a time: what hangs takes one of these places and nobody else's. */
  atOnceMax: number
}

/** A row while this panel has it for itself. */
export interface Turn {
  own: Own
  /** Aborted when the panel stops, or has the row no more. */
  signal: AbortSignal
  /** Whether it is still this panel's, which it then is for the whole time again. */
  keep(): Promise<boolean>
}

/** How long a panel has a row for itself unless it says so again, ms: after a kill another one goes on then. */
export const leaseMs = 60_000

/** How often it says so, ms. */
const leaseRenewMs = 20_000

/**
 * Does what is due for rows of a table. Any number of panels may do so: one takes a row for itself for a while, and says so again as
 * long as it works on it; after a kill another one goes on.
 */
export class DueWork<T extends keyof Claimable> implements AsyncDisposable {
  readonly #options: DueWorkOptions<T>
  readonly #panel = newUuid()
  readonly #stopping = new AbortController()
  readonly #running = new Map<string, Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void>

  constructor(options: DueWorkOptions<T>) {
    this.#options = options
    const { db, table, lookEveryMs } = options
    // No other panel uses an SQLite file: whoever held a row in it has died.
    this.#looking = this.#guarded(async () => {
      if (db.dialect === 'sqlite') await releaseAll(db.kysely, table)
    })
    this.#timer = setInterval(() => void this.look(), lookEveryMs).unref()
  }

  /** Looks now for what is due, and begins it. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() =>
      this.#guarded(async () => {
        await this.#options.atLook?.()
        await this.#take()
      }),
    )
    return this.#looking
  }

  /** Does something with one row, whatever is due for it; null while somebody else has it. */
  async withOne<R>(id: string, work: (row: Claimable[T], turn: Turn) => Promise<R>): Promise<R | null> {
    const { db, table } = this.#options
    const row = await claimOne(db.kysely, table, id, this.#claim())
    return row ? this.#turn(row, work) : null
  }

  /** Resolves when everything that was begun has ended. */
  async idle(): Promise<void> {
    await this.#looking
    await Promise.all(this.#running.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort(new Error('the panel stops'))
    await this.idle()
  }

  async #take(): Promise<void> {
    const { db, table, due, serve, atOnceMax, log } = this.#options
    const room = atOnceMax - this.#running.size
    if (room <= 0) return
    const claim = this.#claim()
    for (const row of await claimDue(db.kysely, table, due(claim.now), { ...claim, most: room, dialect: db.dialect })) {
      const work = this.#turn(row, serve)
        .catch((error: unknown) => log.error({ err: error, id: row.id }, `what was due in ${table} could not be done`))
        .finally(() => this.#running.delete(row.id))
      this.#running.set(row.id, work)
    }
  }

  async #turn<R>(row: Claimable[T], work: (row: Claimable[T], turn: Turn) => Promise<R>): Promise<R> {
    const { log, table } = this.#options
    const own = { id: row.id, panel: this.#panel }
    const lost = new AbortController()
    const keep = async (): Promise<boolean> => {
      const mine = await this.#change(own, { busy_until: this.#claim().until })
      if (!mine) lost.abort(new Error('it was taken or given up'))
      return mine
    }
    const renewing = setInterval(() => {
      keep().catch((error: unknown) => log.warn({ err: error }, `a row of ${table} could not be kept; trying again`))
    }, leaseRenewMs)
    try {
      return await work(row, { own, keep, signal: AbortSignal.any([this.#stopping.signal, lost.signal]) })
    } finally {
      clearInterval(renewing)
      await this.#change(own, { busy_until: 0, panel: null })
    }
  }

  #claim(): { panel: string; now: number; until: number } {
    const now = this.#options.clock.now()
    return { panel: this.#panel, now, until: now + leaseMs }
  }

  /** Every table that rows are taken of has these columns. */
  #change(own: Own, change: { busy_until: number; panel?: null }): Promise<boolean> {
    const { db, table } = this.#options
    return setOwn(db.kysely, table, own, change as Updateable<Claimable[T]>)
  }

  /** A look that fails is done again a moment later; what is due waits in the database. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    if (this.#stopping.signal.aborted) return
    try {
      await work()
    } catch (error) {
      this.#options.log.error({ err: error }, `could not look for what is due in ${this.#options.table}; trying again`)
    }
  }
}
