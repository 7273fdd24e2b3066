import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export type Webhook = Awaited<ReturnType<typeof api.webhook>>
export type Delivery = Awaited<ReturnType<typeof api.webhookDeliveries>>['deliveries'][number]

/** While something is on its way: people watch for it. */
const watchedMs = 1_500
/** What happens by itself is no older than that on a page that is open. */
const restingMs = 15_000

export const webhooksQuery = queryOptions({
  queryKey: ['webhooks'],
  queryFn: ({ signal }) => api.webhooks({}, { signal }),
  refetchInterval: restingMs,
})

export const webhookQuery = (webhook: string) =>
  queryOptions({
    queryKey: ['webhooks', webhook],
    queryFn: ({ signal }) => api.webhook({ params: { webhook } }, { signal }),
    refetchInterval: ({ state: { data } }) => (data && data.waiting > 0 ? watchedMs : restingMs),
  })

export const deliveriesQuery = (webhook: string) =>
  infiniteQueryOptions({
    queryKey: ['webhooks', webhook, 'deliveries'],
    queryFn: ({ pageParam, signal }) =>
      api.webhookDeliveries(
        { params: { webhook }, query: pageParam === null ? {} : { cursor: pageParam } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    refetchInterval: ({ state: { data } }) =>
      data?.pages.some(({ deliveries }) => deliveries.some(({ state }) => state === 'pending')) ? watchedMs : restingMs,
  })
