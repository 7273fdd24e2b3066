import { queryOptions } from '@tanstack/react-query'
import type { z } from 'zod'
import type { TemplateSource, TemplateSummary } from '../../src/contract/api/templates.ts'
import { api } from '../api/api.ts'

export type Template = z.output<typeof TemplateSummary>
export type Source = z.output<typeof TemplateSource>

/** Where templates are synchronised from; for administrators. */
export const sourcesQuery = queryOptions({
  queryKey: ['template-sources'],
  queryFn: async ({ signal }) => (await api.templateSources({}, { signal })).sources,
})
