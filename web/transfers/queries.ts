import { queryOptions } from '@tanstack/react-query'
import type { z } from 'zod'
import type { Transfer as TransferSchema } from '../../src/contract/api/transfers.ts'
import type { TransferStage } from '../../src/contract/transfer-stages.ts'
import { api } from '../api/api.ts'

export type Transfer = z.output<typeof TransferSchema>

/** The last move of a server, or the one under way; the live connection keeps it as it is. */
export const transferQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'transfer'],
    queryFn: async ({ signal }) => (await api.serverTransfer({ params: { serverId } }, { signal })).transfer,
  })

/** Between two looks at moves that are under way, ms: often enough to see them move. */
const transfersRefreshMs = 2_000
/** Between two looks where there is none. */
const noTransfersRefreshMs = 15_000

/** Every move that is under way or waiting; for administrators. */
export const transfersQuery = queryOptions({
  queryKey: ['transfers'],
  queryFn: async ({ signal }) => (await api.transfers({}, { signal })).transfers,
  refetchInterval: ({ state: { data } }) => (data && data.length > 0 ? transfersRefreshMs : noTransfersRefreshMs),
})

const ends: readonly TransferStage[] = ['done', 'failed', 'cancelled']

export const hasEnded = (stage: TransferStage): boolean => ends.includes(stage)

/** Until it is switched over, the server is the source’s and nothing has happened that could not be undone. */
export const isCancellable = (stage: TransferStage): boolean => stage !== 'switching' && !hasEnded(stage)
