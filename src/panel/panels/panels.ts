import { conflict } from '../../contract/errors.ts'
import { type PanelEndpoint, panelsMax } from '../../contract/join-token.ts'
import type { Clock } from '../../lib/clock.ts'
import { newUuid } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Sealer } from '../../lib/seal.ts'
import { Secret } from '../../lib/secret.ts'
import { Signal } from '../../lib/signals.ts'
import type { Database } from '../db/index.ts'
import { keptMs, lookEveryMs } from './limits.ts'
import { panelsSince, removePanels, savePanel } from './store.ts'

export interface PanelsOptions {
  db: Database
  clock: Clock
  log: Log
  sealer: Sealer
  /** Where nodes and edges dial this panel; its port is known once it listens. */
  endpoint(): PanelEndpoint
}

/** Which panels serve from this database. Nobody else can on SQLite: there are none to tell of then. */
export class Panels implements AsyncDisposable {
  /** The list is another one than before. */
  readonly changed = new Signal<void>()
  readonly #options: PanelsOptions
  readonly #process = newUuid()
  readonly #keyMark: string
  #known: readonly PanelEndpoint[] = []
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #saidTwin = false

  private constructor(options: PanelsOptions) {
    this.#options = options
    this.#keyMark = options.sealer.seal(new Secret('panels'), purpose)
  }

  /** Throws `conflict` where the other panels have another key for sealed secrets: neither could read what the other writes. */
  static async open(options: PanelsOptions): Promise<Panels> {
    const panels = new Panels(options)
    if (options.db.dialect === 'sqlite') return panels
    const { pin } = options.endpoint()
    const others = await panels.#rows()
    const strange = others.find((row) => row.pin !== pin && !options.sealer.knows(row.key_mark))
    if (strange)
      throw conflict(
        `The panel at ${strange.host}:${strange.port} serves from this database with another secrets.key. Copy panel/secrets.key from its data folder into this one's; where that panel is gone for good, delete its row from the table "panels".`,
      )
    return panels
  }

  /** Every panel, this one too; none where there cannot be others, or before `announce`. */
  all(): readonly PanelEndpoint[] {
    return this.#known
  }

  /** This panel listens now: says so, and again every few seconds. */
  async announce(): Promise<void> {
    if (this.#options.db.dialect === 'sqlite') return
    await this.#look()
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() =>
        this.#look().catch((error: unknown) =>
          this.#options.log.warn({ err: error }, 'could not look which panels there are; trying again'),
        ),
      )
    }, lookEveryMs).unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
  }

  async #look(): Promise<void> {
    const { db, clock, log, endpoint } = this.#options
    const own = endpoint()
    const before = await this.#rows()
    const mine = before.find(({ pin }) => pin === own.pin)
    if (mine && mine.process !== this.#process && this.#known.length > 0 && !this.#saidTwin) {
      this.#saidTwin = true
      log.error(
        { other: `${mine.host}:${mine.port}` },
        'another panel has the same link key: give each a data folder of its own, and copy panel/secrets.key alone',
      )
    }
    const sharer = before.find(({ pin, host, port }) => pin !== own.pin && host === own.host && port === own.port)
    if (sharer && clock.now() - sharer.seen_at < 3 * lookEveryMs && !this.#saidTwin) {
      this.#saidTwin = true
      log.error(
        { address: `${own.host}:${own.port}` },
        'another panel tells nodes and edges the same address: give each panel its own with --link-address',
      )
    }
    await savePanel(db.kysely, {
      ...own,
      key_mark: this.#keyMark,
      process: this.#process,
      seen_at: clock.now(),
    })
    await removePanels(db.kysely, clock.now() - keptMs)
    const known = [
      ...before.filter(({ pin }) => pin !== own.pin).map(({ pin, host, port }) => ({ host, port, pin })),
      own,
    ]
    known.sort((left, right) => (left.pin < right.pin ? -1 : 1))
    const changed = JSON.stringify(known) !== JSON.stringify(this.#known)
    this.#known = known
    if (changed) this.changed.emit()
  }

  #rows() {
    const { db, clock } = this.#options
    return panelsSince(db.kysely, clock.now() - keptMs, panelsMax)
  }
}

const purpose = 'panels'
