import type { z } from 'zod'
import { TemplateSource, type templateSourceOperations } from '../../contract/api/templates.ts'
import { AppError, conflict, notFound } from '../../contract/errors.ts'
import type { Parsed } from '../../contract/operation.ts'
import type { Clock } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { type Database, isUniqueViolation, type Store, type TemplateSourceRow } from '../db/index.ts'
import { importEgg } from '../eggs/index.ts'
import { type EggFile, fetchEggs } from './archive.ts'
import { busyMs, idsTriedMax, lookEveryMs, sourcesMax } from './limits.ts'
import {
  importedRow,
  insertSource,
  pathsOfSource,
  removeSource,
  rowOfSource,
  setSource,
  sourceRow,
  sourceRows,
} from './store.ts'
import type { Templates } from './templates.ts'

type View = z.input<typeof TemplateSource>
type LastSync = NonNullable<View['lastSync']>
type File = LastSync['files'][number]
type Ops = typeof templateSourceOperations
type NewSource = Parsed<Ops['createTemplateSource']>['body']
type SourceChange = Parsed<Ops['updateTemplateSource']>['body']

const StoredSync = TemplateSource.shape.lastSync

/** Where templates are synchronised from: by hand, and every so often. Any number of panels may look at once; one of them reads. */
export class TemplateSources implements AsyncDisposable {
  readonly #templates: Templates
  readonly #db: Database
  readonly #clock: Clock
  readonly #log: Log
  readonly #stopping = new AbortController()
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void> = Promise.resolve()

  constructor({ templates, db, clock, log }: { templates: Templates; db: Database; clock: Clock; log: Log }) {
    this.#templates = templates
    this.#db = db
    this.#clock = clock
    this.#log = log
    this.#timer = setInterval(() => void this.look(), lookEveryMs).unref()
  }

  async list(): Promise<View[]> {
    return (await sourceRows(this.#db.kysely)).map(viewOf)
  }

  async create({ name, url, folder, allowPrivate, everyHours }: NewSource): Promise<View> {
    mustHoldNoPassword(url)
    const now = this.#clock.now()
    const row: TemplateSourceRow = {
      id: newId('src'),
      name,
      url,
      folder,
      allow_private: allowPrivate ? 1 : 0,
      every_hours: everyHours,
      next_sync_at: nextOf(everyHours, now),
      busy_until: 0,
      last_sync: null,
      created_at: now,
    }
    await this.#named(name, async (trx) => {
      if ((await sourceRows(trx)).length >= sourcesMax)
        throw conflict(`There are ${sourcesMax} sources already; delete one of them first`)
      await insertSource(trx, row)
    })
    return viewOf(row)
  }

  async update(id: string, { name, url, folder, allowPrivate, everyHours }: SourceChange): Promise<View> {
    if (url !== undefined) mustHoldNoPassword(url)
    await this.#named(name ?? '', async (trx) => {
      await needed(trx, id)
      const set = {
        ...(name === undefined ? {} : { name }),
        ...(url === undefined ? {} : { url }),
        ...(folder === undefined ? {} : { folder }),
        ...(allowPrivate === undefined ? {} : { allow_private: allowPrivate ? 1 : 0 }),
        ...(everyHours === undefined
          ? {}
          : { every_hours: everyHours, next_sync_at: nextOf(everyHours, this.#clock.now()) }),
      }
      if (Object.keys(set).length > 0) await setSource(trx, id, set)
    })
    return this.#view(id)
  }

  /** Its templates stay. */
  async delete(id: string): Promise<void> {
    await this.#db.transact(async (trx) => {
      await needed(trx, id)
      await removeSource(trx, id)
    })
  }

  /** Reads it now. Throws `conflict` while it is being read, and where nothing could be read; that is kept with the source, too. */
  async sync(id: string): Promise<View> {
    const row = await this.#claim(id)
    if (!row) throw conflict('This source is being read at this moment; wait until that is done')
    const error = await this.#read(row)
    if (error !== null) throw conflict(`Source ${row.name} could not be read: ${error}`)
    return this.#view(id)
  }

  /** Reads every source whose time has come. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#takeDue())
      .catch((error: unknown) => this.#log.error({ err: error }, 'sources of templates could not be looked at'))
    return this.#looking
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort(conflict('The panel is stopping'))
    await this.#looking
  }

  async #takeDue(): Promise<void> {
    const now = this.#clock.now()
    const due = (await sourceRows(this.#db.kysely)).filter(
      ({ next_sync_at }) => next_sync_at !== null && next_sync_at <= now,
    )
    for (const { id } of due) {
      if (this.#stopping.signal.aborted) return
      const row = await this.#claim(id, now)
      if (row) await this.#read(row)
    }
  }

  /** Null where another one reads it, or has read it meanwhile. @param due not where its next time is later than that. */
  #claim(id: string, due?: number): Promise<TemplateSourceRow | null> {
    return this.#db.transact(async (trx) => {
      const row = await needed(trx, id)
      const now = this.#clock.now()
      if (row.busy_until > now) return null
      if (due !== undefined && (row.next_sync_at === null || row.next_sync_at > due)) return null
      await setSource(trx, id, { busy_until: now + busyMs, next_sync_at: nextOf(row.every_hours, now) })
      return row
    })
  }

  /** Resolves to why nothing could be read, or null. */
  async #read(row: TemplateSourceRow): Promise<string | null> {
    let files: File[] = []
    let error: string | null = null
    try {
      const source = { url: row.url, folder: row.folder, allowPrivate: row.allow_private === 1 }
      files = await this.#take(row.id, await fetchEggs(source, this.#stopping.signal))
    } catch (cause) {
      error = cause instanceof AppError ? cause.message : 'Something went wrong; the log of the panel says what'
      if (!(cause instanceof AppError))
        this.#log.error({ err: cause, source: row.id }, 'a source of templates was not read')
    }
    const last: LastSync = { at: new Date(this.#clock.now()).toISOString(), error, files }
    await setSource(this.#db.kysely, row.id, { busy_until: 0, last_sync: JSON.stringify(last) })
    return error
  }

  async #take(sourceId: string, eggs: readonly EggFile[]): Promise<File[]> {
    const files: File[] = []
    for (const egg of eggs) {
      this.#stopping.signal.throwIfAborted()
      files.push(await this.#takeOne(sourceId, egg))
    }
    const paths = new Set(eggs.map(({ path }) => path))
    for (const { id, source_path } of await pathsOfSource(this.#db.kysely, sourceId))
      if (source_path !== null && !paths.has(source_path))
        files.push({
          path: source_path,
          outcome: 'gone',
          template: id,
          message: 'It is not in the archive any more; the template stays',
        })
    return files
  }

  async #takeOne(sourceId: string, { path, text }: EggFile): Promise<File> {
    try {
      const { template: made, notes } = importEgg(text)
      const without = notes.filter(({ kind }) => kind === 'dropped').length
      const message = without === 0 ? null : `${without} ${without === 1 ? 'part has' : 'parts have'} no effect here`
      const taken = await this.#db.transact(async (trx): Promise<Pick<File, 'outcome' | 'template'>> => {
        const mine = await rowOfSource(trx, sourceId, path)
        const id = mine?.id ?? (await this.#freeId(trx, made.id))
        const template = { ...made, id }
        if (mine?.content === JSON.stringify(template)) return { outcome: 'same', template: id }
        await this.#templates.put(trx, template, { id: sourceId, path })
        return { outcome: mine ? 'updated' : 'added', template: id }
      })
      return { path, ...taken, message }
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return { path, outcome: 'failed', template: null, message: error.message.slice(0, 500) }
    }
  }

  /** The id of an egg whose name is not taken; else with a number behind it. */
  async #freeId(trx: Store, id: string): Promise<string> {
    for (let attempt = 1; attempt <= idsTriedMax; attempt += 1) {
      const tried = attempt === 1 ? id : `${id.slice(0, 59)}-${attempt}`
      if (!this.#templates.isShipped(tried) && !(await importedRow(trx, tried))) return tried
    }
    throw conflict(`There are ${idsTriedMax} templates called ${id} already`)
  }

  async #view(id: string): Promise<View> {
    return viewOf(await needed(this.#db.kysely, id))
  }

  async #named(name: string, work: (trx: Store) => Promise<void>): Promise<void> {
    try {
      await this.#db.transact(work)
    } catch (error) {
      if (isUniqueViolation(error)) throw conflict(`There is a source called ${name} already; choose another name`)
      throw error
    }
  }
}

async function needed(db: Store, id: string): Promise<TemplateSourceRow> {
  const row = await sourceRow(db, id)
  if (!row) throw notFound(`Template source ${id}`)
  return row
}

const nextOf = (everyHours: number | null, now: number): number | null =>
  everyHours === null ? null : now + everyHours * 3_600_000

/** URLs are shown to every administrator. */
function mustHoldNoPassword(url: string): void {
  const { username, password } = new URL(url)
  if (username !== '' || password !== '') throw conflict('A URL with a password in it is not kept; use one without')
}

const viewOf = (row: TemplateSourceRow): View => ({
  id: row.id,
  name: row.name,
  url: row.url,
  folder: row.folder,
  allowPrivate: row.allow_private === 1,
  everyHours: row.every_hours,
  createdAt: new Date(row.created_at).toISOString(),
  nextSyncAt: row.next_sync_at === null ? null : new Date(row.next_sync_at).toISOString(),
  lastSync: row.last_sync === null ? null : StoredSync.parse(JSON.parse(row.last_sync)),
})
