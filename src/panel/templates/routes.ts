import type { z } from 'zod'
import type { TemplateSummary, templateOperations } from '../../contract/api/templates.ts'
import { notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { Template } from '../../contract/template.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Templates } from './load.ts'

export function templateHandlers(templates: Templates): Handlers<typeof templateOperations, PanelContexts> {
  return {
    templates: () => [...templates.values()].map(summaryOf).sort(gamesFirst),
    template: ({ params }) => {
      const template = templates.get(params.template)
      if (!template) throw notFound(`Template ${params.template}`)
      return summaryOf(template)
    },
  }
}

/** How a template installs and starts its servers is the operator's business, not the caller's. */
function summaryOf({
  id,
  name,
  summary,
  category,
  protocols,
  resources,
  variables,
}: Template): z.input<typeof TemplateSummary> {
  return { id, name, summary, category, protocols, resources, variables }
}

type Listed = Pick<z.input<typeof TemplateSummary>, 'category' | 'name'>

/** Games, then the rest, each by name. */
const gamesFirst = (left: Listed, right: Listed): number =>
  rank(left) - rank(right) || left.name.localeCompare(right.name, 'en')

const rank = ({ category }: Listed): number => (category === 'game' ? 0 : 1)
