import { createHash } from 'node:crypto'
import { Template } from '../../contract/template.ts'
import type { Store } from '../db/index.ts'

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
