import { invalidRequest } from '../../contract/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { ActivityRow, Database } from '../db/index.ts'
import { type Act, EntryIds, idAt, idOf, isEntryId, rowOf } from './entry.ts'
import {
  entriesPerPage,
  entriesPerWrite,
  keptMs,
  keptPerUserMax,
  keptPerWorkspaceMax,
  tidyEveryMs,
  waitingMax,
  writeDelayMs,
} from './limits.ts'
import {
  type EntriesOf,
  entriesOf,
  insertEntries,
  removeBelow,
  removeOldest,
  usersWithMoreThan,
  workspacesWithMoreThan,
} from './store.ts'

export interface Page {
  entries: ActivityRow[]
  nextCursor: string | null
}

/**
 * Who did what, from where, when; denied attempts too. Entries are written together a moment later, so an act costs no write:
 * a panel that is killed loses the last `writeDelayMs` of the log, one that stops loses nothing.
 */
export class Activity implements AsyncDisposable {
  readonly #db: Database
  readonly #clock: Clock
  readonly #log: Log
  readonly #ids = new EntryIds()
  readonly #tidying: NodeJS.Timeout
  #waiting: ActivityRow[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #lost = 0

  constructor({ db, clock, log }: { db: Database; clock: Clock; log: Log }) {
    this.#db = db
    this.#clock = clock
    this.#log = log
    this.#tidying = setInterval(() => void this.tidy(), tidyEveryMs).unref()
  }

  /** @param when of something that is told more than once, and recorded once: see `idOf`. */
  record(act: Act, when?: { at: number; key: string }): void {
    if (this.#waiting.length >= waitingMax) {
      this.#lost += 1
      return
    }
    const at = when?.at ?? this.#clock.now()
    this.#waiting.push(rowOf(act, when ? idOf(at, when.key) : this.#ids.next(at), at))
    this.#timer ??= setTimeout(() => void this.flush(), writeDelayMs).unref()
  }

  /** Writes what waits. Never rejects: what could not be written is written with the next ones. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** Newest first. What this panel has recorded until now is there. */
  async page(
    of: EntriesOf,
    { limit = entriesPerPage, cursor }: { limit?: number | undefined; cursor?: string | undefined },
  ): Promise<Page> {
    if (cursor !== undefined && !isEntryId(cursor))
      throw invalidRequest('query.cursor', 'is not a cursor that a page gave')
    await this.flush()
    const entries = await entriesOf(this.#db.kysely, of, cursor ?? null, limit + 1)
    const more = entries.length > limit
    const shown = more ? entries.slice(0, limit) : entries
    return { entries: shown, nextCursor: more ? (shown.at(-1)?.id ?? null) : null }
  }

  /** Removes what is too old, or more than is kept. Never rejects. */
  async tidy(): Promise<void> {
    const { kysely } = this.#db
    try {
      await removeBelow(kysely, idAt(this.#clock.now() - keptMs))
      for (const workspaceId of await workspacesWithMoreThan(kysely, keptPerWorkspaceMax))
        await removeOldest(kysely, { workspaceId }, keptPerWorkspaceMax)
      for (const userId of await usersWithMoreThan(kysely, keptPerUserMax))
        await removeOldest(kysely, { userId }, keptPerUserMax)
    } catch (error) {
      this.#log.warn({ err: error }, 'old activity could not be removed; trying again later')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#tidying)
    await this.flush()
    clearTimeout(this.#timer)
  }

  async #write(): Promise<void> {
    if (this.#lost > 0) {
      this.#log.error({ entries: this.#lost }, 'activity was lost: the database did not take it for too long')
      this.#lost = 0
    }
    while (this.#waiting.length > 0) {
      const rows = this.#waiting.slice(0, entriesPerWrite)
      try {
        await insertEntries(this.#db.kysely, rows)
      } catch (error) {
        this.#log.warn({ err: error }, 'activity could not be written; it is written with what comes next')
        return
      }
      this.#waiting.splice(0, rows.length)
    }
  }
}
