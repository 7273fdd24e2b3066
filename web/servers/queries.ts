import { queryOptions } from '@tanstack/react-query'
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
  queryFn: ({ signal }) => everyServer(signal),
})

export const serverQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId],
    queryFn: ({ signal }) => api.server({ params: { serverId } }, { signal }),
  })

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
