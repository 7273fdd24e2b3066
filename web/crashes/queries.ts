import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export type Crash = Awaited<ReturnType<typeof api.crashes>>[number]

/** A crash is written down a moment after the status that tells of it. */
const refreshMs = 5_000

export const crashesQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'crashes'],
    queryFn: ({ signal }) => api.crashes({ params: { serverId } }, { signal }),
    refetchInterval: refreshMs,
  })
