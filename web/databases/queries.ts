import { queryOptions } from '@tanstack/react-query'
import type { z } from 'zod'
import type { Database as Declared } from '../../src/contract/api/databases.ts'
import { api } from '../api/api.ts'

export type Database = z.output<typeof Declared>

/** How often one is asked for whose password is being changed, or that is being deleted, in ms: both take a moment. */
const busyEveryMs = 3_000

export const databasesQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'databases'],
    queryFn: ({ signal }) => api.databases({ params: { serverId } }, { signal }),
    refetchInterval: ({ state }) => (state.data?.some(({ state }) => state !== 'ready') ? busyEveryMs : false),
  })
