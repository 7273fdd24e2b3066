import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export type Domain = Awaited<ReturnType<typeof api.domain>>

/** While records are looked for or a certificate is made: people watch for it. */
const watchedMs = 3_000
/** What happens by itself is no older than that on a page that is open. */
const restingMs = 30_000

export const domainsQuery = queryOptions({
  queryKey: ['domains'],
  queryFn: ({ signal }) => api.domains({}, { signal }),
  refetchInterval: ({ state: { data } }) => (data?.domains.some(isUnderWay) ? watchedMs : restingMs),
})

/** What domains can lead to, among others. */
export const targetsQuery = queryOptions({
  queryKey: ['domains', 'targets'],
  queryFn: ({ signal }) => api.tunnels({}, { signal }),
})

const isUnderWay = ({ state, certificate }: Domain): boolean =>
  state === 'pending' || certificate.state === 'ordering' || (state === 'active' && certificate.state === 'waiting')
