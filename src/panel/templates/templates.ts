import type { z } from 'zod'
import type { ImportNote } from '../../contract/api/templates.ts'
import { conflict, notFound } from '../../contract/errors.ts'
import type { Template } from '../../contract/template.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Database, Store } from '../db/index.ts'
import { isUniqueViolation } from '../db/index.ts'
import { exportEgg, importEgg } from '../eggs/index.ts'
import { templatesMax } from './limits.ts'
import type { ShippedTemplates } from './load.ts'
import {
  countImported,
  type Edits,
  editsOf,
  importedRow,
  importedRows,
  importedVersions,
  insertTemplate,
  removeTemplate,
  serversByTemplate,
  serversMadeFrom,
  setTemplate,
  templateOf,
} from './store.ts'

export interface Offered {
  template: Template
  origin: 'shipped' | 'imported'
  /** Since when it is as it is now, ms since 1970; null for those that come with the program. */
  changedAt: number | null
  /** The source that brought it. */
  sourceId: string | null
}

export interface Import {
  template: Template
  outcome: 'added' | 'updated' | 'same'
  notes: z.input<typeof ImportNote>[]
}

/** The kinds of server that can be created: those that come with the program, and those that were imported. */
export class Templates {
  readonly #shipped: ShippedTemplates
  readonly #db: Database
  readonly #clock: Clock
  /** Imported ones as they were read last: a template is parsed once for each version of it. */
  readonly #read = new Map<string, { updatedAt: number; template: Template }>()

  constructor({ shipped, db, clock }: { shipped: ShippedTemplates; db: Database; clock: Clock }) {
    this.#shipped = shipped
    this.#db = db
    this.#clock = clock
  }

  async all(): Promise<Offered[]> {
    const versions = await importedVersions(this.#db.kysely)
    const stale = versions.filter(({ id, updated_at }) => this.#read.get(id)?.updatedAt !== updated_at)
    for (const row of await importedRows(
      this.#db.kysely,
      stale.map(({ id }) => id),
    ))
      this.#read.set(row.id, { updatedAt: row.updated_at, template: templateOf(row) })
    const offered = new Set(versions.map(({ id }) => id).filter((id) => !this.#shipped.has(id)))
    for (const id of this.#read.keys()) if (!offered.has(id)) this.#read.delete(id)
    return [
      ...[...this.#shipped.values()].map(asShipped),
      ...versions.flatMap((version): Offered[] => {
        const read = this.#read.get(version.id)
        return read ? [asImported(read.template, version)] : []
      }),
    ]
  }

  async find(id: string): Promise<Offered | null> {
    const shipped = this.#shipped.get(id)
    if (shipped) return asShipped(shipped)
    const row = await importedRow(this.#db.kysely, id)
    return row ? asImported(templateOf(row), row) : null
  }

  /** How many servers were made from each; those without any are left out. */
  uses(): Promise<ReadonlyMap<string, number>> {
    return serversByTemplate(this.#db.kysely)
  }

  /** Throws `not_found`. */
  async need(id: string): Promise<Offered> {
    const found = await this.find(id)
    if (!found) throw notFound(`Template ${id}`)
    return found
  }

  /** A template made of an egg. Servers made from an older version keep that one. Throws `conflict` where its id is taken. */
  async fromEgg(
    egg: unknown,
    { id, replace, preview }: { id?: string | undefined; replace: boolean; preview: boolean },
  ): Promise<Import> {
    const { template, notes } = importEgg(egg, id)
    this.refuseShipped(template.id)
    const work = async (trx: Store): Promise<Import['outcome']> => {
      const outcome = await this.#outcomeOf(trx, template, replace)
      if (!preview && outcome !== 'same') await this.put(trx, template, null)
      return outcome
    }
    try {
      const outcome = await this.#db.transact(work)
      return { template: preview ? template : (await this.need(template.id)).template, outcome, notes }
    } catch (error) {
      if (isUniqueViolation(error)) throw taken(template.id)
      throw error
    }
  }

  /** Adds it or makes it the newer version of the one of that id. Edits stay. @param source where it comes from. */
  async put(trx: Store, template: Template, source: { id: string; path: string } | null): Promise<void> {
    const now = this.#clock.now()
    const content = JSON.stringify(template)
    const before = await importedRow(trx, template.id)
    if (before) return setTemplate(trx, template.id, { content, updated_at: Math.max(now, before.updated_at + 1) })
    if ((await countImported(trx)) >= templatesMax)
      throw conflict(`There are ${templatesMax} imported templates already; delete some that no server uses`)
    await insertTemplate(trx, {
      id: template.id,
      content,
      edits: '{}',
      source_id: source?.id ?? null,
      source_path: source?.path ?? null,
      created_at: now,
      updated_at: now,
    })
  }

  async update(id: string, change: Edits): Promise<Offered> {
    this.refuseShipped(id)
    await this.#db.transact(async (trx) => {
      const row = await importedRow(trx, id)
      if (!row) throw notFound(`Template ${id}`)
      const before = editsOf(row)
      const edits = { ...before, ...change, resources: { ...before.resources, ...change.resources } }
      await setTemplate(trx, id, {
        edits: JSON.stringify(edits),
        updated_at: Math.max(this.#clock.now(), row.updated_at + 1),
      })
    })
    return this.need(id)
  }

  async delete(id: string): Promise<void> {
    this.refuseShipped(id)
    await this.#db.transact(async (trx) => {
      if (!(await importedRow(trx, id))) throw notFound(`Template ${id}`)
      const servers = await serversMadeFrom(trx, id)
      if (servers.length > 0)
        throw conflict(
          `Template ${id} is used by ${servers.slice(0, 3).join(', ')}${servers.length > 3 ? ' and others' : ''}; delete those servers first`,
        )
      await removeTemplate(trx, id)
    })
  }

  /** Throws `conflict` where eggs have no words for what it does. */
  async export(id: string): Promise<Record<string, unknown>> {
    const egg = exportEgg((await this.need(id)).template)
    if (!egg)
      throw conflict(
        `Template ${id} cannot be an egg: it starts a program without a shell, or is installed by packages or files of its own`,
      )
    return egg
  }

  /** Whether a template of this id comes with the program. */
  isShipped(id: string): boolean {
    return this.#shipped.has(id)
  }

  refuseShipped(id: string): void {
    if (this.#shipped.has(id))
      throw conflict(`Template ${id} comes with this installation and cannot be changed here; import under another id`)
  }

  async #outcomeOf(trx: Store, template: Template, replace: boolean): Promise<Import['outcome']> {
    const row = await importedRow(trx, template.id)
    if (!row) return 'added'
    if (row.content === JSON.stringify(template)) return 'same'
    if (!replace) throw taken(template.id)
    return 'updated'
  }
}

const asShipped = (template: Template): Offered => ({ template, origin: 'shipped', changedAt: null, sourceId: null })

const asImported = (template: Template, row: { updated_at: number; source_id: string | null }): Offered => ({
  ...{ template, origin: 'imported', changedAt: row.updated_at, sourceId: row.source_id },
})

const taken = (id: string) =>
  conflict(`There is another template ${id} already; give this one another id, or replace that one by it`)
