import type { z } from 'zod'
import type { TemplateSummary, templateOperations, templateSourceOperations } from '../../contract/api/templates.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { TemplateSources } from './sources.ts'
import type { Offered, Templates } from './templates.ts'

export function templateHandlers(templates: Templates): Handlers<typeof templateOperations, PanelContexts> {
  return {
    templates: async ({ caller }) =>
      (await templates.all()).map((offered) => summaryOf(offered, caller.instanceAdmin)).sort(gamesFirst),
    template: async ({ caller, params }) => summaryOf(await templates.need(params.template), caller.instanceAdmin),
    importTemplate: async ({ body }) => {
      const { template, outcome, notes } = await templates.fromEgg(body.egg, body)
      return { template: summaryOf({ template, origin: 'imported' }, true), outcome, notes }
    },
    exportTemplate: async ({ params }) => ({ egg: await templates.export(params.template) }),
    updateTemplate: async ({ params, body }) => summaryOf(await templates.update(params.template, body), true),
    deleteTemplate: async ({ params }) => {
      await templates.delete(params.template)
      return { id: params.template }
    },
  }
}

export function templateSourceHandlers(
  sources: TemplateSources,
): Handlers<typeof templateSourceOperations, PanelContexts> {
  return {
    templateSources: async () => ({ sources: await sources.list() }),
    createTemplateSource: ({ body }) => sources.create(body),
    updateTemplateSource: ({ params, body }) => sources.update(params.source, body),
    syncTemplateSource: ({ params }) => sources.sync(params.source),
    deleteTemplateSource: async ({ params }) => {
      await sources.delete(params.source)
      return { id: params.source }
    },
  }
}

/** How a template installs and starts its servers is the operator's business, not the caller's, and so are hidden variables. */
function summaryOf({ template, origin }: Offered, isAdmin: boolean): z.input<typeof TemplateSummary> {
  const { id, name, summary, category, protocols, resources, variables } = template
  const seen = isAdmin ? variables : variables.filter(({ access }) => access !== 'hidden')
  return { id, name, summary, category, protocols, resources, variables: seen, origin }
}

type Listed = Pick<z.input<typeof TemplateSummary>, 'category' | 'name'>

/** Games, then the rest, each by name. */
const gamesFirst = (left: Listed, right: Listed): number =>
  rank(left) - rank(right) || left.name.localeCompare(right.name, 'en')

const rank = ({ category }: Listed): number => (category === 'game' ? 0 : 1)
