import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export type Tunnel = Awaited<ReturnType<typeof api.tunnels>>['tunnels'][number]
export type RequestList = Awaited<ReturnType<typeof api.tunnelRequests>>
export type RequestSummary = Awaited<ReturnType<typeof api.tunnelRequests>>['requests'][number]
export type CapturedRequest = Awaited<ReturnType<typeof api.tunnelRequest>>
export type CapturedMessage = NonNullable<CapturedRequest['request']>
export type Capture = Awaited<ReturnType<typeof api.tunnelCapture>>

/** Figures that move all the time are measured again this often while the page is seen, ms. */
const watchedMs = 2_000

/** Requests are forgotten at their time: the list is no older than that, ms. */
const forgottenMs = 60_000

/** Requests on the page: what somebody looks for is among the newest, or is looked for with a program. */
export const requestsShown = '100'

export const tunnelsQuery = queryOptions({
  queryKey: ['tunnels'],
  queryFn: ({ signal }) => api.tunnels({}, { signal }),
  refetchInterval: 5_000,
})

/** What is new comes by itself: `useLiveRequests`. */
export const requestsQuery = (tunnel: string) =>
  queryOptions({
    queryKey: ['tunnels', tunnel, 'requests'],
    queryFn: ({ signal }) => api.tunnelRequests({ params: { tunnel }, query: { limit: requestsShown } }, { signal }),
    refetchInterval: forgottenMs,
  })

/** One that is over does not change any more, but may be forgotten. */
export const requestQuery = (tunnel: string, request: string) =>
  queryOptions({
    queryKey: ['tunnels', tunnel, 'requests', request],
    queryFn: ({ signal }) => api.tunnelRequest({ params: { tunnel, request } }, { signal }),
    refetchInterval: ({ state: { data } }) => (data?.state === 'open' ? watchedMs : false),
  })

export const connectionsQuery = (tunnel: string) =>
  queryOptions({
    queryKey: ['tunnels', tunnel, 'connections'],
    queryFn: ({ signal }) => api.tunnelConnections({ params: { tunnel } }, { signal }),
    refetchInterval: watchedMs,
  })

export const captureQuery = (tunnel: string) =>
  queryOptions({
    queryKey: ['tunnels', tunnel, 'capture'],
    queryFn: ({ signal }) => api.tunnelCapture({ params: { tunnel } }, { signal }),
  })
