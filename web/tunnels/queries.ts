import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export type Tunnel = Awaited<ReturnType<typeof api.tunnels>>['tunnels'][number]
export type RequestSummary = Awaited<ReturnType<typeof api.tunnelRequests>>['requests'][number]
export type CapturedRequest = Awaited<ReturnType<typeof api.tunnelRequest>>
export type CapturedMessage = NonNullable<CapturedRequest['request']>
export type Capture = Awaited<ReturnType<typeof api.tunnelCapture>>

/** People watch these as they happen. */
const watchedMs = 2_000

/** Requests on the page: what somebody looks for is among the newest, or is looked for with a program. */
const requestsShown = '100'

export const tunnelsQuery = queryOptions({
  queryKey: ['tunnels'],
  queryFn: ({ signal }) => api.tunnels({}, { signal }),
  refetchInterval: 5_000,
})

export const requestsQuery = (tunnel: string) =>
  queryOptions({
    queryKey: ['tunnels', tunnel, 'requests'],
    queryFn: ({ signal }) => api.tunnelRequests({ params: { tunnel }, query: { limit: requestsShown } }, { signal }),
    refetchInterval: watchedMs,
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
