import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export const startupQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'startup'],
    queryFn: ({ signal }) => api.startup({ params: { serverId } }, { signal }),
  })
