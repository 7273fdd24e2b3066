import { isDeepStrictEqual } from 'node:util'
import type { startupOperations } from '../../contract/api/startup.ts'
import { AppError, conflict } from '../../contract/errors.ts'
import type { Handlers, Reply } from '../../contract/operation.ts'
import type { Template } from '../../contract/template.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import { type Servers, variablesOf } from '../servers/index.ts'
import { checkVariables, keepTemplate, keptTemplate, type Templates } from '../templates/index.ts'

type Startup = Reply<(typeof startupOperations)['startup']>

/** The variables of a server, by the rules of its template as it was when the server was made. */
export function startupHandlers({
  db,
  servers,
  templates,
}: {
  db: Database
  servers: Servers
  templates: Templates
}): Handlers<typeof startupOperations, PanelContexts> {
  const newest = async (id: string): Promise<Template | null> => (await templates.find(id))?.template ?? null
  return {
    async startup({ server: { row } }) {
      const template = await keptTemplate(db.kysely, row.template_hash)
      return startupReply(template, variablesOf(row), await newest(template.id))
    },
    async updateStartup({ caller, server, body }) {
      const { result } = await servers.change(server.row.id, async (trx, row) => {
        const template = await keptTemplate(trx, row.template_hash)
        const { values, problems } = checkVariables(template, body.variables, {
          current: variablesOf(row),
          isAdmin: caller.instanceAdmin,
        })
        if (problems.length > 0)
          throw new AppError(
            'invalid_request',
            problems.map(({ where, problem }) => `${where} ${problem}`).join('; '),
            {
              details: problems,
            },
          )
        return { set: { variables: JSON.stringify(values) }, result: { template, values } }
      })
      return startupReply(result.template, result.values, await newest(result.template.id))
    },
    async takeTemplate({ server }) {
      const found = await templates.find(server.row.template)
      if (!found)
        throw conflict(`Template ${server.row.template} is not there any more; the server keeps its version of it`)
      const { template } = found
      const { result } = await servers.change(server.row.id, async (trx, row) => {
        const values = carriedOver(template, variablesOf(row))
        const template_hash = await keepTemplate(trx, template)
        return { set: { template_hash, variables: JSON.stringify(values) }, result: values }
      })
      return startupReply(template, result, template)
    },
  }
}

/** The server's values where the newer version takes them. */
function carriedOver(template: Template, before: Readonly<Record<string, string>>): Record<string, string> {
  const known = new Set(template.variables.map(({ name }) => name))
  const kept = Object.fromEntries(Object.entries(before).filter(([name]) => known.has(name)))
  const { problems } = checkVariables(template, kept, { isAdmin: true })
  for (const { where } of problems) delete kept[where.replace('body.variables.', '')]
  return checkVariables(template, kept, { isAdmin: true }).values
}

const startupReply = (
  template: Template,
  values: Readonly<Record<string, string>>,
  newest: Template | null,
): Startup => ({
  template: template.id,
  variables: template.variables
    .filter(({ access }) => access !== 'hidden')
    .map((variable) => ({ ...variable, value: values[variable.name] ?? variable.default })),
  newer: newest && newerThan(template, values, newest),
})

/** What is undefined is not there. */
const asKept = (template: Template): Record<string, unknown> => JSON.parse(JSON.stringify(template))

/** What a server with these values gets by taking the newest version; null where that is the one it has. */
function newerThan(template: Template, values: Readonly<Record<string, string>>, newest: Template): Startup['newer'] {
  const [kept, offered] = [asKept(template), asKept(newest)]
  const parts = [...new Set([...Object.keys(kept), ...Object.keys(offered)])].filter(
    (part) => !isDeepStrictEqual(kept[part], offered[part]),
  )
  if (parts.length === 0) return null
  const next = carriedOver(newest, values)
  const seen = (of: Template) => of.variables.filter(({ access }) => access !== 'hidden')
  const labels = new Map([...seen(template), ...seen(newest)].map(({ name, label }) => [name, label]))
  const valueIn = (of: Template, set: Readonly<Record<string, string>>, name: string): string | null => {
    const variable = seen(of).find((each) => each.name === name)
    return variable ? (set[name] ?? variable.default) : null
  }
  const variables = [...labels]
    .map(([name, label]) => ({
      ...{ name, label },
      from: valueIn(template, values, name),
      to: valueIn(newest, next, name),
    }))
    .filter(({ from, to }) => from !== to)
  return { parts, variables }
}
