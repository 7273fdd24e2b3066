import { z } from 'zod'
import { operation } from '../operation.ts'
import { Resources, TemplateCategory, TemplateVariable } from '../template.ts'

export const TemplateSummary = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    summary: z.string(),
    category: TemplateCategory,
    protocols: z.array(z.enum(['tcp', 'udp'])),
    resources: Resources.meta({ description: 'What a new server gets unless it says otherwise' }),
    variables: z.array(TemplateVariable),
  })
  .meta({ id: 'TemplateSummary' })

export const templateOperations = {
  templates: operation({
    family: 'panel',
    tag: 'Templates',
    method: 'GET',
    path: '/templates',
    summary: 'The kinds of server that can be created, games first',
    access: 'account',
    reply: z.array(TemplateSummary),
    errors: [],
  }),
  template: operation({
    family: 'panel',
    tag: 'Templates',
    method: 'GET',
    path: '/templates/{template}',
    summary: 'One kind of server, with its variables and their rules',
    access: 'account',
    params: z.object({ template: z.string() }),
    reply: TemplateSummary,
    errors: ['not_found'],
  }),
}
