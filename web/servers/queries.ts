import { type QueryClient, queryOptions } from '@tanstack/react-query'
import type { z } from 'zod'
import type { LiveUsage, Server, ServerSummary } from '../../src/contract/api/servers.ts'
import type { ServerPermission } from '../../src/contract/permissions.ts'
import { everyServer } from '../api/all-pages.ts'
import { api } from '../api/api.ts'

export type ServerListItem = z.output<typeof ServerSummary>
export type ServerDetails = z.output<typeof Server>
export type Usage = z.output<typeof LiveUsage>

/** `servers/1a7ce997` → `1a7ce997`, as paths have it. */
export const shortId = (id: string): string => id.slice(id.indexOf('/') + 1)

/** Every server that the person can see. */
export const serversQuery = queryOptions({
  queryKey: ['servers'],
  async queryFn({ signal, client }) {
    const withNews = sinceNow(client)
    return (await everyServer(signal)).map(withNews)
  },
})

export const serverQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId],
    async queryFn({ signal, client }) {
      const withNews = sinceNow(client)
      return withNews(await api.server({ params: { serverId } }, { signal }))
    },
  })

/** The last status that the live connection told: fed by it alone. */
export const statusNewsKey = (serverId: string) => ['server-status', serverId] as const

export type StatusNews = Pick<ServerDetails, 'status' | 'message'>

/** How far the panels that serve one fleet may be apart in what they have heard, in ms: each hears it from the node itself. */
const panelsApartMs = 5_000

/**
 * For an answer that is asked for now: what the live connection tells until it is here is newer than the answer, and would
 * otherwise be lost, with nothing to come that mends it. So is what it told just before, where another panel answers.
 */
function sinceNow(client: QueryClient) {
  const from = Date.now() - panelsApartMs
  return <S extends { id: string; status: ServerDetails['status'] }>(server: S): S => {
    const state = client.getQueryState<StatusNews>(statusNewsKey(shortId(server.id)))
    if (!state?.data || state.dataUpdatedAt < from) return server
    return 'message' in server ? { ...server, ...state.data } : { ...server, status: state.data.status }
  }
}

/** What a server uses at this moment: fed by the live connection alone. */
export const usageKey = (serverId: string) => ['server-usage', serverId] as const

export const permissionsQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'permissions'],
    async queryFn({ signal }) {
      const { permissions, isOwner } = await api.permissions({ params: { serverId } }, { signal })
      return { isOwner, may: (permission: ServerPermission) => permissions.includes(permission) }
    },
  })

/** What the server may have and use, and what it has and uses now. */
export const resourcesQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'resources'],
    queryFn: ({ signal }) => api.resources({ params: { serverId } }, { signal }),
  })

export const templatesQuery = queryOptions({
  queryKey: ['templates'],
  queryFn: ({ signal }) => api.templates({}, { signal }),
  staleTime: 300_000,
})
