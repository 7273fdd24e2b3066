import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export type ForeignEdge = Awaited<ReturnType<typeof api.foreignEdges>>['edges'][number]
/** What goes into the configuration of one; told this once. */
export type Credential = Pick<
  Awaited<ReturnType<typeof api.renewForeignEdge>>,
  'credential' | 'verifyUrl' | 'reportUrl'
>

/** They report every second at most; whoever sets one up waits for its first word, ms. */
const refreshMs = 5_000

export const foreignEdgesQuery = queryOptions({
  queryKey: ['foreign-edges'],
  queryFn: ({ signal }) => api.foreignEdges({}, { signal }),
  refetchInterval: refreshMs,
})
