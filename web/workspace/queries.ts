import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: ({ signal }) => api.tokens({}, { signal }),
})
export const membersQuery = queryOptions({
  queryKey: ['members'],
  queryFn: ({ signal }) => api.members({}, { signal }),
})
export const invitationsQuery = queryOptions({
  queryKey: ['invitations'],
  queryFn: ({ signal }) => api.invitations({}, { signal }),
})
export const usageQuery = (days: number) =>
  queryOptions({
    queryKey: ['usage', days],
    queryFn: ({ signal }) => api.usage({ query: { days: String(days) } }, { signal }),
    refetchInterval: 15_000,
  })
