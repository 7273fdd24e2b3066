import type { Connection } from 'mysql2/promise'
import { conflict } from '../contract/errors.ts'
import type { Circumstances, CopyItem } from './items.ts'
import { codeOf } from './words.ts'

type View = Extract<CopyItem, { kind: 'view' }>

/** Makes a database again from what was read of it. */
export class DatabaseWriter implements AsyncDisposable {
  readonly #connect: () => Promise<Connection>
  #connection: Connection | null = null
  #alphabet: string | null = null
  #views: View[] = []
  #ended = false

  /** @param connect as the account whose database it is, with that database chosen; asked for nothing unless there is something in it. */
  constructor(connect: () => Promise<Connection>) {
    this.#connect = connect
  }

  async take(item: CopyItem): Promise<void> {
    if (this.#ended) throw conflict('What arrives of the database goes on after its end.')
    switch (item.kind) {
      case 'database':
        this.#alphabet = item.sql
        return
      case 'view':
        this.#views.push(item)
        return
      case 'statement':
        // Triggers, events: what they are about must be there.
        if (item.as !== null) await this.#makeViews({ all: false })
        return this.#run(item.sql, item.as)
      case 'end':
        await this.#makeViews({ all: true })
        await this.#connection?.commit()
        this.#ended = true
    }
  }

  /** Throws `conflict` where not all of it came. */
  end(): void {
    if (!this.#ended) throw conflict('Only a part of the database arrived.')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection?.destroy()
  }

  /** As many as can be: one may need another one that comes later. */
  async #makeViews({ all }: { all: boolean }): Promise<void> {
    for (;;) {
      const left: { view: View; error: unknown }[] = []
      for (const view of this.#views) {
        try {
          await this.#run(view.sql, view.as)
        } catch (error) {
          left.push({ view, error })
        }
      }
      const stuck = left.length === this.#views.length
      this.#views = left.map(({ view }) => view)
      const [first] = left
      if (!first || (stuck && !all)) return
      if (stuck)
        throw conflict(
          `View ${first.view.name} cannot be made again (${codeOf(first.error)}): drop it, or mend what it refers to.`,
        )
    }
  }

  async #run(sql: string, as: Circumstances | null): Promise<void> {
    const connection = await this.#opened()
    if (as === null) return void (await connection.query(sql))
    const timeZone = as.timeZone === null || as.timeZone === '' ? '+00:00' : as.timeZone
    await connection.query('set sql_mode = ?, time_zone = ?', [as.sqlMode, timeZone])
    // Another alphabet's order means nothing to statements that are sent in this one.
    const own = as.collation.startsWith('utf8mb4_') || as.collation.startsWith('uca1400_')
    if (own) await connection.query('set collation_connection = ?', [as.collation])
    try {
      await connection.query(sql)
    } finally {
      await connection.query(ordinary)
    }
  }

  async #opened(): Promise<Connection> {
    if (this.#connection) return this.#connection
    const connection = await this.#connect()
    this.#connection = connection
    await connection.query(ordinary)
    await connection.query('set foreign_key_checks = 0, unique_checks = 0, check_constraint_checks = 0, autocommit = 0')
    if (this.#alphabet !== null) await connection.query(this.#alphabet)
    return connection
  }
}

const ordinary = `set names utf8mb4, sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'`
