import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export type Node = Awaited<ReturnType<typeof api.nodes>>['nodes'][number]

/** Machines come and go by themselves: they are asked for again this often, ms. */
const nodesRefreshMs = 10_000

export const nodesQuery = queryOptions({
  queryKey: ['nodes'],
  queryFn: ({ signal }) => api.nodes({}, { signal }),
  refetchInterval: nodesRefreshMs,
})
