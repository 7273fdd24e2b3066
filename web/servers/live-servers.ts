import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { keepLive, type Liveness } from '../api/live.ts'
import { hasEnded, transferQuery } from '../transfers/queries.ts'
import {
  type ServerDetails,
  type ServerListItem,
  type StatusNews,
  serversQuery,
  shortId,
  statusNewsKey,
  usageKey,
} from './queries.ts'

/** Keeps every server on the pages as it is: status and usage arrive by themselves. What was missed while away is read again. */
export function useLiveServers(): Liveness {
  const queries = useQueryClient()
  const [liveness, setLiveness] = useState<Liveness>('connecting')
  useEffect(() => {
    let missed = false
    const connection = keepLive(
      'events',
      {},
      {
        onLiveness(next) {
          setLiveness(next)
          if (next === 'lost') missed = true
          if (next === 'live' && missed) {
            missed = false
            void queries.invalidateQueries()
          }
        },
        onRefused: () => void queries.invalidateQueries({ queryKey: ['account'] }),
        onMessage(event) {
          switch (event.type) {
            case 'status': {
              const { status, message } = event
              const id = shortId(event.serverId)
              queries.setQueryData<StatusNews>(statusNewsKey(id), { status, message })
              queries.setQueryData(serversQuery.queryKey, (all: ServerListItem[] | undefined) =>
                all?.map((server) => (server.id === event.serverId ? { ...server, status } : server)),
              )
              queries.setQueryData(
                ['server', id],
                (server: ServerDetails | undefined) => server && { ...server, status, message },
              )
              break
            }
            case 'usage':
              queries.setQueryData(usageKey(shortId(event.serverId)), event.usage)
              break
            case 'transfer': {
              const { transferId, type: _, serverId, ...progress } = event
              const id = shortId(serverId)
              const { queryKey } = transferQuery(id)
              // Only where a page of this server has asked, or would.
              if (!queries.getQueryState(queryKey)) break
              if (queries.getQueryData(queryKey)?.id === transferId)
                queries.setQueryData(queryKey, (known) => known && { ...known, ...progress })
              else void queries.fetchQuery(transferQuery(id)).catch(() => undefined)
              // It may be another node's now, under another address.
              if (hasEnded(event.stage)) void queries.invalidateQueries({ queryKey: ['server', id] })
              break
            }
            case 'deleted':
              // Also when somebody may no longer see it: what is known of it is forgotten, and its pages ask anew.
              void queries.resetQueries({ queryKey: ['server', shortId(event.serverId)] })
              void queries.invalidateQueries({ queryKey: serversQuery.queryKey })
              break
            case 'created':
              void queries.invalidateQueries({ queryKey: serversQuery.queryKey })
              break
          }
        },
      },
    )
    return () => connection[Symbol.dispose]()
  }, [queries])
  return liveness
}
