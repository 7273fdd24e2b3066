import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Resources, Template, TemplateCategory } from '../../contract/template.ts'
import type { Store, TemplateRow, TemplateSourceRow } from '../db/index.ts'

/** Keeps the template as it is now, once however many servers are made from it. Resolves to what it is found by. */
export async function keepTemplate(db: Store, template: Template): Promise<string> {
  const content = JSON.stringify(template)
  const hash = createHash('sha256').update(content).digest('hex')
  await db
    .insertInto('template_copies')
    .values({ hash, content })
    .onConflict((conflict) => conflict.column('hash').doNothing())
    .execute()
  return hash
}

/** The template as it was when it was kept. */
export async function keptTemplate(db: Store, hash: string): Promise<Template> {
  const { content } = await db
    .selectFrom('template_copies')
    .select('content')
    .where('hash', '=', hash)
    .executeTakeFirstOrThrow()
  return Template.parse(JSON.parse(content))
}

/** What an administrator says of an imported template instead of its egg. */
export const Edits = z.strictObject({
  name: z.string().optional(),
  summary: z.string().optional(),
  category: TemplateCategory.optional(),
  protocols: Template.shape.protocols.optional(),
  resources: Resources.partial().optional(),
})
export type Edits = z.output<typeof Edits>

export const contentOf = (row: Pick<TemplateRow, 'content'>): Template => Template.parse(JSON.parse(row.content))
export const editsOf = (row: Pick<TemplateRow, 'edits'>): Edits => Edits.parse(JSON.parse(row.edits))

/** The template as it is offered. */
export function templateOf(row: Pick<TemplateRow, 'content' | 'edits'>): Template {
  const { resources, ...edits } = editsOf(row)
  const template = contentOf(row)
  return Template.parse({ ...template, ...edits, resources: { ...template.resources, ...resources } })
}

/** `updated_at` grows with each change. */
export const importedVersions = (db: Store): Promise<Pick<TemplateRow, 'id' | 'updated_at' | 'source_id'>[]> =>
  db.selectFrom('templates').select(['id', 'updated_at', 'source_id']).execute()

/** How many ids one query names: databases have limits of their own. */
const idsAtOnce = 200

export async function importedRows(db: Store, ids: readonly string[]): Promise<TemplateRow[]> {
  const rows: TemplateRow[] = []
  for (let at = 0; at < ids.length; at += idsAtOnce)
    rows.push(
      ...(await db
        .selectFrom('templates')
        .selectAll()
        .where('id', 'in', ids.slice(at, at + idsAtOnce))
        .execute()),
    )
  return rows
}

export const importedRow = (db: Store, id: string): Promise<TemplateRow | undefined> =>
  db.selectFrom('templates').selectAll().where('id', '=', id).executeTakeFirst()

/** What a source has brought. */
export const pathsOfSource = (db: Store, sourceId: string): Promise<Pick<TemplateRow, 'id' | 'source_path'>[]> =>
  db
    .selectFrom('templates')
    .select(['id', 'source_path'])
    .where('source_id', '=', sourceId)
    .orderBy('source_path')
    .execute()

export const rowOfSource = (db: Store, sourceId: string, path: string): Promise<TemplateRow | undefined> =>
  db
    .selectFrom('templates')
    .selectAll()
    .where('source_id', '=', sourceId)
    .where('source_path', '=', path)
    .executeTakeFirst()

export async function countImported(db: Store): Promise<number> {
  const { count } = await db
    .selectFrom('templates')
    .select(({ fn }) => fn.countAll().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

export async function insertTemplate(db: Store, row: TemplateRow): Promise<void> {
  await db.insertInto('templates').values(row).execute()
}

export async function setTemplate(db: Store, id: string, set: Partial<Omit<TemplateRow, 'id'>>): Promise<void> {
  await db.updateTable('templates').set(set).where('id', '=', id).execute()
}

export async function removeTemplate(db: Store, id: string): Promise<void> {
  await db.deleteFrom('templates').where('id', '=', id).execute()
}

/** Names of servers that were made from it, a few of them. */
export async function serversMadeFrom(db: Store, id: string): Promise<string[]> {
  const rows = await db
    .selectFrom('servers')
    .select('name')
    .where('template', '=', id)
    .orderBy('created_at')
    .limit(4)
    .execute()
  return rows.map(({ name }) => name)
}

/** How many servers were made from each template; those without any are left out. */
export async function serversByTemplate(db: Store): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom('servers')
    .select(({ fn }) => ['template', fn.countAll().as('count')])
    .groupBy('template')
    .execute()
  return new Map(rows.map(({ template, count }) => [template, Number(count)]))
}

export const sourceRows = (db: Store): Promise<TemplateSourceRow[]> =>
  db.selectFrom('template_sources').selectAll().orderBy('created_at').orderBy('id').execute()

export const sourceRow = (db: Store, id: string): Promise<TemplateSourceRow | undefined> =>
  db.selectFrom('template_sources').selectAll().where('id', '=', id).executeTakeFirst()

export async function insertSource(db: Store, row: TemplateSourceRow): Promise<void> {
  await db.insertInto('template_sources').values(row).execute()
}

export async function setSource(db: Store, id: string, set: Partial<Omit<TemplateSourceRow, 'id'>>): Promise<void> {
  await db.updateTable('template_sources').set(set).where('id', '=', id).execute()
}

/** Its templates stay, and belong to no source. */
export async function removeSource(db: Store, id: string): Promise<void> {
  await db.updateTable('templates').set({ source_id: null, source_path: null }).where('source_id', '=', id).execute()
  await db.deleteFrom('template_sources').where('id', '=', id).execute()
}
