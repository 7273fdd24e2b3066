import type { z } from 'zod'
import type { TemplateSummary, templateOperations, templateSourceOperations } from '../../contract/api/templates.ts'
import type { Handlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { Caller, PanelContexts } from '../access/index.ts'
import type { TemplateSources } from './sources.ts'
import type { Offered, Templates } from './templates.ts'

export function templateHandlers(templates: Templates): Handlers<typeof templateOperations, PanelContexts> {
  const usesFor = ({ instanceAdmin }: Caller): Promise<Uses> | null => (instanceAdmin ? templates.uses() : null)
  return {
    async templates({ caller }) {
      const uses = await usesFor(caller)
      return (await templates.all()).map((offered) => summaryOf(offered, uses)).sort(gamesFirst)
    },
    template: async ({ caller, params }) => summaryOf(await templates.need(params.template), await usesFor(caller)),
    importTemplate: async ({ body }) => {
      const { template, outcome, notes } = await templates.fromEgg(body.egg, body)
      const now = await templates.find(template.id)
      const offered = { changedAt: now?.changedAt ?? null, sourceId: now?.sourceId ?? null }
      return {
        template: summaryOf({ ...offered, template, origin: 'imported' }, await templates.uses()),
        outcome,
        notes,
      }
    },
    exportTemplate: async ({ params }) => ({ egg: await templates.export(params.template) }),
    updateTemplate: async ({ params, body }) =>
      summaryOf(await templates.update(params.template, body), await templates.uses()),
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

/** How many servers were made from each template: known to administrators alone. */
type Uses = ReadonlyMap<string, number>

/** How a template installs and starts its servers is the operator's business, and so are hidden variables: `uses` null for others. */
function summaryOf(
  { template, origin, changedAt, sourceId }: Offered,
  uses: Uses | null,
): z.input<typeof TemplateSummary> {
  const { id, name, summary, category, protocols, resources, variables, images = [] } = template
  return {
    ...{ id, name, summary, category, protocols, resources, images, origin },
    variables: uses ? variables : variables.filter(({ access }) => access !== 'hidden'),
    changedAt: changedAt === null ? null : isoTime(changedAt),
    source: uses ? sourceId : null,
    servers: uses ? (uses.get(id) ?? 0) : null,
  }
}

type Listed = Pick<z.input<typeof TemplateSummary>, 'category' | 'name'>

/** Games, then the rest, each by name. */
const gamesFirst = (left: Listed, right: Listed): number =>
  rank(left) - rank(right) || left.name.localeCompare(right.name, 'en')

const rank = ({ category }: Listed): number => (category === 'game' ? 0 : 1)
