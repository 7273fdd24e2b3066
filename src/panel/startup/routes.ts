import type { startupOperations } from '../../contract/api/startup.ts'
import { AppError } from '../../contract/errors.ts'
import type { Handlers, Reply } from '../../contract/operation.ts'
import type { Template } from '../../contract/template.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import { type Servers, variablesOf } from '../servers/index.ts'
import { checkVariables, keptTemplate } from '../templates/index.ts'

/** The variables of a server, by the rules of its template as it was when the server was made. */
export function startupHandlers({
  db,
  servers,
}: {
  db: Database
  servers: Servers
}): Handlers<typeof startupOperations, PanelContexts> {
  return {
    async startup({ server: { row } }) {
      return startupReply(await keptTemplate(db.kysely, row.template_hash), variablesOf(row))
    },
    async updateStartup({ server, body }) {
      const { result } = await servers.change(server.row.id, async (trx, row) => {
        const template = await keptTemplate(trx, row.template_hash)
        const { values, problems } = checkVariables(template, { ...variablesOf(row), ...body.variables })
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
  }
}

const startupReply = (
  template: Template,
  values: Readonly<Record<string, string>>,
): Reply<(typeof startupOperations)['startup']> => ({
  template: template.id,
  variables: template.variables.map((variable) => ({
    ...variable,
    value: values[variable.name] ?? variable.default,
  })),
})
