import type { startupOperations } from '../../contract/api/startup.ts'
import { AppError, conflict } from '../../contract/errors.ts'
import type { Handlers, Reply } from '../../contract/operation.ts'
import type { Template } from '../../contract/template.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import { type Servers, variablesOf } from '../servers/index.ts'
import { checkVariables, keepTemplate, keptTemplate, type Templates } from '../templates/index.ts'

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
  return {
    async startup({ server: { row } }) {
      return startupReply(await keptTemplate(db.kysely, row.template_hash), variablesOf(row))
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
      return startupReply(result.template, result.values)
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
      return startupReply(template, result)
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
): Reply<(typeof startupOperations)['startup']> => ({
  template: template.id,
  variables: template.variables
    .filter(({ access }) => access !== 'hidden')
    .map((variable) => ({ ...variable, value: values[variable.name] ?? variable.default })),
})
