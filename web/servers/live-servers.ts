import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { keepLive, type Liveness } from '../api/live.ts'
import { type ServerDetails, type ServerListItem, serversQuery, shortId, usageKey } from './queries.ts'

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
