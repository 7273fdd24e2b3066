import { z } from 'zod'
import { operation } from '../operation.ts'
import { TemplateVariable } from '../template.ts'
import { OfServer } from './servers.ts'

export const StartupVariable = TemplateVariable.extend({
  value: z.string().meta({ description: 'What the server gets at its next start' }),
}).meta({ id: 'StartupVariable' })

const Startup = z
  .strictObject({
    template: z.string().meta({ description: 'The id of the template that the server was made from' }),
    variables: z.array(StartupVariable),
    newer: z
      .strictObject({
        parts: z
          .array(z.string())
          .meta({ description: 'What of the template differs', example: ['start', 'variables'] }),
        variables: z.array(
          z.strictObject({
            name: z.string(),
            label: z.string(),
            from: z.string().nullable().meta({ description: 'Null for a new variable' }),
            to: z.string().nullable().meta({ description: 'Null for one that is no more' }),
          }),
        ),
      })
      .nullable()
      .meta({ description: 'What taking the template’s newest version would change; null where the server has it' }),
  })
  .meta({ id: 'Startup' })

const base = { family: 'panel', tag: 'Startup' } as const

export const startupOperations = {
  startup: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/startup',
    summary: 'The variables of the server, their rules and values',
    mcp: { tool: 'get_startup' },
    access: { server: 'startup.read' },
    params: OfServer,
    reply: Startup,
    errors: [],
  }),
  updateStartup: operation({
    ...base,
    method: 'PUT',
    path: '/servers/{serverId}/startup',
    summary: 'Set variables, in force from the next start; those that are not named keep their values',
    description:
      'Each value is held against the rule of its variable; everything that is wrong is named at once, and nothing is set. Values are texts: what looks like a variable in one is not filled in again.',
    mcp: { tool: 'update_startup' },
    access: { server: 'startup.update' },
    params: OfServer,
    body: z.strictObject({ variables: z.record(z.string(), z.string()) }),
    reply: Startup,
    errors: [],
  }),
  takeTemplate: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/startup/template',
    summary: 'Take the template as it is now, in force from the next start',
    description:
      'A server keeps the version of its template that it was made from. Values that fit the newer version stay, others become its defaults. Nothing is installed again: that is a reinstallation.',
    access: { server: 'settings.reinstall' },
    params: OfServer,
    reply: Startup,
    errors: ['conflict'],
  }),
}
